"""What every tracker of this package answers to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import BoxError
from .observing import Wanted
from .painting import AttentionPicture
from .target_files import Maker, TargetSnapshot
from .types import BoundingBox, Frame, TrackResult
from .updater import UpdateStatistics

LOADED = "loaded; not seen yet"  # the reason for a target's status until it is
MIN_SIDE_PX = 4  # below, hardly any box overlaps the target by enough to learn from


class Tracker(Protocol):
    """Follows one target. Made by :func:`~.build.build_tracker`.

    Attributes:
        learns: whether frames are learned from; while it is False the target is followed as it is known.
    """

    learns: bool

    def init(self, frame: Frame, box: BoundingBox) -> TrackResult:
        """Learn the target from one frame; from now on it is the one that is followed.

        Blocks for the first fit. When it raises, the target from before, if any, is still followed.

        Raises:
            BoxError: if too little of the box lies in the image.
            LearningError: if the fit does not end in usable weights.
        """
        ...

    def update(self, frame: Frame) -> TrackResult:
        """Find the target in the next frame.

        Raises:
            NotInitialisedError: before a successful :meth:`init` or :meth:`load`.
        """
        ...

    def wanted(self, frame: Frame) -> Wanted | None:
        """The look that it is going to take at the next frame, and what follows, instead of :meth:`update`.

        None where it takes several, or none of those.

        Raises:
            NotInitialisedError: before a successful :meth:`init` or :meth:`load`.
        """
        ...

    @property
    def waited(self) -> int | None:
        """Frames since a lost target was last looked for; None while it is not lost, or cannot wait."""
        ...

    def passed_over(self, frame: Frame) -> TrackResult:
        """The answer to a frame in which a target that can wait is not looked for.

        Raises:
            NotInitialisedError: before a successful :meth:`init` or :meth:`load`.
        """
        ...

    def attention(self, frame: Frame, box: BoundingBox) -> AttentionPicture:
        """Where the present classifier looks in a box, for people; may be called from any thread.

        Raises:
            NotInitialisedError: before a successful :meth:`init` or :meth:`load`.
        """
        ...

    def belonging(self, frame: Frame, box: BoundingBox) -> NDArray[np.float32] | None:
        """(n, n) in [0, 1]: how much each part of a box looks like the target rather than what was around it.

        None where nothing is known of that; otherwise of a coarse grid over the box, for whoever wants to
        measure the target alone, as its distance.

        Raises:
            NotInitialisedError: before a successful :meth:`init` or :meth:`load`.
        """
        ...

    def snapshot(self) -> TargetSnapshot[Any]:
        """What is known of the target now, to be written by any thread; taken at once, between frames.

        Raises:
            NotInitialisedError: before a successful :meth:`init` or :meth:`load`.
        """
        ...

    def save(self, path: Path) -> None:
        """Write what is known of the target: all that is needed to go on following and learning it.

        Until the file is complete, and if that fails, what was there stays.

        Raises:
            NotInitialisedError: before a successful :meth:`init` or :meth:`load`.
            TargetFileError: the file cannot be written.
        """
        ...

    def load(self, path: Path, frame: Frame) -> TrackResult:
        """Follow the target of a file from now on, where it was saved until it is seen.

        When it raises, the target from before, if any, is still followed.

        Args:
            path: of a file that a tracker of the same kind, network and settings has saved.
            frame: of the stream in which it is looked for from the next one on; it may have another size
                than the one in which the target was saved.

        Raises:
            TargetFileError: the file cannot be read, or is not such a one.
            NotInitialisedError: the tracker is closed.
        """
        ...

    @property
    def is_learning(self) -> bool:
        """Whether an update is running beside the frames."""
        ...

    @property
    def maker(self) -> Maker:
        """What kind it is, and which network and settings the files that it writes are for."""
        ...

    @property
    def statistics(self) -> UpdateStatistics:
        """What became of the updates so far."""
        ...

    def another(self) -> Tracker:
        """One made of the same parts that has no target yet.

        Each may be used by a thread of its own: what they share, the frozen network above all, keeps nothing
        of a frame.
        """
        ...

    def close(self) -> None:
        """End learning; the tracker is of no further use."""
        ...


def visible_target(box: BoundingBox, frame: Frame) -> BoundingBox:
    """The part of a box that lies in the image, if that is enough to be a target.

    Raises:
        BoxError: if it isn't.
    """
    visible = box.clipped(frame.width, frame.height)
    if min(visible.w, visible.h) < MIN_SIDE_PX:
        raise BoxError(
            f"a target must have at least {MIN_SIDE_PX} pixels a side inside the image, "
            f"got {visible.w:g} x {visible.h:g}"
        )
    return visible
