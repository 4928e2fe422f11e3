"""What ``scaling.py`` looks at: textured squares that move together over a textured ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from frame_time import texture
from numpy.typing import NDArray

from recip_tracker_core import BoundingBox

PERIOD = 120  # frames that a round takes
REACH = 0.8  # half axes of it, in sides of the target, where there is room
PITCH = 1.2  # sides from the middle of a target to that of its neighbour
# Columns and rows of a group, so that the first two are a pair and the first four a square.
CELLS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 1), (0, 2), (1, 2))
SIDES = (0.0, 0.03, -0.03, 0.05, -0.05, 0.02, -0.02, 0.04)  # how the targets of a group differ, in sides


@dataclass(frozen=True)
class Scene:
    """Where the targets are in every frame of an endless stream.

    Attributes:
        size: (width, height) of the images, pixels.
        homes: top-left corners of the targets, in the middle of their rounds, pixels.
        sides_px: of the targets.
    """

    size: tuple[int, int]
    homes: tuple[tuple[int, int], ...]
    sides_px: tuple[int, ...]

    @staticmethod
    def near(size: tuple[int, int], side_px: int, count: int = 1) -> Scene:
        """So many targets next to each other around the middle of the image."""
        cells, sides = np.array(CELLS[:count]), _sides(side_px, count)
        corners = (cells - cells.max(axis=0) / 2) * PITCH * side_px + np.array(size) / 2 - side_px / 2
        return Scene(size, _rounded(corners), sides)

    @staticmethod
    def far(size: tuple[int, int], side_px: int, count: int) -> Scene:
        """So many targets all over the image, in two rows."""
        columns = -(-count // 2)
        cells = np.array([(index % columns, index // columns) for index in range(count)])
        corners = (cells + 0.5) * np.array(size) / (columns, 2) - side_px / 2
        return Scene(size, _rounded(corners), _sides(side_px, count))

    def boxes(self, index: int) -> list[BoundingBox]:
        """Of the targets in that frame."""
        return [BoundingBox(*corner, side, side) for corner, side in self.places(index)]

    def images(self) -> Images:
        """What the frames show."""
        return Images(self)

    def places(self, index: int) -> list[tuple[tuple[int, int], int]]:
        """Top-left corner and side of each target in that frame, pixels."""
        step = self._step(index)
        moved = ((x + step[0], y + step[1]) for x, y in self.homes)
        return list(zip(moved, self.sides_px, strict=True))

    def _step(self, index: int) -> tuple[int, int]:
        """How far all targets are from home, pixels: less than the nearest border."""
        lows, highs = np.array(self.homes), np.array(self.homes) + np.array(self.sides_px)[:, None]
        room = np.minimum(lows.min(axis=0), np.array(self.size) - highs.max(axis=0))
        reach = np.clip(room, 0, REACH * max(self.sides_px))
        angle = 2 * np.pi * index / PERIOD
        across, down = np.round(reach * (np.cos(angle), np.sin(angle))).astype(int).tolist()
        return across, down


class Images:
    """Renders a scene; the textures are made once."""

    def __init__(self, scene: Scene) -> None:
        width, height = scene.size
        self._scene, self._ground = scene, texture(0, height, width)
        self._targets = [texture(seed, side, side) for seed, side in enumerate(scene.sides_px, start=1)]

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB, of its own."""
        picture: NDArray[np.uint8] = self._ground.copy()
        for target, ((x, y), side) in zip(self._targets, self._scene.places(index), strict=True):
            picture[y : y + side, x : x + side] = target
        return picture


def _sides(side_px: int, count: int) -> tuple[int, ...]:
    return tuple(round(side_px * (1 + more)) for more in SIDES[:count])


def _rounded(corners: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    return tuple((round(x), round(y)) for x, y in corners.tolist())
