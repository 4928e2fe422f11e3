"""Honesty: does a tracker know when its box is wrong, the target gone, back, or another?

The first frame, in which the box is given, never counts. The F-score is that of Lukezic, Cehovin Zajc, Vojir,
Matas, Kristan, "Now you see me: evaluating performance in long-term visual tracking" (2018), the measure of
the long-term VOT challenges.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from .doubles import Double
from .metrics import known_mean, overlaps
from .records import Run

_Seed = TypeVar("_Seed")

BAD = 0.2  # an overlap below it is not on the target any more
GOOD = 0.5  # and from here on it is; what lies between is neither
BINS = 10  # of the reliability diagram, of equal width
RETURN_FRAMES = 30  # in which a target that is back may be found again: one second of most clips
THRESHOLDS = 100  # at most, of the F-score, as in VOT's toolkit


@dataclass(frozen=True)
class Reliability:
    """What confidence promised and what came of it, in ten bins of confidence over [0, 1].

    Attributes:
        confidence: (10,) mean of the frames in the bin; NaN in an empty one.
        good: (10,) share of them with an overlap of one half or more; NaN in an empty one.
        count: (10,) frames.
    """

    confidence: NDArray[np.float64]
    good: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def expected_error(self) -> float:
        """Gap between promise and outcome, averaged over the frames."""
        filled = self.count > 0
        gap = np.abs(self.confidence - self.good)[filled]
        return float(np.average(gap, weights=self.count[filled]))


@dataclass(frozen=True)
class Encounter:
    """What came of a look-alike that crossed; neither is so where the tracker lost the target.

    Attributes:
        told_apart: the target is claimed with an overlap above 0.5.
        switched: the look-alike is claimed for the target, as the box overlaps it more.
    """

    told_apart: bool
    switched: bool


@dataclass(frozen=True)
class Honesty:
    """Of one tracker: the frames of all sequences together, mean over the seeds; counts are sums.

    Attributes:
        auroc: how well confidence tells good frames from bad ones; one half is chance.
        average_precision: of finding the bad ones by low confidence.
        calibration_error: expected, in [0, 1]; None where confidence is in another unit.
        reliability: over all seeds; None with the former.
        absent_called_tracked: share of the frames without the target in which it claims to have it.
        absent_frames: how many there are.
        refound: share of the returns after which it has the target within 30 frames.
        returns: how many there are.
        refound_frames: median delay of those that were found, frames; 0 is the frame of the return.
        false_recoveries: how often it claims the target anew on a bad box.
        told_apart: share of the look-alikes that crossed after which it has the target.
        switched: share after which it claims the look-alike for the target.
        look_alikes: how many there are.
        f_score: of long-term tracking.
    """

    auroc: float | None
    average_precision: float | None
    calibration_error: float | None
    reliability: Reliability | None
    absent_called_tracked: float | None
    absent_frames: int
    refound: float | None
    returns: int
    refound_frames: float | None
    false_recoveries: int
    told_apart: float | None
    switched: float | None
    look_alikes: int
    f_score: float | None


@dataclass(frozen=True)
class _Frames:
    """(N,) each, of the frames that count; the overlap is NaN where the target is absent."""

    confidence: NDArray[np.float64]
    tracked: NDArray[np.bool_]
    overlap: NDArray[np.float64]

    @property
    def absent(self) -> NDArray[np.bool_]:
        return np.isnan(self.overlap)

    @property
    def good(self) -> NDArray[np.bool_]:
        return np.asarray(self.overlap >= GOOD)

    @property
    def bad(self) -> NDArray[np.bool_]:
        return np.asarray(self.absent | (self.overlap < BAD))

    @property
    def false_recoveries(self) -> int:
        return int((~self.tracked[:-1] & self.tracked[1:] & self.bad[1:]).sum())


def honesty(runs: Iterable[Run]) -> Honesty:
    """Judge all runs of one tracker, in any order."""
    counted = sorted(
        (run for run in runs if len(run.record) > 1), key=lambda run: (run.seed, run.sequence.name)
    )
    is_confident = bool(counted) and all(run.record.has_confidence for run in counted)
    seeds: dict[int, list[_Frames]] = {}
    delays: dict[int, list[int | None]] = {}
    met: dict[int, list[Encounter]] = {}
    for run in counted:
        seeds.setdefault(run.seed, []).append(_frames(run, is_confident))
        delays.setdefault(run.seed, []).extend(return_delays(run))
        met.setdefault(run.seed, []).extend(encounters(run))
    passes = [_pooled(sequences) for sequences in seeds.values()]
    reliability = _reliability(_pooled(passes)) if is_confident else None
    return Honesty(
        auroc=_over(passes, _auroc) if is_confident else None,
        average_precision=_over(passes, _average_precision) if is_confident else None,
        calibration_error=_over(passes, _calibration_error) if reliability else None,
        reliability=reliability,
        absent_called_tracked=_over(passes, _absent_called_tracked),
        absent_frames=sum(int(frames.absent.sum()) for frames in passes),
        refound=_over(delays.values(), _refound),
        returns=sum(map(len, delays.values())),
        refound_frames=_over(delays.values(), _median_delay),
        false_recoveries=sum(frames.false_recoveries for group in seeds.values() for frames in group),
        told_apart=_over(met.values(), lambda group: known_mean(one.told_apart for one in group)),
        switched=_over(met.values(), lambda group: known_mean(one.switched for one in group)),
        look_alikes=sum(map(len, met.values())),
        f_score=_over(seeds.values(), _f_score),
    )


def return_delays(run: Run) -> tuple[int | None, ...]:
    """Frames from each return of the target to the first in which it is tracked with an overlap above 0.5.

    None where that takes 30 frames or more, or the target is gone, or the sequence over, before.
    """
    found = run.record.tracked & (overlaps(run.record, run.sequence.truth) > GOOD)
    present = run.sequence.is_present
    return tuple(
        _first(found[start : start + RETURN_FRAMES], present[start : start + RETURN_FRAMES])
        for start in run.sequence.returns
    )


def encounters(run: Run) -> tuple[Encounter, ...]:
    """Of each look-alike that crossed, in the last frame in which it is to be seen whole: they have parted.

    A look-alike that is there when the sequence ends is not judged.
    """
    record, truth = run.record, run.sequence.truth
    crossed = [edit for edit in run.sequence.edits if isinstance(edit, Double)]
    judged = {double.last_whole: double for double in crossed if double.last_whole < len(truth)}
    places = np.full_like(truth, np.nan)
    for index, double in judged.items():
        places[index] = double.places[index - double.start]
    on_target, on_double = overlaps(record, truth), overlaps(record, places)
    told_apart = record.tracked & (on_target > GOOD)
    switched = record.tracked & (on_double > on_target)
    return tuple(Encounter(bool(told_apart[index]), bool(switched[index])) for index in judged)


def _first(found: NDArray[np.bool_], present: NDArray[np.bool_]) -> int | None:
    """Index of the first find before the first absence."""
    hits = np.flatnonzero(found & np.logical_and.accumulate(present))
    return int(hits[0]) if hits.size else None


def _frames(run: Run, is_confident: bool) -> _Frames:
    record = run.record
    # A tracker that says no more than whether it has the target is sure of that
    confidence = record.confidences if is_confident else record.tracked.astype(np.float64)
    return _Frames(confidence[1:], record.tracked[1:], overlaps(record, run.sequence.truth)[1:])


def _pooled(parts: Sequence[_Frames]) -> _Frames:
    return _Frames(
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.tracked for part in parts]),
        np.concatenate([part.overlap for part in parts]),
    )


def _over(seeds: Iterable[_Seed], score: Callable[[_Seed], float | None]) -> float | None:
    return known_mean(map(score, seeds))


def _auroc(frames: _Frames) -> float | None:
    good, bad = frames.good, frames.bad
    if not good.any() or not bad.any():
        return None
    return float(roc_auc_score(good[good | bad], frames.confidence[good | bad]))


def _average_precision(frames: _Frames) -> float | None:
    good, bad = frames.good, frames.bad
    if not good.any() or not bad.any():
        return None
    return float(average_precision_score(bad[good | bad], -frames.confidence[good | bad]))


def _reliability(frames: _Frames) -> Reliability | None:
    confidence = frames.confidence
    if confidence.min() < 0 or confidence.max() > 1:
        return None
    bins = np.digitize(confidence, np.arange(1, BINS) / BINS)  # 0.3 opens a bin, 1 closes the last
    count = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):  # an empty bin has no mean
        return Reliability(
            confidence=np.bincount(bins, confidence, BINS) / count,
            good=np.bincount(bins, frames.good, BINS) / count,
            count=count,
        )


def _calibration_error(frames: _Frames) -> float | None:
    reliability = _reliability(frames)
    return reliability.expected_error if reliability else None


def _absent_called_tracked(frames: _Frames) -> float | None:
    return float(frames.tracked[frames.absent].mean()) if frames.absent.any() else None


def _refound(delays: Sequence[int | None]) -> float | None:
    return known_mean(float(delay is not None) for delay in delays)


def _median_delay(delays: Sequence[int | None]) -> float | None:
    found = [delay for delay in delays if delay is not None]
    return float(statistics.median(found)) if found else None


def _f_score(sequences: Sequence[_Frames]) -> float | None:
    """F at its best threshold, from precision and recall averaged over the sequences."""
    thresholds = _thresholds(_pooled(sequences).confidence)
    precision = np.mean([_precision(frames, thresholds) for frames in sequences], axis=0)
    recalls = [_recall(frames, thresholds) for frames in sequences if not frames.absent.all()]
    if not recalls:
        return None
    recall = np.mean(recalls, axis=0)
    total = precision + recall
    return float((2 * precision * recall / np.where(total > 0, total, 1)).max())


def _thresholds(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) every confidence that occurs, or quantiles where these are too many."""
    levels = np.unique(confidence)
    if len(levels) > THRESHOLDS:
        levels = np.unique(np.quantile(confidence, np.linspace(0, 1, THRESHOLDS), method="nearest"))
    return levels


def _precision(frames: _Frames, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) mean overlap of what is reported, zero without the target; reporting nothing is no mistake."""
    reported = frames.confidence >= thresholds[:, None]  # (T, N)
    caught = reported @ np.nan_to_num(frames.overlap)
    return np.where(reported.any(axis=1), caught / np.maximum(reported.sum(axis=1), 1), 1.0)


def _recall(frames: _Frames, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) overlap that is reported, over the frames with the target."""
    reported = frames.confidence >= thresholds[:, None]
    return np.asarray(reported @ np.nan_to_num(frames.overlap) / (~frames.absent).sum())
