"""Changes to the images of a sequence: the target covered, the picture failed, another clip, a jump.

Each is an :class:`~.sequences.Edit`: a few numbers and paths, no image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .sequences import Image, Truth, read_image

Box = tuple[float, float, float, float]
Displacement = tuple[float, float]

COVER = 1.3  # target sizes that an occluder hides, more than a loose box and what sticks out of a tight one
REACH = 1.5  # target sizes at which its soft edge ends
GREY, GREY_NOISE = 128, 6.0  # of a picture that failed, in [0, 255]


@dataclass(frozen=True)
class Occluder:
    """Background from beside the target, laid over it and going with it.

    Attributes:
        start: first frame.
        boxes: of the target, one a frame.
        displacement: ``x, y`` from the target to the background, in target sizes.
    """

    start: int
    boxes: tuple[Box, ...]
    displacement: Displacement

    @property
    def stop(self) -> int:
        """First frame behind it."""
        return self.start + len(self.boxes)

    def apply(self, image: Image, index: int) -> Image:
        """The image with the target covered."""
        changed: Image = image.copy()
        target, patch = self.cuts(changed, index, REACH)
        opacity = self._opacity(image, index)
        target[:] = np.rint(opacity * patch + (1 - opacity) * target)
        return changed

    def cuts(self, image: Image, index: int, reach: float) -> tuple[Image, Image]:
        """Views of ``reach`` target sizes around the target, and of the background as large."""
        boxes = np.array([self.boxes[index - self.start]])
        window = windows(boxes, reach, image.shape)
        (left, top, right, bottom), (x, y) = window[0], offsets(boxes, self.displacement)[0]
        return image[top:bottom, left:right], image[top + y : bottom + y, left + x : right + x]

    def _opacity(self, image: Image, index: int) -> NDArray[np.float64]:
        """(h, w, 1) of the cut with full reach: 1 on the target and close to it, 0 where the reach ends."""
        box = np.array(self.boxes[index - self.start])
        left, top, right, bottom = windows(box[None], REACH, image.shape)[0]
        across = _ramp(np.arange(left, right) + 0.5, box[0] + box[2] / 2, box[2])
        down = _ramp(np.arange(top, bottom) + 0.5, box[1] + box[3] / 2, box[3])
        return np.outer(down, across)[..., None]


@dataclass(frozen=True)
class Blank:
    """A picture that failed: grey with slight noise, another in each frame."""

    start: int
    stop: int
    seed: int

    def apply(self, image: Image, index: int) -> Image:
        """A grey image of the same size."""
        generator = np.random.default_rng((self.seed, index))
        noise = generator.normal(GREY, GREY_NOISE, (*image.shape[:2], 1))
        return np.asarray(np.repeat(np.rint(noise), 3, axis=2).clip(0, 255), np.uint8)


@dataclass(frozen=True)
class AnotherClip:
    """Frames of another sequence, one a frame, in their own order."""

    start: int
    files: tuple[Path, ...]

    @property
    def stop(self) -> int:
        """First frame behind it."""
        return self.start + len(self.files)

    def apply(self, image: Image, index: int) -> Image:
        """The other sequence's image, at the size of this one.

        Raises:
            SourceError: if its file cannot be read as an image.
        """
        other = read_image(self.files[index - self.start])
        height, width = image.shape[:2]
        shrinks = other.shape[0] > height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(other, (width, height), interpolation=how), np.uint8)


@dataclass(frozen=True)
class Shift:
    """The image rolled by ``dx, dy`` pixels: what leaves on one side comes in on the other."""

    start: int
    stop: int
    dx: int
    dy: int

    def apply(self, image: Image, index: int) -> Image:
        """The rolled image."""
        return np.roll(image, (self.dy, self.dx), axis=(0, 1))


def windows(boxes: Truth, reach: float, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """(N, 4) corners ``left, top, right, bottom`` of ``reach`` target sizes, in whole pixels of an image."""
    height, width = shape[:2]
    center, half = boxes[:, :2] + boxes[:, 2:] / 2, reach / 2 * boxes[:, 2:]
    corners = np.hstack([np.floor(center - half), np.ceil(center + half)])
    return np.asarray(corners.clip(0, (width, height, width, height)), np.int64)


def offsets(boxes: Truth, displacement: Displacement) -> NDArray[np.int64]:
    """(N, 2) the displacement ``x, y`` in whole pixels."""
    return np.asarray(np.rint(boxes[:, 2:] * np.array(displacement)), np.int64)


def _ramp(pixels: NDArray[np.float64], center: float, size: float) -> NDArray[np.float64]:
    outside = np.abs(pixels - center) / size - COVER / 2
    return 1 - np.clip(outside / (REACH / 2 - COVER / 2), 0, 1)
