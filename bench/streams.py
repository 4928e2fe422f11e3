"""The stream that the tracker is measured on: rendered, with its truth, in a loop without a seam.

A textured target goes round an ellipse over a textured scene that pans, and its size changes by a tenth. It
is easy on purpose: what is measured is time, and a tracker that has lost its target does other work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

ROUND = 120  # frames of a loop, if they are not too many bytes
MOST_BYTES, LEAST_FRAMES = 256_000_000, 24
TARGET = 0.19  # side of the target, in heights of the image
REACH = 0.3  # half axes of the ellipse of a full round, in images
SCALE = 0.1  # by which the target's size changes, either way
PAN = 0.08  # by which the scene pans, in heights of the image
SCENE_TINT, TARGET_TINT = (70, 110, 90), (190, 120, 60)

ROUNDING = 1e-6  # of a period: what a sum of floats may be short of

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """What is rendered; knows where the target is in every frame of an endless stream.

    Attributes:
        width, height: of the images, pixels.
    """

    width: int
    height: int

    @property
    def frames(self) -> int:
        """Of one loop; that of large images is shorter, and all moves less far in it, no faster."""
        return int(np.clip(MOST_BYTES // (3 * self.width * self.height), LEAST_FRAMES, ROUND))

    @property
    def extent(self) -> float:
        """By which all movements are smaller than in a loop of full length."""
        return self.frames / ROUND

    @property
    def side_px(self) -> int:
        """Of the target at its mean size."""
        return round(TARGET * min(self.width, self.height))

    def angle(self, index: int) -> float:
        """Where on its ellipse the target is, radians."""
        return 2 * np.pi * (index % self.frames) / self.frames

    def box(self, index: int) -> tuple[float, float, float, float]:
        """``x, y, w, h`` of the target in that frame, pixels."""
        angle, reach = self.angle(index), REACH * self.extent
        side = self.side_px * (1 + SCALE * self.extent * np.sin(2 * angle))
        x = (self.width - self.side_px) * (0.5 + reach * np.cos(angle)) + (self.side_px - side) / 2
        y = (self.height - self.side_px) * (0.5 + reach * np.sin(angle)) + (self.side_px - side) / 2
        return float(x), float(y), float(side), float(side)

    def rendered(self) -> Pixels:
        """(frames, height, width, 3) RGB, one loop."""
        generator = np.random.default_rng(0)
        margin = round(PAN * self.extent * min(self.width, self.height))
        scene = textured(generator, self.width + margin, self.height + margin, SCENE_TINT)
        target = textured(generator, self.side_px, self.side_px, TARGET_TINT)
        loop = np.empty((self.frames, self.height, self.width, 3), np.uint8)
        for index, image in enumerate(loop):
            angle = self.angle(index)
            left, top = (round(margin * (0.5 + 0.5 * turn(angle))) for turn in (np.sin, np.cos))
            image[:] = scene[top : top + self.height, left : left + self.width]
            self._paste(target, image, self.box(index))
        loop.flags.writeable = False
        return loop

    def _paste(self, target: Pixels, image: Pixels, box: tuple[float, float, float, float]) -> None:
        x, y, side, _ = box
        scale = side / self.side_px
        # OpenCV's coordinates are those of pixels' centres, a box's those of their edges.
        shift = 0.5 * scale - 0.5
        matrix = np.array([[scale, 0, x + shift], [0, scale, y + shift]])
        size = self.width, self.height
        cv2.warpAffine(target, matrix, size, dst=image, borderMode=cv2.BORDER_TRANSPARENT)


def textured(generator: np.random.Generator, width: int, height: int, tint: tuple[int, int, int]) -> Pixels:
    """(height, width, 3): a tint with noise of two grains."""
    canvas = np.full((height, width, 3), tint, np.float32)
    for grain_px, strength in ((12, 40), (4, 35)):
        cells = (height // grain_px + 1, width // grain_px + 1, 3)
        noise = generator.uniform(-strength, strength, cells).astype(np.float32)
        canvas += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(canvas, 0, 255).astype(np.uint8)


class Camera:
    """Releases frame k of the stream at its start plus k periods; a clock, so it takes nobody any time.

    Args:
        rate_hz: frames a second.
        first: number of the frame that is released at once.
        clock: seconds of a steady clock.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        rate_hz: float,
        first: int = 0,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate_hz, self._first, self._clock, self._sleep = rate_hz, first, clock, sleep
        self._start_s = clock()

    def newest(self, after: int) -> tuple[int, float]:
        """Number and time of release of the newest frame, which is waited for unless it is after that one."""
        now = self._clock()
        while (released := self._first + int((now - self._start_s) * self._rate_hz + ROUNDING)) <= after:
            self._sleep(max(0.0, self._release_s(after + 1) - now))
            now = self._clock()
        return released, self._release_s(released)

    def _release_s(self, index: int) -> float:
        return self._start_s + (index - self._first) / self._rate_hz
