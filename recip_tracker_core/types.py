"""The values that travel between the rooms of the tracker.

One convention holds everywhere: a box is ``x, y, w, h`` in pixels, half-open. The left edge of the
first pixel is 0, so the pixel in column 0 spans [0, 1), a box covers [x, x + w), and its centre is
``x + w / 2``. The whole image is ``BoundingBox(0, 0, width, height)``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .errors import BoxError, FrameError

Boxes = NDArray[np.float32]
"""(N, 4) boxes ``x, y, w, h``: many candidates are one array, never a list of boxes."""


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """An axis-aligned box in pixels: top-left corner and size, right and bottom excluded.

    Raises:
        BoxError: if a number is not finite, or a side is not positive.
    """

    x: float
    y: float
    w: float
    h: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.x, self.y, self.w, self.h))):
            raise BoxError(f"a box must be finite, got {self}")
        if self.w <= 0 or self.h <= 0:
            raise BoxError(f"a box must have positive size, got {self.w} x {self.h}")

    @property
    def center(self) -> tuple[float, float]:
        """Centre ``(x, y)`` in pixels."""
        return self.x + self.w / 2, self.y + self.h / 2

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.w * self.h

    def as_array(self) -> Boxes:
        """(4,) float32 ``x, y, w, h``."""
        return np.array([self.x, self.y, self.w, self.h], np.float32)

    def clipped(self, width: int, height: int) -> BoundingBox:
        """The part of the box inside an image of ``width`` x ``height`` pixels.

        Raises:
            BoxError: if less than one pixel of it, in either direction, lies inside.
        """
        left, top = max(self.x, 0.0), max(self.y, 0.0)
        right, bottom = min(self.x + self.w, width), min(self.y + self.h, height)
        if right - left < 1 or bottom - top < 1:
            raise BoxError(
                f"the box {self.x:g},{self.y:g},{self.w:g},{self.h:g} must cover at least one pixel "
                f"of the image, which is {width} x {height}"
            )
        return BoundingBox(left, top, right - left, bottom - top)


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of the stream.

    Attributes:
        image: (H, W, 3) uint8, RGB; nobody writes to it.
        stamp_ns: when it was taken, nanoseconds of whatever clock the source has.
        index: position in the stream, from 0.

    Raises:
        FrameError: if the image has another shape or type.
    """

    image: NDArray[np.uint8]
    stamp_ns: int = 0
    index: int = 0

    def __post_init__(self) -> None:
        image = self.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise FrameError(
                f"a frame must be a non-empty (H, W, 3) uint8 RGB image, got {image.shape} {image.dtype}"
            )

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.image.shape[0])


class TrackStatus(enum.Enum):
    """What the tracker says of a frame."""

    TRACKED = "tracked"  # the box is on the target
    UNCERTAIN = "uncertain"  # the box may be on the target; nothing is learned from this frame
    LOST = "lost"  # the box is where the target was last seen


@dataclass(frozen=True, slots=True)
class TrackResult:
    """The tracker's answer to one frame.

    Attributes:
        box: where the target is, or was last seen when the status is LOST.
        status: tracked, uncertain or lost.
        confidence: in [0, 1], that the box is on the target.
        score: the classifier's raw margin between target and background, unbounded, or where there is
            no classifier the locator's response; infinite on the first frame, where the box is given, and
            minus infinity where a target has just been loaded.
        stamp_ns: the frame's own stamp.
        model_version: of the classifier that judged this frame; 1 after the first fit.
        timings_s: seconds spent in each stage, by name.
        reason: why it is not tracked, in words; empty when it is.
    """

    box: BoundingBox
    status: TrackStatus
    confidence: float
    score: float
    stamp_ns: int
    model_version: int
    timings_s: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
