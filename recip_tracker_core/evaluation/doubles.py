"""A look-alike: the target as it was a while ago, cut from the clip itself, crosses the target's path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .edits import Box, Displacement, windows
from .sequences import Image, Truth, read_image

WHOLE = 0.9  # target sizes: what lies in this ellipse is shown whole, head and feet nearly so
EDGE = 1.2  # target sizes: around this ellipse nothing is shown
FADE = 4  # frames in which it comes in, and goes: a thing that is there at once would give itself away
HIDDEN = 0.5  # share of the target's box from which a double in front of it makes it absent


@dataclass(frozen=True)
class Double:
    """A second instance of the target that comes from one side, meets it, and goes on to the other.

    Its looks are those of earlier frames: a team mate has a pose of its own, and a copy of the same frame,
    limb for limb, could be told apart by no look at all. The ellipse cuts what a box has of the background
    in its corners, and the soft edge blends the rest. The path is straight as seen from the target, so
    that the two meet whatever target and camera do.

    Attributes:
        start: first frame.
        boxes: of the target, one a frame.
        files: images that it is cut from, one a frame.
        cuts: boxes of the target in these.
        approach: ``x, y`` from the target to where it comes from, in target sizes; it leaves at the opposite.
        miss: ``x, y`` by which it is off the target where they meet, in target sizes.
        is_in_front: whether it covers the target, or is covered by it.
    """

    start: int
    boxes: tuple[Box, ...]
    files: tuple[Path, ...]
    cuts: tuple[Box, ...]
    approach: Displacement
    miss: Displacement
    is_in_front: bool

    @property
    def stop(self) -> int:
        """First frame behind it."""
        return self.start + len(self.boxes)

    @property
    def last_whole(self) -> int:
        """Last frame before it fades: it has met the target and left it."""
        return self.stop - 1 - FADE

    @property
    def places(self) -> Truth:
        """(N, 4) where it is, as large as the target."""
        boxes = np.array(self.boxes)
        along = np.linspace(1, -1, len(boxes))[:, None]
        offset = along * np.array(self.approach) + np.array(self.miss)
        return np.hstack([boxes[:, :2] + offset * boxes[:, 2:], boxes[:, 2:]])

    @property
    def hides(self) -> NDArray[np.bool_]:
        """(N,) whether it covers more than half of the target's box."""
        offset = np.abs(self.places[:, :2] - np.array(self.boxes)[:, :2])
        shared = np.clip(1 - offset / np.array(self.boxes)[:, 2:], 0, None).prod(axis=1)
        return np.asarray(self.is_in_front & (shared > HIDDEN))

    def apply(self, image: Image, index: int) -> Image:
        """The image with the double.

        Raises:
            SourceError: if the file that it is cut from cannot be read as an image.
        """
        at = index - self.start
        place = self.places[at]
        window = windows(place[None], EDGE, image.shape)[0]
        left, top, right, bottom = window
        opacity = self._presence(at) * _ellipse(place, window)
        if not self.is_in_front:
            opacity *= 1 - _ellipse(np.array(self.boxes[at]), window)
        changed: Image = image.copy()
        view = changed[top:bottom, left:right]
        double = _moved(read_image(self.files[at]), self.cuts[at], place, window)
        view[:] = np.rint(opacity * double + (1 - opacity) * view)
        return changed

    def _presence(self, at: int) -> float:
        """In (0, 1]: less than 1 in the frames in which it comes and goes."""
        return min(1.0, (at + 1) / (FADE + 1), (len(self.boxes) - at) / (FADE + 1))


def _ellipse(box: NDArray[np.float64], window: NDArray[np.int64]) -> NDArray[np.float64]:
    """(h, w, 1) opacity in a window ``left, top, right, bottom``: 1 in the middle of a box, 0 around it."""
    left, top, right, bottom = window
    across = (np.arange(left, right) + 0.5 - box[0]) / box[2] - 0.5
    down = (np.arange(top, bottom) + 0.5 - box[1]) / box[3] - 0.5
    reach = 2 * np.hypot(down[:, None], across)  # target sizes
    return np.asarray(np.clip((EDGE - reach) / (EDGE - WHOLE), 0, 1)[..., None], np.float64)


def _moved(
    source: Image, cut: Box, place: NDArray[np.float64], window: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """(h, w, 3): what a window shows when the ``cut`` of an image is brought to a ``place``, its size too."""
    left, top, right, bottom = window
    scale_x, scale_y = cut[2] / place[2], cut[3] / place[3]
    x = cut[0] + (left + 0.5 - place[0]) * scale_x - 0.5  # pixel centres lie at one half
    y = cut[1] + (top + 0.5 - place[1]) * scale_y - 0.5
    to_source = np.array([[scale_x, 0, x], [0, scale_y, y]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = int(right - left), int(bottom - top)
    return np.asarray(
        cv2.warpAffine(source, to_source, size, flags=how, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )
