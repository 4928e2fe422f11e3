"""Where the target is now: its last boxes, carried on in a straight line.

A controller that acts on a box acts on the past: the image was taken, sent and searched before. Over such
a time, a constant velocity is all that a few boxes can tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .types import BoundingBox

Floats = NDArray[np.float64]
Stamped = tuple[BoundingBox, int]

WINDOW_NS = 500_000_000  # a box that is older tells of a motion that is over
SHORT_NS = 250_000_000  # what is looked at where it holds enough boxes: the place 100 ms ahead is then known
ENOUGH = 6  # to 1.2 px at 10 to 60 Hz, with 1 px of noise in each box
LEAST = 3  # boxes that show a velocity; 1 px of noise in two, at 30 Hz, would become 4 px 100 ms ahead
JUMP = 0.5  # by the root of the box's area, from where it was expected: not the same motion


@dataclass(frozen=True, slots=True)
class Motion:
    """The last boxes of one target.

    Attributes:
        boxes: with their stamps in nanoseconds, oldest first.
        stray: the newest of all, if it is not where the others lead: an error, or a new motion.
    """

    boxes: tuple[Stamped, ...] = ()
    stray: Stamped | None = None

    def with_box(self, box: BoundingBox, stamp_ns: int) -> Motion:
        """This motion and one more box.

        It starts anew where time stands still, goes back, or leaps by more than the window, and where two
        boxes in a row are not where the others lead.
        """
        newest = (box, stamp_ns)
        last = self.stray or (self.boxes[-1] if self.boxes else None)
        if last is None or not 0 < stamp_ns - last[1] <= WINDOW_NS:
            return Motion((newest,))
        if not self._is_jump(box, stamp_ns):
            return Motion(_recent((*self.boxes, newest)))
        return Motion((self.stray, newest)) if self.stray else replace(self, stray=newest)

    def predicted(self, stamp_ns: int, horizon_ns: int) -> BoundingBox | None:
        """The box at a time: its centre goes on, its size stays that of the last one.

        Args:
            stamp_ns: when, on the clock of the boxes; not before the last of them.
            horizon_ns: how long after the last box it still moves; later, it stays where it then was.

        Returns:
            None before the first box.
        """
        if not self.boxes:
            return None
        last, last_ns = self.boxes[-1]
        ahead_s = min(max(stamp_ns - last_ns, 0), horizon_ns) * 1e-9
        times_s = np.array([stamp - last_ns for _, stamp in self.boxes]) * 1e-9
        x, y = _carried_on(times_s, np.array([box.center for box, _ in self.boxes]), ahead_s)
        return BoundingBox(x - last.w / 2, y - last.h / 2, last.w, last.h)

    def _is_jump(self, box: BoundingBox, stamp_ns: int) -> bool:
        expected = self.predicted(stamp_ns, WINDOW_NS)
        if expected is None or len(self.boxes) < LEAST:
            return False
        off_px = np.hypot(*np.subtract(box.center, expected.center))
        return bool(off_px > JUMP * np.sqrt(box.area))


def _recent(boxes: tuple[Stamped, ...]) -> tuple[Stamped, ...]:
    """Those of a short time, or enough of the window's: the fewer they are, the sooner they show a turn."""
    newest_ns = boxes[-1][1]
    of_window = [item for item in boxes if newest_ns - item[1] <= WINDOW_NS]
    short = sum(newest_ns - stamp_ns <= SHORT_NS for _, stamp_ns in of_window)
    return tuple(of_window[-max(short, ENOUGH) :])


def _carried_on(times_s: Floats, centers: Floats, ahead_s: float) -> Floats:
    """The centre (2,) at a time, on the line of medians of Theil (1950) and Sen (1968), for outliers.

    Args:
        times_s: (N,) seconds, all different.
        centers: (N, 2) pixels.
        ahead_s: the time, seconds.
    """
    if len(times_s) < LEAST:
        return np.asarray(centers[-1])
    one, other = np.triu_indices(len(times_s), 1)
    velocity = np.median((centers[other] - centers[one]) / (times_s[other] - times_s[one])[:, None], axis=0)
    return np.asarray(np.median(centers - times_s[:, None] * velocity, axis=0) + ahead_s * velocity)
