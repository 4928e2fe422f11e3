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
    spans: list[tuple[float, float]] = []

    def work() -> None:
        began_s = time.monotonic()
        time.sleep(0.02)
        spans.append((began_s, time.monotonic()))
        if len(spans) == 3:
            done.set()

    for _ in range(3):
        thread.submit(work)
    assert done.wait(PATIENCE_S)
    thread.leave()
    for (began_s, ended_s), (next_s, _) in itertools.pairwise(spans):
        assert next_s - ended_s >= 0.99 * rest * (ended_s - began_s)


def test_the_last_one_to_leave_waits_for_no_rest() -> None:
    thread, done = LearningThread(share=1e-6), threading.Event()
    thread.join()
    thread.submit(lambda: (time.sleep(0.01), done.set()))  # a rest of hours
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
