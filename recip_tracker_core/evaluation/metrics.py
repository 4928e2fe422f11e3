"""Accuracy of one-pass evaluation: how far the boxes are from the truth.

Success and precision curves are those of Wu, Lim, Yang, "Object Tracking Benchmark" (TPAMI 2015); precision
normalised by the target's size is that of Fan et al., "LaSOT" (CVPR 2019). What a protocol counts follows the
benchmark's own tool, and so does the order of the arithmetic: a box exactly on a threshold falls on the
same side here and there.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, SourceError
from ..geometry import iou
from .records import Record
from .sequences import Truth

Curve = NDArray[np.float64]

OVERLAP_THRESHOLDS: Curve = np.linspace(0, 1, 21)
ERROR_THRESHOLDS: Curve = np.linspace(0, 50, 51)  # pixels
NORMALISED_THRESHOLDS: Curve = np.linspace(0, 0.5, 51)  # of the target's width and height


@dataclass(frozen=True)
class Protocol:
    """Which frames a benchmark counts, and how.

    Attributes:
        absent_is_miss: a frame without the target counts as one that no box can hit; else it is left out.
        counts_first: the first frame counts, with the truth for an answer.
        clips_to_image: overlaps are of boxes brought into the image.
    """

    absent_is_miss: bool
    counts_first: bool
    clips_to_image: bool


ALL = Protocol(absent_is_miss=True, counts_first=True, clips_to_image=False)
PRESENT_ONLY = Protocol(absent_is_miss=False, counts_first=True, clips_to_image=False)
PROTOCOLS = {
    "otb": ALL,
    "lasot": ALL,  # its tool takes absent frames from the hits, and divides by all
    "uav123": PRESENT_ONLY,
    "vot": PRESENT_ONLY,
    "got10k": Protocol(absent_is_miss=False, counts_first=False, clips_to_image=True),
}


def protocol_of(benchmark: str) -> Protocol:
    """How the benchmark of this format counts.

    Raises:
        ConfigError: if the format is none that is known.
    """
    if benchmark not in PROTOCOLS:
        raise ConfigError(f"unknown format '{benchmark}', expected one of {', '.join(sorted(PROTOCOLS))}")
    return PROTOCOLS[benchmark]


@dataclass(frozen=True)
class Accuracy:
    """How accurate one record is.

    Attributes:
        success: (21,) share of frames whose overlap is above each of :data:`OVERLAP_THRESHOLDS`.
        precision: (51,) share whose centre error is at most each of :data:`ERROR_THRESHOLDS`.
        normalised: (51,) the same for :data:`NORMALISED_THRESHOLDS`.
        average_overlap: in [0, 1], zero in a frame that is counted without the target.
        center_error_px: mean over the frames with the target and with a finite box; NaN without any.
        frames: that were judged; without any, all else is NaN.
        present: frames among them with the target.
    """

    success: Curve
    precision: Curve
    normalised: Curve
    average_overlap: float
    center_error_px: float
    frames: int
    present: int

    @property
    def auc(self) -> float:
        """Area under the success curve, as its mean."""
        return float(self.success.mean())

    @property
    def auc_present(self) -> float:
        """The same over the frames with the target, whatever the protocol: the others add misses alone."""
        return self.auc * self.frames / self.present if self.present else math.nan

    @property
    def dp20(self) -> float:
        """Distance precision: share of frames with the centre at most 20 pixels off."""
        return float(self.precision[20])

    @property
    def os50(self) -> float:
        """Overlap success: share of frames with an overlap above one half."""
        return float(self.success[10])

    @property
    def norm_precision(self) -> float:
        """Share of frames with the centre at most a fifth of the target's size off."""
        return float(self.normalised[20])


def overlaps(record: Record, truth: Truth, size_px: tuple[int, int] | None = None) -> NDArray[np.float64]:
    """Intersection over union with the truth, frame by frame; the first answer is the box that was given.

    Args:
        record: of N frames.
        truth: (N, 4).
        size_px: width and height of the image that both boxes are brought into first, if given.

    Returns:
        (N,) in [0, 1]: zero for a box that is not finite or has no area, NaN where the target is absent.

    Raises:
        SourceError: if there are not as many answers as frames.
    """
    boxes, target = _answers(record, truth), truth
    if size_px is not None:
        boxes, target = _into_image(boxes, size_px), _into_image(target, size_px)
    found = np.where(_is_present(truth), 0.0, np.nan)
    usable = _has_area(boxes) & _has_area(target)
    found[usable] = np.clip(iou(boxes[usable], target[usable]), 0, 1)
    return found


def accuracy(
    record: Record, truth: Truth, protocol: Protocol, size_px: tuple[int, int] | None = None
) -> Accuracy:
    """Judge a record of N frames by a benchmark's protocol.

    Args:
        record: a tracker's answers.
        truth: (N, 4).
        protocol: see :data:`PROTOCOLS`.
        size_px: width and height of the image, for a protocol that clips; unknown, nothing is clipped.

    Raises:
        SourceError: if there are not as many answers as frames.
    """
    judged = _is_present(truth) | protocol.absent_is_miss
    judged[0] &= protocol.counts_first
    overlap = overlaps(record, truth, size_px if protocol.clips_to_image else None)[judged]
    offset_px = (_centers(_answers(record, truth)) - _centers(truth))[judged]  # (M, 2)
    error_px = _length(offset_px)
    with np.errstate(divide="ignore", invalid="ignore"):  # a truth without width is a miss
        normalised = _length(offset_px / truth[judged, 2:])
    known = error_px[np.isfinite(error_px)]
    return Accuracy(
        success=_shares(overlap[:, None] > OVERLAP_THRESHOLDS),
        precision=_shares(error_px[:, None] <= ERROR_THRESHOLDS),
        normalised=_shares(normalised[:, None] <= NORMALISED_THRESHOLDS),
        average_overlap=float(np.nan_to_num(overlap).mean()) if judged.any() else math.nan,
        center_error_px=float(known.mean()) if known.size else math.nan,
        frames=int(judged.sum()),
        present=int((judged & _is_present(truth)).sum()),
    )


def known_mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are neither None nor NaN, whatever their order; None without any."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    return statistics.fmean(known) if known else None


def _answers(record: Record, truth: Truth) -> NDArray[np.float64]:
    if len(record) != len(truth):
        raise SourceError(f"a record has {len(record)} boxes, expected one a frame, which are {len(truth)}")
    return np.concatenate([truth[:1], record.boxes[1:]])


def _is_present(truth: Truth) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(truth).all(axis=1))


def _has_area(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))


def _into_image(boxes: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.float64]:
    """As GOT-10k's tool has it: over the left or top edge a box is moved in whole, over the others cut."""
    corner = np.clip(boxes[:, :2], 0, size_px)
    size = np.clip(boxes[:, 2:], 0, size_px - corner)
    return np.concatenate([corner, size], axis=1)


def _centers(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    # The tools' centre, half a pixel from ours: it cancels in a difference, but its rounding does not.
    return np.asarray(boxes[:, :2] + (boxes[:, 2:] - 1) / 2)


def _length(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.sum(np.power(offsets, 2), axis=1)))


def _shares(hits: NDArray[np.bool_]) -> Curve:
    """(T,) share of the M frames of (M, T) that are hits; NaN without frames."""
    return hits.mean(axis=0) if len(hits) else np.full(hits.shape[1], np.nan)
