"""The classifier's margin as a confidence, and what is said by it."""

from __future__ import annotations

import pytest

from recip_tracker_core.margin_judge import MarginJudge
from recip_tracker_core.types import TrackStatus

TRACKED, UNCERTAIN, LOST = TrackStatus.TRACKED, TrackStatus.UNCERTAIN, TrackStatus.LOST
MARGIN_JUDGE = MarginJudge(tracked_from=0.5, lost_after=3)


@pytest.mark.parametrize(
    ("score", "confidence"),
    [(0.0, 0.5), (1.0986123, 0.75), (-1.0986123, 0.25), (1e9, 1.0), (-1e9, 0.0)],  # log 3 = 1.0986123
)
def test_confidence_is_the_sigmoid_of_the_margin_for_any_margin(score: float, confidence: float) -> None:
    assert MARGIN_JUDGE.judge(score, 0).confidence == pytest.approx(confidence, abs=1e-6)


def test_a_confidence_at_the_threshold_is_tracked() -> None:
    assert MARGIN_JUDGE.judge(0.0, misses=100).status is TRACKED


def test_the_last_of_so_many_misses_in_a_row_is_lost() -> None:
    statuses = [MARGIN_JUDGE.judge(-1.0, misses).status for misses in range(4)]
    assert statuses == [UNCERTAIN, UNCERTAIN, LOST, LOST]
