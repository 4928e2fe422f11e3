"""Where the target of a locating tracker is, how it has been going, and what is concluded from that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .appearance import Appearance
from .confidence import History, Standing
from .homes import AWAY, Home
from .redetection import Search, Sought
from .rivals import Scene
from .target_contents import Located
from .tracker import MIN_SIDE_PX
from .types import BoundingBox, Frame, TrackStatus

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """Where the target is and how it has been going; replaced whole after every frame.

    Attributes:
        center_px, size_px: (2,) of its box, image pixels.
        first_size_px: (2,) as it was given.
        image_px: (2,) width and height of the image that it is in.
        frames: since the first.
        history: of the finder's peak.
        scene: the target among its rivals.
        standing: what has been concluded.
        safe: (2,) centre, (2,) size and turn to return to when it is lost.
        search: while it is lost.
        hits: frames in a row in which another place passed for the target.
        waited: frames since it was last looked for while it is lost.
        turn: in the image plane, in steps of the witness.
        home: where it last was beyond doubt.
    """

    center_px: Floats
    size_px: Floats
    first_size_px: Floats
    image_px: Floats
    history: History
    safe: tuple[Floats, Floats, int]
    scene: Scene = field(default_factory=Scene)
    standing: Standing = field(default_factory=Standing)
    frames: int = 0
    search: Search | None = None
    hits: int = 0
    waited: int = 0
    turn: int = 0
    home: Home | None = None

    @property
    def box(self) -> BoundingBox:
        """Its box, image pixels."""
        return BoundingBox(*(self.center_px - self.size_px / 2).tolist(), *self.size_px.tolist())

    def seen_in(self, frame: Frame) -> Target:
        """The same, or, where a stream has changed its resolution, in the new one's pixels."""
        image = np.array([frame.width, frame.height], np.float64)
        if (image == self.image_px).all():
            return self
        across = image / self.image_px
        return replace(
            self,
            center_px=self.center_px * across,
            size_px=self.size_px * across,
            first_size_px=self.first_size_px * across,
            image_px=image,
            safe=(self.safe[0] * across, self.safe[1] * across, self.safe[2]),
            scene=Scene(),
            search=None,
            home=None,
        )

    def leap(self, to_px: Floats) -> float:
        """Boxes from where the target was, or from where it was going, whichever is nearer."""
        step = to_px - self.center_px
        return min(float(np.hypot(*(way / self.size_px))) for way in (step, step - self.scene.velocity_px))

    @property
    def sought(self) -> Sought:
        """What a search for it needs to know."""
        return Sought(self.center_px, self.size_px, self.image_px, self.history, self.standing, self.turn)

    def home_within(self, frames: int) -> Home | None:
        """Where it may still be, so many frames after it was there at the most."""
        return self.home if self.home is not None and self.home.lasts(self.frames, frames) else None

    def away_from(self, frames: int) -> Home | None:
        """The same if it is elsewhere now."""
        home = self.home_within(frames)
        return home if home is not None and home.boxes_to(self.center_px) > AWAY else None

    def homed(self, standing: Standing, frames: int) -> Target:
        """The target at home where it is, unless it came from its home of so many frames in doubt."""
        if standing.status is TrackStatus.LOST or standing.probation:
            return replace(self, home=replace(self.home, is_left=True)) if self.home is not None else self
        home = self.home_within(frames)
        if home is not None and (standing.is_doubted or home.boxes_to(self.center_px) > AWAY):
            return self
        return replace(self, home=Home.here(self.center_px, self.size_px, self.turn, self.frames))

    def concluded(self, standing: Standing) -> Target:
        """The target with what is concluded of it: back at the last safe place when it is lost."""
        if standing.status is TrackStatus.LOST:
            center, size, turn = self.safe
            return replace(
                self,
                standing=standing,
                center_px=center,
                size_px=size,
                turn=turn,
                scene=Scene(),
                search=None,
                hits=0,
                waited=0,
            )
        if standing.is_settled:
            return replace(self, standing=standing, safe=(self.center_px, self.size_px, self.turn))
        return replace(self, standing=standing)

    def kept(self, known: Appearance) -> Located:
        """What is worth keeping: the appearance, and where the target was last safe, in images."""
        image, (center, size, _) = self.image_px, self.safe
        return Located(
            known,
            np.clip(center / image, 0, 1),
            size / image,
            self.first_size_px / image,
            self.history,
            self.standing.usual,
            self.frames,
        )

    @staticmethod
    def placed(kept: Located, standing: Standing, frame: Frame) -> Target:
        """The target of a file, in the pixels of a frame."""
        image = np.array([frame.width, frame.height], np.float64)
        center, size = kept.place * image, np.maximum(kept.size * image, MIN_SIDE_PX)
        return Target(
            center_px=center,
            size_px=size,
            first_size_px=np.maximum(kept.first_size * image, MIN_SIDE_PX),
            image_px=image,
            history=kept.history,
            safe=(center, size, 0),
            standing=standing,
            frames=kept.frames,
        )
