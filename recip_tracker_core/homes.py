"""Where a target that is followed elsewhere may still be: the place at which it last was beyond doubt.

What comes back from behind something, or after a cut, is most often where it was; a look-alike that is
found meanwhile most often is not. So the old place is kept, and looked at, until some time has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

AWAY = 1.3  # boxes from home; a view of a target that is nearer shows its home, too
REACH = 1.0  # boxes from home in which it is at home
DOUBT_FRAMES = 30  # in which a rival leads the box away, if it does; later the target just goes on beside it
LOOK_INTERVAL = 2  # frames from one look home to the next


@dataclass(frozen=True, eq=False, slots=True)
class Home:
    """The last place beyond doubt.

    Attributes:
        center_px, size_px: (2,) of the target's box there, image pixels.
        turn: of the target there, in steps of the witness.
        frame: of the target, in which it was there.
        look_px: (2,) where to look for it next.
        hits: looks in a row that showed it.
        is_left: whether the target was lost since, or leapt away; else no more than a rival was in its place.
    """

    center_px: Floats
    size_px: Floats
    turn: int
    frame: int
    look_px: Floats
    hits: int = 0
    is_left: bool = False

    @staticmethod
    def here(center_px: Floats, size_px: Floats, turn: int, frame: int) -> Home:
        """A place at which nothing has been looked for yet."""
        return Home(center_px, size_px, turn, frame, center_px)

    def lasts(self, frame: int, frames: int) -> bool:
        """Whether the target may still be here in a frame; so many frames are allowed at the most."""
        return frame - self.frame <= (frames if self.is_left else min(frames, DOUBT_FRAMES))

    def boxes_to(self, place_px: Floats) -> float:
        """How far a place is, in the size of the box that was here."""
        return float(np.hypot(*((place_px - self.center_px) / self.size_px)))

    def looked(self, at_px: Floats | None, *, is_central: bool) -> Home:
        """The same after a look that showed the target there, (2,) image pixels, or nowhere near."""
        if at_px is None or self.boxes_to(at_px) > REACH:
            return replace(self, look_px=self.center_px, hits=0)
        return replace(self, look_px=at_px, hits=self.hits + is_central)
