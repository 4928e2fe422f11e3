"""One pass, and a stream that does not wait."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import numpy as np
import pytest

from recip_tracker_core.evaluation.contestants import Answer
from recip_tracker_core.evaluation.entries import Entry
from recip_tracker_core.evaluation.running import Job, StreamClock, one_pass, perform, streamed
from recip_tracker_core.evaluation.sequences import Sequence
from recip_tracker_core.types import BoundingBox, Frame


class HandClock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def wait_until(self, moment_s: float) -> None:
        self.seconds = max(self.seconds, moment_s)

    def paused(self) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()


class Seer:
    """Answers with the index of the frame that it saw, after a while of the clock's."""

    def __init__(
        self, clock: HandClock | None = None, takes_s: float = 0.0, init_takes_s: float = 0.0
    ) -> None:
        self._clock = clock or HandClock()
        self._takes_s = takes_s
        self._init_takes_s = init_takes_s
        self.seen: list[int] = []

    def init(self, frame: Frame, box: BoundingBox) -> None:
        self.seen.append(frame.index)
        self._clock.seconds += self._init_takes_s

    def update(self, frame: Frame) -> Answer:
        self.seen.append(frame.index)
        self._clock.seconds += self._takes_s
        return Answer(BoundingBox(frame.index, 0, 1, 1), frame.index % 2 == 0, frame.index / 10)

    def close(self) -> None:
        pass


class Sleeper(Seer):
    """Waits for something other than a core."""

    def update(self, frame: Frame) -> Answer:
        time.sleep(0.02)
        return super().update(frame)


@pytest.fixture
def sequence(rendered_sequence: Callable[..., Sequence]) -> Sequence:
    return rendered_sequence(frames=10)


def test_one_pass_shows_every_frame_once_and_keeps_every_answer(sequence: Sequence) -> None:
    seer = Seer()
    record = one_pass(seer, sequence)
    assert seer.seen == list(range(10))
    assert tuple(record.boxes[0]) == tuple(sequence.truth[0])
    assert record.boxes[1:, 0].tolist() == list(range(1, 10))
    assert record.tracked.tolist() == [True] + [index % 2 == 0 for index in range(1, 10)]
    assert record.confidences[1:].tolist() == [index / 10 for index in range(1, 10)]
    assert np.isfinite(record.seconds).all()
    assert record.has_confidence


def test_time_spent_waiting_is_not_a_core_to_itself(sequence: Sequence) -> None:
    assert one_pass(Sleeper(), sequence).core_share < 0.5


def test_a_tracker_that_keeps_up_loses_nothing_in_a_stream(sequence: Sequence) -> None:
    clock = HandClock()
    record = streamed(Seer(clock, takes_s=0.09), sequence, 10, clock)
    assert record.boxes[1:, 0].tolist() == list(range(1, 10))
    assert np.isfinite(record.seconds).all()


def test_a_slow_tracker_misses_frames_and_answers_late(sequence: Sequence) -> None:
    clock = HandClock()
    seer = Seer(clock, takes_s=0.24)
    record = streamed(seer, sequence, 10, clock)
    # Answers are there at .34, .58, .82 and 1.06 s; what counts for frame k is there before (k + 1) / 10 s.
    assert seer.seen == [0, 1, 3, 5, 8]
    assert record.boxes[3:, 0].tolist() == [1, 1, 3, 3, 3, 5, 5]
    assert (record.boxes[:3] == sequence.truth[0]).all()
    assert np.flatnonzero(np.isfinite(record.seconds)).tolist() == seer.seen


def test_the_stream_does_not_wait_for_the_first_fit(sequence: Sequence) -> None:
    clock = HandClock()
    seer = Seer(clock, init_takes_s=0.35)
    record = streamed(seer, sequence, 10, clock)
    assert seer.seen == [0, *range(3, 10)]
    assert (record.boxes[:3] == sequence.truth[0]).all()
    assert record.boxes[3:, 0].tolist() == list(range(3, 10))


def test_a_paused_clock_stands_still() -> None:
    clock = StreamClock()
    before = clock.now()
    with clock.paused():
        time.sleep(0.3)
    assert clock.now() - before < 0.25


def test_a_job_needs_nothing_but_what_it_carries(sequence: Sequence) -> None:
    record = perform(Job(Entry("null", "null"), sequence, seed=0))
    assert (record.boxes == sequence.truth[0]).all()
    assert record.tracked.all()
    assert not record.has_confidence
