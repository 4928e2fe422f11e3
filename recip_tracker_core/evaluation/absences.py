"""Made absences, jumps and look-alikes, so that loss, recovery and mix-ups can be measured on any sequence.

What a sequence gets depends on the seed and its name; the rest of the set only lends the frames that cut in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..errors import ConfigError
from .doubles import Double
from .edits import Shift
from .events import (
    ABSENCE,
    RECOVERY,
    Scene,
    is_same_scene,
    make_another_clip,
    make_blank,
    make_double,
    make_occluder,
    make_shift,
)
from .sequences import Edit, Sequence

CALM = 40  # at least so many frames between two events
WAIT = 20  # at most so many more


def stressed(sequences: tuple[Sequence, ...], seed: int) -> tuple[Sequence, ...]:
    """Every sequence with made events; one too short for any comes back as it is.

    No event touches an absence that was there before, nor the frames around it in which a return is
    scored. Kinds take turns, and give way where they don't fit: an occluder needs background beside the
    target, a jump and a look-alike need room, and another clip needs a sequence of another scene.

    Args:
        sequences: their names differ.
        seed: not negative; equal seeds make equal events.

    Raises:
        ConfigError: for a negative seed.
        SourceError: if the first image of a sequence cannot be read.
    """
    if seed < 0:
        raise ConfigError(f"the seed of made absences must be 0 or more, got {seed}")
    scenes = [Scene(sequence, seed) for sequence in sequences]
    return tuple(_with_events(scene.sequence, _events(scene, sequences)) for scene in scenes)


def _with_events(sequence: Sequence, events: list[Edit]) -> Sequence:
    if not events:
        return sequence
    truth = sequence.truth.copy()
    jumps = set(sequence.jumps)
    for event in events:
        if isinstance(event, Shift):
            truth[event.start : event.stop, :2] += (event.dx, event.dy)
            jumps |= {event.start, event.stop}
        elif isinstance(event, Double):
            truth[event.start : event.stop][event.hides] = np.nan
        else:
            truth[event.start : event.stop] = np.nan
    edits = (*sequence.edits, *events)
    return replace(sequence, truth=truth, edits=edits, jumps=tuple(sorted(jumps)))


Make = Callable[[Scene, int], Edit | None]
"""Makes an event that begins in a frame, or None where its kind does not fit."""


def _events(scene: Scene, sequences: tuple[Sequence, ...]) -> list[Edit]:
    """The schedule, in the order of frames."""
    donors = [other for other in sequences if not is_same_scene(other, scene.sequence)]
    kinds: tuple[Make, ...] = (
        make_occluder,
        make_blank,
        make_shift,
        make_double,
        partial(make_another_clip, donors=donors),
    )
    turns = [kinds[turn] for turn in scene.generator.permutation(len(kinds))]
    events: list[Edit] = []
    latest = len(scene.sequence) - RECOVERY - ABSENCE[0]
    start = _start_after(RECOVERY, latest, scene.generator)
    while start <= latest:
        event = _next_event(turns, scene, start)
        if event is None:
            start += 1
            continue
        events.append(event)
        start = _start_after(event.stop + CALM, latest, scene.generator)
    return events


def _next_event(turns: list[Make], scene: Scene, start: int) -> Edit | None:
    """The event of the first kind that fits, which then waits for all others."""
    for make in turns:
        if event := make(scene, start):
            turns.remove(make)
            turns.append(make)
            return event
    return None


def _start_after(earliest: int, latest: int, generator: np.random.Generator) -> int:
    """A frame soon after ``earliest``, not behind ``latest`` where both can be."""
    return earliest + int(generator.integers(0, max(0, min(WAIT, latest - earliest)) + 1))
