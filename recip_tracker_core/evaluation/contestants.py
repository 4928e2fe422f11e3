"""Who runs: our tracker, OpenCV's own, and one that never moves, all seen the same way."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ..errors import BoxError, ConfigError
from ..tracker import Tracker
from ..types import BoundingBox, Frame, TrackStatus

NANOTRACK_FILES = ("nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx")
# As cv2 names them; the first two are in its contrib builds only.
OPENCV = {"csrt": "TrackerCSRT", "kcf": "TrackerKCF", "mil": "TrackerMIL", "nanotrack": "TrackerNano"}
SCORED = {"TrackerNano"}  # the others answer -1 whatever they see
SMALLEST_PX = {"TrackerMIL": 4}  # with less a side, its init never returns


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tracker says of a frame.

    Attributes:
        box: where the target is, or was last seen.
        is_tracked: whether it claims to have the target.
        confidence: higher is surer, in the tracker's own unit; NaN where it says none.
    """

    box: BoundingBox
    is_tracked: bool
    confidence: float


class Contestant(Protocol):
    """A tracker as the evaluation sees it: one target, one frame after the other."""

    def init(self, frame: Frame, box: BoundingBox) -> None:
        """Choose the target."""
        ...

    def update(self, frame: Frame) -> Answer:
        """Follow it into the next frame."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class RecipTracker:
    """Ours. A box that it refuses, as too small for instance, is one that it does not follow."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._refused: BoundingBox | None = None

    def init(self, frame: Frame, box: BoundingBox) -> None:
        """See :class:`Contestant`."""
        try:
            self._tracker.init(frame, box)
        except BoxError:
            self._refused = box

    def update(self, frame: Frame) -> Answer:
        """See :class:`Contestant`."""
        if self._refused is not None:
            return Answer(self._refused, False, 0.0)
        result = self._tracker.update(frame)
        return Answer(result.box, result.status is TrackStatus.TRACKED, result.confidence)

    def close(self) -> None:
        """See :class:`Contestant`."""
        self._tracker.close()


class OpenCvTracker:
    """A tracker of OpenCV's; its box stays where it was when it says that it failed, or raises.

    Raises:
        ConfigError: if this build of OpenCV has none of that name.
    """

    def __init__(self, name: str, models: Path | None = None) -> None:
        if not hasattr(cv2, f"{name}_create"):
            raise ConfigError(f"OpenCV {cv2.__version__} has no {name}: its contrib build has")
        self._create: Callable[..., Any] = getattr(cv2, f"{name}_create")
        self._has_score = name in SCORED
        self._smallest_px = SMALLEST_PX.get(name, 1)
        self._parameters = () if models is None else (_nanotrack(models),)
        self._tracker: Any = None
        self._box = BoundingBox(0, 0, 1, 1)

    def init(self, frame: Frame, box: BoundingBox) -> None:
        """See :class:`Contestant`. OpenCV takes whole pixels."""
        tracker = self._create(*self._parameters)
        low = np.rint([box.x, box.y]).astype(int)
        size = np.maximum(np.rint([box.w, box.h]), 1).astype(int)
        self._box = box
        if size.min() < self._smallest_px:
            return
        with contextlib.suppress(cv2.error):
            tracker.init(_bgr(frame), tuple(map(int, (*low, *size))))
            self._tracker = tracker

    def update(self, frame: Frame) -> Answer:
        """See :class:`Contestant`."""
        if self._tracker is None:
            return Answer(self._box, False, 0.0 if self._has_score else math.nan)
        try:
            is_tracked, values = self._tracker.update(_bgr(frame))
        except cv2.error:
            is_tracked = False
        if is_tracked:
            try:
                self._box = BoundingBox(*map(float, values))
            except BoxError:  # some answer 0, 0, 0, 0 when they have nothing
                is_tracked = False
        score = float(self._tracker.getTrackingScore()) if self._has_score else math.nan
        return Answer(self._box, bool(is_tracked), score)

    def close(self) -> None:
        """See :class:`Contestant`."""
        self._tracker = None


class NullTracker:
    """Never moves: what a pipeline gives when nothing tracks."""

    def init(self, frame: Frame, box: BoundingBox) -> None:
        """See :class:`Contestant`."""
        self._box = box

    def update(self, frame: Frame) -> Answer:
        """See :class:`Contestant`."""
        return Answer(self._box, True, math.nan)

    def close(self) -> None:
        """See :class:`Contestant`."""


def _nanotrack(models: Path) -> Any:
    parameters: Any = getattr(cv2, "TrackerNano_Params")()  # noqa: B009 - the stubs don't know it
    parameters.backbone, parameters.neckhead = (str(models / name) for name in NANOTRACK_FILES)
    return parameters


def _bgr(frame: Frame) -> Any:
    return cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
