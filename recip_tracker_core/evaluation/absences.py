"""Made absences and jumps, so that loss and recovery can be measured on any sequence.

Four kinds of event, each an :class:`~.sequences.Edit`: the target is covered, the picture fails, another
clip cuts in, or the target is suddenly elsewhere. What a sequence gets depends on the seed and its name;
the rest of the set only lends the frames that cut in.
"""

from __future__ import annotations

import filecmp
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .edits import (
    REACH,
    AnotherClip,
    Blank,
    Displacement,
    Occluder,
    Shift,
    offsets,
    windows,
)
from .sequences import Edit, Image, Sequence, Truth, read_image

RECOVERY = 30  # frames with the target before and after an event: the window in which a return is scored
CALM = 40  # at least so many frames between two events
WAIT = 20  # at most so many more
ABSENCE = (15, 25)  # frames, 20 on average
STRETCH = (30, 45)  # frames elsewhere after a jump: a recovery fits in
APART = 1.5  # target sizes of displacement: a background patch, or a jump, is clear of the target
JUMPS = 48  # candidates of which the largest is made

DISPLACEMENTS = tuple(
    (distance * x, distance * y)
    for distance in (APART, 1.75, 2.0)
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
)
"""Where an occluder's background may come from, in target sizes from the target."""


def stressed(sequences: tuple[Sequence, ...], seed: int) -> tuple[Sequence, ...]:
    """Every sequence with made events; one too short for any comes back as it is.

    No event touches an absence that was there before, nor the frames around it in which a return is
    scored. Kinds take turns, and give way where they don't fit: an occluder needs background beside the
    target, a jump needs room, and another clip needs a sequence of another scene.

    Args:
        sequences: their names differ.
        seed: not negative; equal seeds make equal events.

    Raises:
        ConfigError: for a negative seed.
        SourceError: if the first image of a sequence cannot be read.
    """
    if seed < 0:
        raise ConfigError(f"the seed of made absences must be 0 or more, got {seed}")
    scenes = [_Scene(sequence, seed) for sequence in sequences]
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
        else:
            truth[event.start : event.stop] = np.nan
    edits = (*sequence.edits, *events)
    return replace(sequence, truth=truth, edits=edits, jumps=tuple(sorted(jumps)))


class _Scene:
    """A sequence, the ``(height, width)`` of its images, and the chance that makes its events."""

    def __init__(self, sequence: Sequence, seed: int) -> None:
        height, width = read_image(sequence.files[0]).shape[:2]
        corner, size = sequence.truth[:, :2], sequence.truth[:, 2:]
        center = corner + size / 2
        self.sequence = sequence
        self.shape = height, width
        self.seed = seed
        self.generator = np.random.default_rng((seed, *sequence.name.encode()))
        # NaN, where it is absent, compares as false.
        is_in_view = np.hstack([size > 0, center >= 0, center < (width, height)])
        self._is_there: NDArray[np.bool_] = np.asarray(is_in_view.all(axis=1))

    def span(self, start: int, frames: tuple[int, int]) -> Truth | None:
        """(N, 4) boxes of an event of a drawn length; None where the target is not there throughout."""
        low, high = frames
        high = min(high, len(self.sequence) - RECOVERY - start)
        if high < low:
            return None
        stop = start + int(self.generator.integers(low, high + 1))
        if not self._is_there[start - RECOVERY : stop + RECOVERY].all():
            return None
        return self.sequence.truth[start:stop]


Make = Callable[[_Scene, int], Edit | None]
"""Makes an event that begins in a frame, or None where its kind does not fit."""


def _events(scene: _Scene, sequences: tuple[Sequence, ...]) -> list[Edit]:
    """The schedule, in the order of frames."""
    donors = [other for other in sequences if not _is_same_scene(other, scene.sequence)]
    kinds: tuple[Make, ...] = (_occluder, _blank, _shift, partial(_another_clip, donors=donors))
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


def _next_event(turns: list[Make], scene: _Scene, start: int) -> Edit | None:
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


def _occluder(scene: _Scene, start: int) -> Occluder | None:
    boxes = scene.span(start, ABSENCE)
    if boxes is None:
        return None
    rows = tuple((x, y, w, h) for x, y, w, h in boxes.tolist())
    fitting = [
        Occluder(start, rows, displacement)
        for displacement in DISPLACEMENTS
        if _is_background(boxes, displacement, scene.shape)
    ]
    if not fitting:
        return None
    images = {
        index: scene.sequence.frame(index).image
        for index in (start, start + len(rows) // 2, start + len(rows) - 1)
    }
    return min(fitting, key=lambda occluder: _likeness(occluder, images))


def _likeness(occluder: Occluder, images: dict[int, Image]) -> float:
    """How much the patch has the target's colours, at the worst of some frames; in [0, 1].

    A tracker that follows the target's like, which often is beside it, into the patch would be called
    wrong for what a person might do too.
    """

    def likeness(image: Image, index: int) -> float:
        target, patch = occluder.cuts(image, index, reach=1.0)
        distance = cv2.compareHist(_colours(target), _colours(patch), cv2.HISTCMP_BHATTACHARYYA)
        return 1 - distance

    return max(likeness(image, index) for index, image in images.items())


def _colours(image: Image) -> NDArray[np.float32]:
    """(8, 8, 8) histogram, its sum 1."""
    counts = cv2.calcHist([image], [0, 1, 2], None, [8] * 3, [0, 256] * 3)
    return np.asarray(counts / counts.sum(), np.float32)


def _is_background(boxes: Truth, displacement: Displacement, shape: tuple[int, int]) -> bool:
    """Whether the patch at a displacement is in the image and clear of the target, for all boxes."""
    patches = windows(boxes, REACH, shape) + np.tile(offsets(boxes, displacement), 2)
    low, high = patches[:, :2], patches[:, 2:]
    is_inside = (low >= 0).all() and (high <= shape[::-1]).all()
    is_clear = ((high <= boxes[:, :2]) | (low >= boxes[:, :2] + boxes[:, 2:])).any(axis=1).all()
    return bool(is_inside and is_clear)


def _blank(scene: _Scene, start: int) -> Blank | None:
    boxes = scene.span(start, ABSENCE)
    if boxes is None:
        return None
    return Blank(start, start + len(boxes), scene.seed)


def _another_clip(scene: _Scene, start: int, donors: list[Sequence]) -> AnotherClip | None:
    boxes = scene.span(start, ABSENCE)
    where = scene.generator.random()
    if boxes is None or not donors:
        return None

    def lot(donor: Sequence) -> bytes:  # a sequence more in the set seldom changes who draws the lowest
        drawn = f"{scene.seed}/{scene.sequence.name}/{start}/{donor.name}"
        return hashlib.sha256(drawn.encode()).digest()

    files = min(donors, key=lot).files
    first = int(where * max(1, len(files) - len(boxes) + 1))
    return AnotherClip(start, tuple(files[(first + i) % len(files)] for i in range(len(boxes))))


def _is_same_scene(one: Sequence, other: Sequence) -> bool:
    """Whether both are cut from the same images: benchmarks have clips with a sequence for each target."""
    first, second = one.files[0], other.files[0]
    return first.parent == second.parent or filecmp.cmp(first, second, shallow=False)


def _shift(scene: _Scene, start: int) -> Shift | None:
    boxes = scene.span(start, STRETCH)
    if boxes is None:
        return None
    # A target that stays inside the image where it goes, in every frame, is not cut by the seam either.
    low = -np.floor(boxes[:, :2].min(axis=0))
    high = np.floor(scene.shape[::-1] - (boxes[:, :2] + boxes[:, 2:]).max(axis=0))
    if (low > 0).any() or (high < 0).any():
        return None
    moves = scene.generator.integers(low, high + 1, (JUMPS, 2))
    in_sizes = (np.abs(moves) / boxes[:, 2:].max(axis=0)).max(axis=1)
    largest = int(in_sizes.argmax())
    if in_sizes[largest] < APART:
        return None
    dx, dy = moves[largest].tolist()
    return Shift(start, start + len(boxes), dx, dy)
