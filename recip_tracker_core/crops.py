"""A square cut of an image at sub-pixel place and any scale, and the way from one to the other and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .types import BoundingBox, Boxes

Point = NDArray[np.float64]  # (2,) x, y
SHRUNK_BELOW = 0.6  # a bilinear warp skips pixels below half size; those are averaged first
SMALLEST_SCALE = 0.02  # a crop that shows 14,000 pixels of an image


@dataclass(frozen=True, eq=False, slots=True)
class Crop:
    """A square, isotropic part of an image; it may reach over the border, whose pixels are then repeated.

    Attributes:
        center_px: (2,) the point of the image in the crop's middle, image pixels.
        scale: crop pixels an image pixel.
        side_px: of the crop, crop pixels.
    """

    center_px: Point
    scale: float
    side_px: int

    @staticmethod
    def around(center_px: Point, size_px: Point, target_px: float, side_px: int, zoom: float = 1.0) -> Crop:
        """The crop in which a target of (2,) size (image pixels) has the area of ``target_px`` squared.

        A long target is shown smaller, so that its longer side takes at most 0.62 of the crop.
        """
        scale = min(target_px / math.sqrt(float(size_px.prod())), 0.62 * side_px / float(size_px.max()))
        return Crop(np.asarray(center_px, np.float64), max(scale * zoom, SMALLEST_SCALE), side_px)

    def snapped(self) -> Crop:
        """The nearest one that shows whole pixels of the image, which is quicker to cut; half of one off."""
        shown = max(round(self.side_px / self.scale), 1)
        return Crop(np.round(self.center_px - shown / 2) + shown / 2, self.side_px / shown, self.side_px)

    def to_crop(self, points_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) image points in crop pixels."""
        return (points_px - self.center_px) * self.scale + self.side_px / 2

    def to_image(self, points_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) crop points in image pixels."""
        return (points_px - self.side_px / 2) / self.scale + self.center_px

    def boxes_to_crop(self, boxes: Boxes) -> Boxes:
        """(N, 4) boxes in the image as boxes in the crop."""
        corner = self.to_crop(boxes[:, :2].astype(np.float64))
        return np.concatenate([corner, boxes[:, 2:] * self.scale], axis=1).astype(np.float32)

    def cut(
        self,
        image: NDArray[np.uint8],
        *,
        degrees: float = 0.0,
        is_flipped: bool = False,
        shift_px: tuple[float, float] = (0.0, 0.0),
    ) -> NDArray[np.uint8]:
        """The crop's pixels, (side_px, side_px, 3).

        Args:
            image: (H, W, 3).
            degrees: turned by that much about its centre.
            is_flipped: left and right exchanged.
            shift_px: where the centre comes to lie, from the middle, crop pixels.
        """
        if not (degrees or is_flipped or any(shift_px)) and (whole := self._whole(image)) is not None:
            way = cv2.INTER_AREA if self.scale < SHRUNK_BELOW else cv2.INTER_LINEAR
            resized = cv2.resize(whole, (self.side_px, self.side_px), interpolation=way)
            return np.asarray(resized, np.uint8)
        turn, mirror = math.radians(degrees), -1.0 if is_flipped else 1.0
        linear = self.scale * np.array(
            [[mirror * math.cos(turn), -mirror * math.sin(turn)], [math.sin(turn), math.cos(turn)]]
        )
        part, low = self.part_seen(image, shift_px)
        shrink = np.ones(2)
        if self.scale < SHRUNK_BELOW:
            size = np.maximum(np.round(np.array(part.shape[1::-1]) * self.scale), 1).astype(int)
            shrink = size / np.array(part.shape[1::-1])
            part = np.asarray(cv2.resize(part, size.tolist(), interpolation=cv2.INTER_AREA), np.uint8)
        linear = linear / shrink
        # Half a pixel: warpAffine's coordinates are of pixel centres, ours of their upper left corners.
        source = (self.center_px - low) * shrink - 0.5
        offset = self.side_px / 2 - 0.5 + np.array(shift_px) - linear @ source
        warped = cv2.warpAffine(
            part,
            np.column_stack([linear, offset]),
            (self.side_px, self.side_px),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(warped, np.uint8)

    def _whole(self, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """What the upright crop shows, or None where that is no whole pixels or reaches over the border."""
        shown = self.side_px / self.scale
        left, top = (self.center_px - shown / 2).tolist()
        x, y, side = round(left), round(top), round(shown)
        is_whole = max(abs(left - x), abs(top - y), abs(shown - side)) < 1e-6
        is_inside = min(x, y) >= 0 and x + side <= image.shape[1] and y + side <= image.shape[0]
        return image[y : y + side, x : x + side] if is_whole and is_inside else None

    def part_seen(
        self, image: NDArray[np.uint8], shift_px: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The part of the image that any turn of the crop can show, and its upper left corner."""
        reach = (self.side_px * math.sqrt(0.5) + math.hypot(*shift_px)) / self.scale + 2
        size = np.array(image.shape[1::-1])
        low = np.clip(np.floor(self.center_px - reach), 0, size - 1).astype(np.int64)
        high = np.clip(np.ceil(self.center_px + reach), low + 1, size).astype(np.int64)
        return image[low[1] : high[1], low[0] : high[0]], low


def gridded(image: NDArray[np.uint8], box: BoundingBox, cells: int) -> NDArray[np.uint8]:
    """(cells, cells, 3) pixels in the middles of the cells of a box, whatever its aspect; borders repeat."""
    across = (np.arange(cells) + 0.5) / cells
    x = np.clip(box.x + box.w * across, 0, image.shape[1] - 1).astype(int)
    y = np.clip(box.y + box.h * across, 0, image.shape[0] - 1).astype(int)
    return np.asarray(image[y[:, None], x], np.uint8)
