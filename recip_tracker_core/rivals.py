"""The target's look-alikes, each followed on a path of its own, so that the box does not change over.

What looks like the target shows in the response long before it comes near: as another peak. Such peaks
are linked from frame to frame. A peak that lies where a known rival was going is that rival, however
high it is; the box takes the best of the others, or stays. All distances are in boxes of the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from . import config

Floats = NDArray[np.float64]

VELOCITY_RATE = 0.5  # share of the newest motion in a velocity
APART = 0.35  # boxes from the target beyond which a peak is another thing


@dataclass(frozen=True, eq=False, slots=True)
class Rival:
    """One look-alike.

    Attributes:
        place_px, velocity_px: (2,) image pixels, and image pixels a frame.
        sightings: frames in which it was seen while the target was doing well.
        unseen: frames in a row in which it was not.
    """

    place_px: Floats
    velocity_px: Floats
    sightings: int
    unseen: int = 0

    @property
    def predicted_px(self) -> Floats:
        """(2,) where it is in the next frame."""
        return self.place_px + self.velocity_px


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """The target among its rivals; replaced whole after every frame.

    Attributes:
        velocity_px: (2,) of the target, image pixels a frame.
        rivals: in the order in which they were first seen.
    """

    velocity_px: Floats = field(default_factory=lambda: np.zeros(2))
    rivals: tuple[Rival, ...] = ()


class RivalWatch:
    """Says whose a peak is, and links peaks to paths.

    Args:
        settings: how near, how long, how surely.
    """

    def __init__(self, settings: config.Rivals) -> None:
        self.settings = settings

    def is_rivals(self, at_px: Floats, scene: Scene, target_px: Floats, size_px: Floats) -> bool:
        """Whether a place is nearer to where a known rival was going than to where the target was going."""
        own = min(
            _boxes(at_px, target_px, size_px),
            _boxes(at_px, target_px + scene.velocity_px, size_px),
            self.settings.reach,
        )
        return any(
            _boxes(at_px, rival.predicted_px, size_px) < own
            for rival in scene.rivals
            if self._is_known(rival)
        )

    def known_places(self, scene: Scene) -> list[Floats]:
        """(2,) each, image pixels: where the known rivals are expected."""
        return [rival.predicted_px for rival in scene.rivals if self._is_known(rival)]

    def followed(
        self,
        scene: Scene,
        others_px: Sequence[Floats],
        target_px: Floats,
        size_px: Floats,
        *,
        is_well: bool,
    ) -> Scene:
        """The scene after a frame.

        Args:
            scene: before it.
            others_px: (2,) image places of the response's other peaks, the highest first.
            target_px, size_px: (2,) of the target in it, image pixels.
            is_well: whether the target itself is doing well; a peak seen while it is not may be the target.
        """
        free = [at for at in others_px if _boxes(at, target_px, size_px) > APART]
        paths: dict[int, Rival] = {}
        for index in sorted(range(len(scene.rivals)), key=lambda index: -scene.rivals[index].sightings):
            paths[index] = self._prolonged(scene.rivals[index], free, size_px, is_well=is_well)
        kept = [paths[index] for index in sorted(paths) if self._is_remembered(paths[index])]
        new = [
            Rival(at, np.zeros(2), int(is_well))
            for at in free
            if _boxes(at, target_px, size_px) > self.settings.reach
        ]
        return replace(scene, rivals=(*kept, *new))

    def is_merged(self, scene: Scene, target_px: Floats, size_px: Floats) -> bool:
        """Whether a known rival is where the target is."""
        return any(
            _boxes(rival.place_px, target_px, size_px) < self.settings.reach
            for rival in scene.rivals
            if self._is_known(rival)
        )

    def _prolonged(self, rival: Rival, free: list[Floats], size_px: Floats, *, is_well: bool) -> Rival:
        """The rival with the free peak that is nearest to where it was going, which is then taken."""
        at = rival.predicted_px
        distances = [_boxes(place, at, size_px) for place in free]
        if not distances or min(distances) >= self.settings.reach:
            return replace(rival, place_px=at, unseen=rival.unseen + 1)
        place = free.pop(int(np.argmin(distances)))
        velocity = rival.velocity_px + VELOCITY_RATE * (place - at)
        return Rival(place, velocity, rival.sightings + is_well)

    def _is_known(self, rival: Rival) -> bool:
        return rival.sightings >= self.settings.known_after

    def _is_remembered(self, rival: Rival) -> bool:
        return rival.unseen <= (self.settings.forgotten_after if self._is_known(rival) else 1)


def moved(scene: Scene, step_px: Floats) -> Scene:
    """The scene after the target moved by (2,) image pixels."""
    return replace(scene, velocity_px=scene.velocity_px + VELOCITY_RATE * (step_px - scene.velocity_px))


def _boxes(one_px: Floats, other_px: Floats, size_px: Floats) -> float:
    return float(np.hypot(*((one_px - other_px) / size_px)))
