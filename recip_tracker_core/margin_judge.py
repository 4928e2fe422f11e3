"""The paper's way from a score to an answer: the classifier alone says how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from .confidence import logistic
from .types import TrackStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of one frame."""

    confidence: float
    status: TrackStatus


@dataclass(frozen=True, slots=True)
class MarginJudge:
    """The classifier's margin as a probability, and its verdict: the paper's way.

    Cross entropy makes ``sigmoid(margin)`` the probability that a sample is the target. The released
    code calls a margin above 0 a success, which is one half; the default is lower, chosen together
    with the witness and not measured by itself. As long as failures are few the frame is uncertain.

    Attributes:
        tracked_from: confidence from which a frame is tracked.
        lost_after: failures in a row after which the target is lost.
    """

    tracked_from: float
    lost_after: int

    def judge(self, score: float, misses: int) -> Verdict:
        """The verdict on a frame.

        Args:
            score: mean margin of the best candidates.
            misses: frames in a row, before this one, that were not tracked.
        """
        confidence = logistic(score)
        if confidence >= self.tracked_from:
            return Verdict(confidence, TrackStatus.TRACKED)
        return Verdict(
            confidence, TrackStatus.LOST if misses + 1 >= self.lost_after else TrackStatus.UNCERTAIN
        )
