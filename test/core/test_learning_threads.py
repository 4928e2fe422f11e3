"""Whoever learns leaves the processor to others for a share of the time, and ends when told to."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from recip_tracker_core.learning_threads import LearningThread, Threads

PATIENCE_S = 20.0  # after which a test that would wait for ever fails


@pytest.mark.parametrize(("share", "rest"), [(0.5, 1.0), (0.25, 3.0), (1.0, 0.0)])
def test_after_a_piece_of_work_it_rests_as_its_share_asks(share: float, rest: float) -> None:
    thread, done = LearningThread(share=share), threading.Event()
    thread.join()
    ends: list[tuple[float, float]] = []  # when, and what the work had taken of a processor

    def work() -> None:
        began_s = time.thread_time()
        while time.thread_time() - began_s < 0.02:
            pass
        ends.append((time.monotonic(), time.thread_time() - began_s))
        if len(ends) == 3:
            done.set()

    for _ in range(3):
        thread.submit(work)
    assert done.wait(PATIENCE_S)
    thread.leave()
    for (ended_s, took_s), (next_s, _) in itertools.pairwise(ends):
        assert next_s - ended_s >= 0.99 * (rest + 1) * took_s


def test_the_last_one_to_leave_waits_for_no_rest() -> None:
    thread, done = LearningThread(share=1e-6), threading.Event()
    thread.join()
    thread.submit(lambda: (sum(range(10**5)), done.set()))  # a rest of minutes at the least
    assert done.wait(PATIENCE_S)
    began_s = time.monotonic()
    thread.leave()
    assert time.monotonic() - began_s < PATIENCE_S


def test_a_thread_that_has_ended_serves_the_next_who_come() -> None:
    thread = LearningThread()
    for _ in range(2):
        done = threading.Event()
        thread.join()
        thread.submit(done.set)
        assert done.wait(PATIENCE_S)
        thread.leave()


def test_the_rests_of_first_fits_are_waited_for_and_take_all_the_time_that_they_need() -> None:
    threads = Threads()
    assert threads.rests._share == 1 > threads.updates._share
