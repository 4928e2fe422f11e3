"""A frame is told in steps, so that what several targets ask to be computed is computed at once.

A story asks its questions with ``yield from asked(...)``. Whoever tells it answers each on its own, or
those of several stories together: a batch costs much less than as many calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

About = TypeVar("About")
Answer = TypeVar("Answer")
Told = TypeVar("Told")


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """What is to be computed.

    Attributes:
        by: answers several at once.
        about: this one's argument.
    """

    by: Callable[[Sequence[Any]], Sequence[Any]]
    about: Any


Steps = Generator[Question, Any, Told]


def asked(by: Callable[[Sequence[About]], Sequence[Answer]], about: About) -> Steps[Answer]:
    """Ask one question within a story."""
    answer: Answer = yield Question(by, about)
    return answer


class Clock:
    """Seconds between laps, by name; those that others take while it is stopped don't count."""

    def __init__(self) -> None:
        self.laps_s: dict[str, float] = {}
        self._last = self._stopped = time.perf_counter()

    def lap(self, name: str) -> None:
        """The time since the last lap, or since the start, is that one's."""
        now = time.perf_counter()
        self.laps_s[name] = now - self._last
        self._last = now

    def stop(self) -> None:
        """From now on, until it goes on."""
        self._stopped = time.perf_counter()

    def go_on(self, share_s: float) -> None:
        """As if it had been stopped but for these seconds."""
        self._last += time.perf_counter() - self._stopped - share_s


@dataclass(frozen=True, eq=False, slots=True)
class Story(Generic[Told]):
    """One that has not begun.

    Attributes:
        steps: of it.
        clock: that they read.
    """

    steps: Steps[Told]
    clock: Clock


def told(story: Story[Told]) -> Told:
    """What it ends with."""
    return told_together([story])[0]


def told_together(stories: Sequence[Story[Told]]) -> list[Told]:
    """What each ends with; questions that wait at one time for the same answerer are answered at once.

    What an answer took is shared equally among the clocks of those who asked.
    """
    asking: dict[int, Question] = {}
    ends: dict[int, Told] = {}

    def go_on(index: int, answer: Any, share_s: float) -> None:
        story = stories[index]
        story.clock.go_on(share_s)
        try:
            asking[index] = story.steps.send(answer)
        except StopIteration as end:
            ends[index] = end.value
        story.clock.stop()

    for story in stories:
        story.clock.stop()
    for index in range(len(stories)):
        go_on(index, None, 0.0)
    while asking:
        by = next(iter(asking.values())).by
        askers = [index for index, question in asking.items() if question.by == by]
        began_s = time.perf_counter()
        answers = by([asking.pop(index).about for index in askers])
        share_s = (time.perf_counter() - began_s) / len(askers)
        for index, answer in zip(askers, answers, strict=True):
            go_on(index, answer, share_s)
    return [ends[index] for index in range(len(stories))]
