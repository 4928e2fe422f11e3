"""Events that a scene can have, each made for the frame it begins in; None where its kind does not fit."""

from __future__ import annotations

import filecmp
import hashlib
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from .doubles import Double
from .edits import REACH, AnotherClip, Blank, Box, Displacement, Occluder, Shift, offsets, windows
from .sequences import Image, Sequence, Truth, read_image

RECOVERY = 30  # frames with the target before and after an event: the window in which a return is scored
ABSENCE = (15, 25)  # frames, 20 on average
STRETCH = (30, 45)  # frames elsewhere after a jump, in which a recovery fits, or with a double
APART = 1.5  # target sizes of displacement: a background patch, a jump, or a double is clear of the target
JUMPS = 48  # candidates of which the largest is made
AGO = RECOVERY  # frames: so long before, the target is there, and no event is near

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
APPROACHES = (3.0, 2.5, 2.0, APART)  # target sizes; from the largest a double moves by one in 5 to 7 frames
MISS = 0.15  # target sizes, at most: in front, a double always hides more than half of the target
DISPLACEMENTS = tuple((distance * x, distance * y) for distance in (APART, 1.75, 2.0) for x, y in DIRECTIONS)
"""Where an occluder's background may come from, in target sizes from the target."""


class Scene:
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


def make_occluder(scene: Scene, start: int) -> Occluder | None:
    """Background over the target, from where it is least like it."""
    boxes = scene.span(start, ABSENCE)
    if boxes is None:
        return None
    rows = _rows(boxes)
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


def make_blank(scene: Scene, start: int) -> Blank | None:
    """A picture that failed."""
    boxes = scene.span(start, ABSENCE)
    if boxes is None:
        return None
    return Blank(start, start + len(boxes), scene.seed)


def make_another_clip(scene: Scene, start: int, donors: list[Sequence]) -> AnotherClip | None:
    """Frames of a clip of another scene."""
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


def is_same_scene(one: Sequence, other: Sequence) -> bool:
    """Whether both are cut from the same images: benchmarks have clips with a sequence for each target."""
    first, second = one.files[0], other.files[0]
    return first.parent == second.parent or filecmp.cmp(first, second, shallow=False)


def make_shift(scene: Scene, start: int) -> Shift | None:
    """A jump, as far as there is room."""
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


def make_double(scene: Scene, start: int) -> Double | None:
    """A second instance of the target that crosses its path, from as far as there is room."""
    boxes = scene.span(start, STRETCH)
    if boxes is None:
        return None
    past = slice(start - AGO, start - AGO + len(boxes))
    cuts, files = scene.sequence.truth[past], scene.sequence.files[past]
    if not _is_inside(cuts, scene.shape):
        return None
    across, down = scene.generator.uniform(-MISS, MISS, 2).tolist()
    is_in_front = bool(scene.generator.integers(2))
    for approach in _approaches(scene.generator):
        found = Double(start, _rows(boxes), files, _rows(cuts), approach, (across, down), is_in_front)
        if _is_inside(found.places, scene.shape):
            return found
    return None


def _approaches(generator: np.random.Generator) -> Iterator[Displacement]:
    """From the furthest on, in target sizes; the directions of each in an order that is drawn."""
    directions = generator.permutation(DIRECTIONS).tolist()
    for sizes in APPROACHES:
        yield from ((sizes * x, sizes * y) for x, y in directions)


def _is_inside(boxes: Truth, shape: tuple[int, int]) -> bool:
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    return bool((low >= 0).all() and (high <= shape[::-1]).all())


def _rows(boxes: Truth) -> tuple[Box, ...]:
    return tuple((x, y, w, h) for x, y, w, h in boxes.tolist())
