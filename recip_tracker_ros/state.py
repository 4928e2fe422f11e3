"""What the node says of itself on ``~/status``."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from recip_tracker_core.types import TrackStatus


class State(enum.Enum):
    """The states of the node; the values are what ``~/status`` carries."""

    IDLE = "idle"  # no target
    INITIALISING = "initialising"  # a box was accepted; the target is being learned
    TRACKING = "tracking"
    UNCERTAIN = "uncertain"
    LOST = "lost"
    FOUND_AGAIN = "found again"  # the first frame that is tracked after it was lost
    PAUSED = "paused"  # the target is kept, and no frame is looked at
    REFUSED = "refused"  # the last request or image was refused; an earlier target is still followed

    @staticmethod
    def of(status: TrackStatus) -> State:
        """The state that a result stands for."""
        return {
            TrackStatus.TRACKED: State.TRACKING,
            TrackStatus.UNCERTAIN: State.UNCERTAIN,
            TrackStatus.LOST: State.LOST,
        }[status]


@dataclass(frozen=True, slots=True)
class Status:
    """One announcement.

    Attributes:
        state: see :class:`State`.
        reason: why, in words; empty when there is nothing to say.
        target_id: of the current target, which may have yet to be learned, or empty.
        model_version: of the newest model, 0 before the first fit.
        updates: learned so far of this target, the first fit left out.
        is_frozen: whether learning has been stopped.
        targets: ids of all that are followed, the last given last.
        stamp_ns: of the image that caused it, or 0.
    """

    state: State
    reason: str = ""
    target_id: str = ""
    model_version: int = 0
    updates: int = 0
    is_frozen: bool = False
    targets: tuple[str, ...] = ()
    stamp_ns: int = 0
