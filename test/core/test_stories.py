"""Stories: told alone or together they end alike, and each clock counts its own share."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from recip_tracker_core.stories import Clock, Steps, Story, asked, told, told_together

PAUSE_S = 0.02


class Answerer:
    """Doubles numbers, and notes how many at once."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self._pause_s = pause_s

    def doubled(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        time.sleep(self._pause_s)
        return [2 * number for number in numbers]

    def squared(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        return [number**2 for number in numbers]


def story(answerer: Answerer, number: int, questions: int = 2, pause_s: float = 0.0) -> Story[int]:
    clock = Clock()

    def steps() -> Steps[int]:
        value = number
        for _ in range(questions):
            time.sleep(pause_s)
            value = yield from asked(answerer.doubled, value)
        clock.lap("all")
        return value

    return Story(steps(), clock)


def test_a_story_is_told_to_its_end() -> None:
    assert told(story(Answerer(), 3)) == 12
    assert told(story(Answerer(), 3, questions=0)) == 3


def test_what_several_ask_is_answered_at_once_whoever_has_ended() -> None:
    answerer = Answerer()
    stories = [story(answerer, number, questions) for number, questions in ((1, 2), (10, 0), (100, 3))]
    assert told_together(stories) == [4, 10, 800]
    assert answerer.batches == [[1, 100], [2, 200], [400]]


def test_different_questions_are_answered_apart() -> None:
    answerer = Answerer()

    def steps(by: object, number: int) -> Steps[int]:
        return (yield from asked(by, number))

    pairs = ((answerer.doubled, 3), (answerer.squared, 3), (answerer.doubled, 4))
    assert told_together([Story(steps(*pair), Clock()) for pair in pairs]) == [6, 9, 8]
    assert sorted(answerer.batches) == [[3], [3, 4]]


def test_a_clock_counts_its_own_steps_and_its_share_of_the_answers() -> None:
    slow, quick = (story(Answerer(), 1, questions=1, pause_s=pause_s) for pause_s in (5 * PAUSE_S, 0.0))
    shared = Answerer(4 * PAUSE_S)
    stories = [slow, quick, story(shared, 1, questions=1), story(shared, 2, questions=1)]
    told_together(stories)
    slow_s, quick_s, *sharing_s = (one.clock.laps_s["all"] for one in stories)
    assert slow_s >= 5 * PAUSE_S
    assert quick_s < 5 * PAUSE_S  # though it ended after the slow one had begun
    assert sharing_s == pytest.approx([2 * PAUSE_S] * 2, abs=1.5 * PAUSE_S)


def test_an_error_ends_them_all() -> None:
    def failing(numbers: Sequence[int]) -> list[int]:
        raise ValueError(f"not {numbers}")

    def steps(number: int) -> Steps[int]:
        return (yield from asked(failing, number))

    with pytest.raises(ValueError, match=r"not \[1, 2\]"):
        told_together([Story(steps(number), Clock()) for number in (1, 2)])
