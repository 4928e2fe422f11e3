"""The targets that are followed, how many there may be, and how it was before the last one was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from recip_tracker_core.errors import ConfigError
from recip_tracker_core.tracker import Tracker
from recip_tracker_core.types import TrackResult

from .state import State


@dataclass(eq=False, slots=True)
class Record:
    """What has been said of a target; the executor's alone.

    Attributes:
        model_version: of its newest answer, 0 before.
        is_missed: whether it has been lost, and not been tracked since.
        failure: of an update, which the log already tells of.
    """

    model_version: int = 0
    is_missed: bool = False
    failure: Exception | None = None

    def noted(self, result: TrackResult) -> State:
        """The state that one more answer stands for, after those before."""
        self.model_version, state = result.model_version, State.of(result.status)
        if state is State.LOST:
            self.is_missed = True
        elif state is State.TRACKING and self.is_missed:
            self.is_missed, state = False, State.FOUND_AGAIN
        return state


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """One that is followed, or is going to be.

    Attributes:
        tracker: that follows it, and nothing else.
        target_id, class_id: of its detections.
        record: what has been said of it.
    """

    tracker: Tracker
    target_id: str
    class_id: str
    record: Record = field(default_factory=Record)


Answer = tuple[Target, TrackResult]
"""A target and its place in a frame."""


class Targets:
    """Those that are followed, in the order in which they were given; the last is the current one.

    A new one takes the place of the one with its id, and where only one may be followed, of whichever
    there is. What it replaced is kept, as all else was, until the next one is given.

    Args:
        most: how many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._now: tuple[Target, ...] = ()
        self._before: tuple[Target, ...] | None = None
        self._count = 0
        self._given: set[str] = set()  # the ids that targets have had

    def __len__(self) -> int:
        return len(self._now)

    def __iter__(self) -> Iterator[Target]:
        return iter(self._now)

    @property
    def is_single(self) -> bool:
        """Whether only one may be followed."""
        return self._most == 1

    @property
    def current(self) -> Target | None:
        """The one that was given last."""
        return self._now[-1] if self._now else None

    @property
    def ids(self) -> tuple[str, ...]:
        """Of those that are followed."""
        return tuple(target.target_id for target in self._now)

    @property
    def kept(self) -> tuple[Target, ...]:
        """Those that are followed, and those that :meth:`undo` would bring back."""
        return tuple(dict.fromkeys((*self._now, *(self._before or ()))))

    def named(self, wanted: str) -> str:
        """The id that is asked for, or where that is empty the next number that none has had."""
        while not wanted:
            self._count += 1
            wanted = "" if str(self._count) in self._given else str(self._count)
        self._given.add(wanted)
        return wanted

    def share_a_place(self, one: str, other: str) -> bool:
        """Whether of targets with these ids the later takes the place of the earlier; empty: any new id."""
        return self.is_single or (one == other and one != "")

    def check_room(self, wanted: str, coming: Iterable[str]) -> None:
        """Whether one more may be followed.

        Args:
            wanted: its id, or empty for a new one.
            coming: ids of those that are going to be.

        Raises:
            ConfigError: if there are as many as there may be, and it takes the place of none.
        """
        taken = tuple(dict.fromkeys((*self.ids, *coming)))
        if self.is_single or wanted in taken or len(taken) < self._most:
            return
        which = f"target '{wanted}'" if wanted else "a new target"
        raise ConfigError(
            f"{which} is one too many: 'max_targets' is {self._most}, and {told(taken)} followed; "
            "remove one first, by ~/remove"
        )

    def put(self, target: Target) -> None:
        """Follow one more, or one in the place of another."""
        stay = (one for one in self._now if not self.share_a_place(one.target_id, target.target_id))
        self._become((*stay, target), self._now)

    def remove(self, target_id: str) -> None:
        """Follow that one no more, and keep nothing of it."""
        now, before = _without(self._now, target_id), self._before
        if before is not None:
            before = _without(before, target_id)
        self._become(now, before if before != now else None)

    @property
    def has_before(self) -> bool:
        """Whether :meth:`undo` has where to go; the only one that there may be needs one from before."""
        return bool(self._before) or (self._before is not None and not self.is_single)

    def undo(self) -> None:
        """Back to how it was before the last one was given."""
        self._become(self._before or (), None)

    def clear(self) -> None:
        """Forget all."""
        self._become((), None)

    def _become(self, now: tuple[Target, ...], before: tuple[Target, ...] | None) -> None:
        old = self.kept
        self._now, self._before = now, before
        for target in old:
            if target not in self.kept:
                target.tracker.close()


def told(ids: Iterable[str]) -> str:
    """Targets by their ids, with a verb: ``target 'a' is``, ``targets 'a', 'b' are``, ``no target is``."""
    quoted = [f"'{one}'" for one in ids]
    if not quoted:
        return "no target is"
    return f"target {quoted[0]} is" if len(quoted) == 1 else f"targets {', '.join(quoted)} are"


def _without(targets: tuple[Target, ...], target_id: str) -> tuple[Target, ...]:
    return tuple(target for target in targets if target.target_id != target_id)
