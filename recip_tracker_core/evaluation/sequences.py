"""A sequence of a benchmark: images, where the target is in each, and what was done to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import SourceError
from ..types import BoundingBox, Frame

Image = NDArray[np.uint8]
Truth = NDArray[np.float64]
"""(N, 4) boxes ``x, y, w, h`` in pixels, a row of NaN where the target is absent. Double precision, so that
an overlap falls on the same side of a threshold as in the benchmarks' own tools."""


class Edit(Protocol):
    """A change made to some frames of a sequence; frozen and picklable, as it travels to workers."""

    @property
    def start(self) -> int:
        """First frame that it changes."""
        ...

    @property
    def stop(self) -> int:
        """First frame behind it that it leaves alone."""
        ...

    def apply(self, image: Image, index: int) -> Image:
        """The changed (H, W, 3) RGB image of frame ``index``; the one that came in is left as it is."""
        ...


@dataclass(frozen=True)
class Sequence:
    """One target in one clip.

    Attributes:
        name: unique in its dataset.
        files: one image a frame.
        truth: (N, 4), see :data:`Truth`; the first row is a box.
        attributes: the benchmark's names for what is hard about it, where it says so.
        edits: made absences, jumps and look-alikes, applied in order; the truth has them already.
        jumps: frames in which the target is suddenly elsewhere though it was never absent.
    """

    name: str
    files: tuple[Path, ...]
    truth: Truth
    attributes: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    jumps: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.name in {"", ".", ".."} or "/" in self.name or "\\" in self.name:
            raise SourceError(f"a sequence must have a name that a file can have, got '{self.name}'")
        if self.truth.shape != (len(self.files), 4) or not self.files:
            raise SourceError(
                f"sequence '{self.name}' has {len(self.files)} images and truth of shape {self.truth.shape}: "
                "expected one box x,y,w,h an image"
            )
        if not np.isfinite(self.truth[0]).all() or (self.truth[0, 2:] <= 0).any():
            raise SourceError(
                f"sequence '{self.name}' must begin with a box, its first truth is {self.truth[0].tolist()}"
            )

    def __len__(self) -> int:
        return len(self.files)

    @property
    def first_box(self) -> BoundingBox:
        """Where the target is in the first frame, which is all that a tracker is told."""
        return BoundingBox(*map(float, self.truth[0]))

    @property
    def is_present(self) -> NDArray[np.bool_]:
        """(N,) whether the target is in the frame."""
        return np.asarray(np.isfinite(self.truth).all(axis=1))

    @property
    def returns(self) -> tuple[int, ...]:
        """Frames in which the target is back: the first after an absence, and those it jumped in."""
        present = self.is_present
        found = np.flatnonzero(present[1:] & ~present[:-1]) + 1
        return tuple(sorted({*map(int, found), *self.jumps}))

    def frame(self, index: int) -> Frame:
        """The image that a tracker sees.

        Raises:
            SourceError: if its file cannot be read as an image.
        """
        image = read_image(self.files[index])
        for edit in self.edits:
            if edit.start <= index < edit.stop:
                image = edit.apply(image, index)
        return Frame(image, index=index)

    def limited(self, frames: int) -> Sequence:
        """The first ``frames`` frames."""
        return Sequence(
            self.name,
            self.files[:frames],
            self.truth[:frames],
            self.attributes,
            tuple(edit for edit in self.edits if edit.start < frames),
            tuple(jump for jump in self.jumps if jump < frames),
        )


def read_image(path: Path) -> Image:
    """(H, W, 3) RGB.

    Raises:
        SourceError: if the file is absent or no image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f"'{path}' is absent or no image that can be read")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
