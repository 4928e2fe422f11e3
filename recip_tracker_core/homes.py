"""Where a target that is followed elsewhere may still be: the place at which it last was beyond doubt.

What comes back from behind something, or after a cut, is most often where it was; a look-alike that is
found meanwhile most often is not. So the old place is kept, and looked at, until some time has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .confidence import Standing
from .types import TrackStatus

Floats = NDArray[np.float64]

AWAY = 1.3  # boxes from home; a view of a target that is nearer shows its home, too
REACH = 1.0  # boxes from home in which it is at home
DOUBT_FRAMES = 30  # in which a rival leads a target away, if it does; later it just goes on beside one
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
    """

    center_px: Floats
    size_px: Floats
    turn: int
    frame: int
    look_px: Floats
    hits: int = 0

    @staticmethod
    def here(center_px: Floats, size_px: Floats, turn: int, frame: int) -> Home:
        """A place at which nothing has been looked for yet."""
        return Home(center_px, size_px, turn, frame, center_px)

    def boxes_to(self, place_px: Floats) -> float:
        """How far a place is, in the size of the box that was here."""
        return float(np.hypot(*((place_px - self.center_px) / self.size_px)))

    def looked(self, at_px: Floats | None, *, is_central: bool) -> Home:
        """The same after a look that showed the target there, (2,) image pixels, or nowhere near."""
        if at_px is None or self.boxes_to(at_px) > REACH:
            return replace(self, look_px=self.center_px, hits=0)
        return replace(self, look_px=at_px, hits=self.hits + is_central)


def is_led_away(standing: Standing, frames: int) -> bool:
    """Whether it may be by mistake that the target is where it is, so many frames after it was home."""
    is_doubtful = standing.is_doubted and frames <= DOUBT_FRAMES
    return standing.status is TrackStatus.LOST or standing.probation > 0 or is_doubtful
