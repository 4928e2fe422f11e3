"""Film strips: the worst stretches of a tracker, frame by frame, to see why it failed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..drawing import COLORS
from ..types import TrackStatus
from .metrics import overlaps
from .records import Run
from .sequences import Image

STRETCH_FRAMES = 30  # one second of most clips
TILES = 8  # of a strip
TILE_PX = 224
CONTEXT = 2.5  # side of what is shown, in target sizes
MARGIN = 1.3  # the same, in sizes of what holds both boxes, where they are far apart
JPEG_QUALITY = 85
NOTHING = (60, 64, 70)  # RGB, outside the image

Row = NDArray[np.float64]
"""(4,) one box ``x, y, w, h`` in pixels."""


@dataclass(frozen=True)
class Stretch:
    """Some frames in a row of a run.

    Attributes:
        run: the one they are of.
        start: first frame.
        stop: first frame behind it.
        overlap: mean over its frames; one without the target counts 0 if the tracker claims to have it,
            else 1.
    """

    run: Run
    start: int
    stop: int
    overlap: float

    def shares_frames_with(self, other: Stretch) -> bool:
        """Whether a frame of the same run is in both."""
        return self.run is other.run and self.start < other.stop and other.start < self.stop


@dataclass(frozen=True)
class Tile:
    """One frame of a strip.

    Attributes:
        picture: a JPEG file, :data:`TILE_PX` square: the truth in white, the answer in its state's colour.
        index: of the frame.
        confidence: None where the tracker says none.
        overlap: None where the target is absent.
        is_tracked: whether the tracker claims to have the target.
    """

    picture: bytes
    index: int
    confidence: float | None
    overlap: float | None
    is_tracked: bool


def worst_stretches(runs: Iterable[Run], count: int = 5) -> tuple[Stretch, ...]:
    """Those with the lowest overlap, lowest first; none shares frames with another.

    The worst of each sequence comes first, so that one hard clip does not fill them all.

    Args:
        runs: of one tracker, in any order.
        count: how many, at most.
    """
    left = [stretch for run in runs for stretch in _stretches(run)]
    left.sort(key=lambda one: (one.overlap, one.run.sequence.name, one.run.seed, one.start))
    chosen: list[Stretch] = []
    shown: dict[str, int] = {}
    while left and len(chosen) < count:
        worst = min(left, key=lambda one: shown.get(one.run.sequence.name, 0))  # the first of equals
        chosen.append(worst)
        shown[worst.run.sequence.name] = shown.get(worst.run.sequence.name, 0) + 1
        left = [one for one in left if not one.shares_frames_with(worst)]
    return tuple(sorted(chosen, key=lambda one: one.overlap))


def film_strip(stretch: Stretch) -> tuple[Tile, ...]:
    """Frames at equal distances, from the first of the stretch to its last.

    Raises:
        SourceError: if an image of the sequence cannot be read.
    """
    last = stretch.stop - 1
    indices = np.unique(np.linspace(stretch.start, last, TILES).round().astype(int))
    overlap = overlaps(stretch.run.record, stretch.run.sequence.truth)
    return tuple(_tile(stretch.run, int(index), float(overlap[index])) for index in indices)


def _stretches(run: Run) -> list[Stretch]:
    """Every window of the run behind its first frame, which is given."""
    overlap = overlaps(run.record, run.sequence.truth)
    credit = np.where(np.isnan(overlap), ~run.record.tracked, overlap)[1:]
    if not len(credit):
        return []
    frames = min(STRETCH_FRAMES, len(credit))
    means = np.lib.stride_tricks.sliding_window_view(credit, frames).mean(axis=1)
    return [Stretch(run, at + 1, at + 1 + frames, float(mean)) for at, mean in enumerate(means)]


def _tile(run: Run, index: int, overlap: float) -> Tile:
    record, truth = run.record, run.sequence.truth[index]
    is_tracked, confidence = bool(record.tracked[index]), float(record.confidences[index])
    state = TrackStatus.TRACKED if is_tracked else TrackStatus.LOST
    picture = _picture(run.sequence.frame(index).image, record.boxes[index], truth, state)
    return Tile(
        picture=picture,
        index=index,
        confidence=confidence if np.isfinite(confidence) else None,
        overlap=overlap if np.isfinite(overlap) else None,
        is_tracked=is_tracked,
    )


def _picture(image: Image, box: Row, truth: Row, state: TrackStatus) -> bytes:
    whole = np.array([0, 0, image.shape[1], image.shape[0]])
    boxes = [row for row in (box, truth) if np.isfinite(row).all()]
    corner, side = _view(np.array(boxes or [whole], np.float64), image)
    tile = _crop(image, corner, side)
    scale = TILE_PX / side
    corner_and_size = np.array([*corner, 0, 0])
    _outline(tile, (truth - corner_and_size) * scale, (255, 255, 255), 2)
    _outline(tile, (box - corner_and_size) * scale, COLORS[state], 3)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), quality)[1].tobytes()


def _view(boxes: NDArray[np.float64], image: Image) -> tuple[NDArray[np.int64], int]:
    """Top-left corner and side, in pixels, of the square that shows the boxes and what is around them.

    It lies in the image as far as it can, and is no larger than the image's longer side.
    """
    size_px = np.array([image.shape[1], image.shape[0]])
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    low, high = np.clip(low, 0, size_px), np.clip(high, 0, size_px)
    wanted = max(CONTEXT * math.sqrt(max(boxes[-1, 2:].prod(), 0)), MARGIN * (high - low).max())
    side = int(np.clip(wanted, 16, size_px.max()))
    corner = ((low + high - side) / 2).round().astype(np.int64)
    return np.where(side > size_px, (size_px - side) // 2, np.clip(corner, 0, size_px - side)), side


def _crop(image: Image, corner: NDArray[np.int64], side: int) -> Image:
    """(TILE_PX, TILE_PX, 3): a square of the image, grey where there is none."""
    left, top = map(int, corner)
    height, width = image.shape[:2]
    pads = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
    inside = image[max(top, 0) : top + side, max(left, 0) : left + side]
    square = cv2.copyMakeBorder(inside, *pads, cv2.BORDER_CONSTANT, value=NOTHING)
    method = cv2.INTER_AREA if side > TILE_PX else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (TILE_PX, TILE_PX), interpolation=method), np.uint8)


def _outline(tile: Image, row: Row, color: tuple[int, int, int], thickness: int) -> None:
    """A box of the tile's pixels, with a dark rim that shows it on any ground; none where it is NaN."""
    if not np.isfinite(row).all():
        return
    bound = 10 * TILE_PX  # what is drawn further out cannot be seen, and overflows
    low, high = np.clip([row[:2], row[:2] + row[2:] - 1], -bound, bound).round().astype(int).tolist()
    for ink, width in (((0, 0, 0), thickness + 2), (color, thickness)):
        cv2.rectangle(tile, low, high, ink, width, cv2.LINE_AA)
