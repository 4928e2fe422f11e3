"""One pass of a tracker over a sequence: frame by frame, or as a stream that does not wait."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..types import BoundingBox, Frame
from .contestants import Answer, Contestant
from .entries import Entry
from .records import Record
from .sequences import Sequence


@dataclass(frozen=True)
class Job:
    """One run to be made; needs nothing but what it carries and the images.

    Attributes:
        rate_hz: of a stream that does not wait, or None for every frame in its own time.
    """

    entry: Entry
    sequence: Sequence
    seed: int
    rate_hz: float | None = None


def perform(job: Job) -> Record:
    """Build the tracker and let it run.

    Raises:
        RecipTrackerError: an image that cannot be read, a tracker that cannot be built.
    """
    contestant = job.entry.build(job.seed, is_realtime=job.rate_hz is not None)
    with contextlib.closing(contestant):
        if job.rate_hz is None:
            return one_pass(contestant, job.sequence)
        return streamed(contestant, job.sequence, job.rate_hz)


class Stopwatch:
    """Time of a thread's own work on a frame, and how much of it, from the second on, it held a core."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._held_s = 0.0
        self._total_s = 0.0
        self._is_started = False

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began[0]
        if self._is_started:  # the initialisation is not part of the frames a second
            self._held_s += time.thread_time() - self._began[1]
            self._total_s += self.seconds
        self._is_started = True

    @property
    def core_share(self) -> float:
        """In [0, 1]; NaN before a second frame."""
        return min(self._held_s / self._total_s, 1.0) if self._total_s > 0 else math.nan


def one_pass(contestant: Contestant, sequence: Sequence) -> Record:
    """One-pass evaluation (Wu et al., CVPR 2013): the first box is given, and then nothing more.

    Reading images is not counted as the tracker's time.
    """
    watch = Stopwatch()
    answers, seconds = [], []
    for index in range(len(sequence)):
        frame = sequence.frame(index)
        with watch:
            answers.append(_answer(contestant, frame, sequence.first_box))
        seconds.append(watch.seconds)
    return _record(answers, seconds, watch)


def streamed(
    contestant: Contestant, sequence: Sequence, rate_hz: float, clock: Clock | None = None
) -> Record:
    """The same, while frames arrive at a rate, whether the tracker is ready or not.

    It always takes the newest frame; those it has missed are gone. Frame k arrives at k / rate, and what
    counts for it is the newest answer that is there before frame k + 1 arrives. The stream does not wait for
    the initialisation either: until it is done, the given box is all there is. The clock stands still while
    an image is read, which a camera would not make it wait for.
    """
    watch, clock = Stopwatch(), clock or StreamClock()
    answers: list[Answer] = []
    known_from_s: list[float] = []
    seconds = np.full(len(sequence), np.nan)
    index = 0
    while index < len(sequence):
        with clock.paused():
            frame = sequence.frame(index)
        with watch:
            answers.append(_answer(contestant, frame, sequence.first_box))
        known_from_s.append(clock.now() if index else 0.0)  # the first box is given, not found
        seconds[index] = watch.seconds
        clock.wait_until((index + 1) / rate_hz)
        index = max(int(clock.now() * rate_hz), index + 1)
    next_arrival_s = np.arange(1, len(sequence) + 1) / rate_hz
    known = np.searchsorted(known_from_s, next_arrival_s, side="left") - 1
    return _record([answers[position] for position in known], list(seconds), watch)


class Clock(Protocol):
    """Time of a stream: seconds since it began, without the pauses."""

    def now(self) -> float:
        """Seconds."""
        ...

    def wait_until(self, moment_s: float) -> None:
        """Return when the moment has come; at once when it has passed."""
        ...

    def paused(self) -> AbstractContextManager[None]:
        """Stand still meanwhile."""
        ...


class StreamClock:
    """The time of day."""

    def __init__(self) -> None:
        self._zero = time.perf_counter()

    def now(self) -> float:
        """See :class:`Clock`."""
        return time.perf_counter() - self._zero

    def wait_until(self, moment_s: float) -> None:
        """See :class:`Clock`."""
        time.sleep(max(moment_s - self.now(), 0.0))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """See :class:`Clock`."""
        began = time.perf_counter()
        yield
        self._zero += time.perf_counter() - began


def _answer(contestant: Contestant, frame: Frame, first_box: BoundingBox) -> Answer:
    if frame.index > 0:
        return contestant.update(frame)
    contestant.init(frame, first_box)
    return Answer(first_box, True, math.nan)


def _record(answers: list[Answer], seconds: list[float], watch: Stopwatch) -> Record:
    boxes = [(answer.box.x, answer.box.y, answer.box.w, answer.box.h) for answer in answers]
    return Record(
        boxes=np.array(boxes, np.float64),
        confidences=np.array([answer.confidence for answer in answers], np.float64),
        tracked=np.array([answer.is_tracked for answer in answers], np.bool_),
        seconds=np.array(seconds, np.float64),
        core_share=watch.core_share,
    )
