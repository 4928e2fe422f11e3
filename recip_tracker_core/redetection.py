"""Where to look for a target that is lost: first where it was, then farther and farther away.

Every lost frame looks at a few views of the image: at a fine one where a candidate was seen in the last
frame, or at the last safe place; and, where that shows nothing, at one coarse view, around that place
and over the tiles of the image in turn. The best point of a coarse view is looked at finely.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import config
from .appearance import Appearance
from .confidence import History, Judge, Standing
from .observing import Observer, Sight
from .types import Frame

Floats = NDArray[np.float64]

TILE_STEP = 0.7  # of a coarse view's side from one tile to the next
LAST_PLACE_INTERVAL = 4  # lost frames between two coarse views of the last place
CENTRAL = 0.3  # a candidate lies within that share of a fine view's side from its middle


@dataclass(frozen=True, eq=False, slots=True)
class Sought:
    """What is looked for.

    Attributes:
        place_px, size_px: (2,) centre and size when it was last safe, image pixels.
        image_px: (2,) width and height of the image.
        history: of the finder's peak.
        standing: what has been concluded.
    """

    place_px: Floats
    size_px: Floats
    image_px: Floats
    history: History
    standing: Standing


@dataclass(frozen=True, eq=False, slots=True)
class Search:
    """How far the search has come.

    Attributes:
        tiles: (T, 2) centres of coarse views, image pixels, nearest first.
        next_tile: of the one whose turn it is.
        frames: since the target was lost.
        candidate_px: (2,) where the last frame saw something like the target, image pixels, or None.
        hits: frames in a row in which it did.
    """

    tiles: Floats
    next_tile: int = 0
    frames: int = 0
    candidate_px: Floats | None = None
    hits: int = 0


class Searcher:
    """Looks for a target that is lost, frame by frame.

    Args:
        observer: that looks at frames.
        judge: that says what passes for the target.
        settings: how far, and how surely.
    """

    def __init__(self, observer: Observer, judge: Judge, settings: config.Recovery) -> None:
        self._observer, self._judge, self._settings = observer, judge, settings

    def begun(self, sought: Sought) -> Search:
        """A search that has not looked anywhere yet."""
        crop = self._observer.crop(sought.place_px, sought.size_px, self._settings.zoom)
        view_px = crop.side_px / crop.scale
        return Search(tiles(sought.place_px, sought.image_px, view_px, self._settings.most_tiles))

    def step(self, frame: Frame, sought: Sought, search: Search, known: Appearance) -> tuple[Sight, Search]:
        """The best sight of one more frame, and the search after it."""
        best, search = self._best(frame, sought, search, known)
        is_candidate = self.passes(best, sought.standing)
        candidate = np.clip(best.in_image_px, 0, sought.image_px) if is_candidate else None
        hits = search.hits + 1 if is_candidate else 0
        return best, replace(search, candidate_px=candidate, hits=hits, frames=search.frames + 1)

    def passes(self, sight: Sight, standing: Standing) -> bool:
        """Whether the best place of a fine view passes for the target."""
        side = sight.view.crop.side_px
        is_central = bool(np.abs(sight.place_px - side / 2).max() < CENTRAL * side)
        return (
            is_central
            and sight.signals.confidence > self._judge.settings.tracked
            and self._judge.resembles(standing, sight.signals)
        )

    def _best(self, frame: Frame, sought: Sought, search: Search, known: Appearance) -> tuple[Sight, Search]:
        """One to four views."""
        if search.candidate_px is not None:
            sight = self.fine(frame, search.candidate_px, sought, known)
            if self.passes(sight, sought.standing):
                return sight, search
        search = replace(search, hits=0)
        best = self.fine(frame, sought.place_px, sought, known)
        if self.passes(best, sought.standing):
            return best, search
        # One coarse view a frame: of the last place, then of the next tiles.
        is_tile = search.frames % LAST_PLACE_INTERVAL > 0 or len(search.tiles) == 1
        around = search.tiles[search.next_tile % len(search.tiles)] if is_tile else sought.place_px
        search = replace(search, next_tile=search.next_tile + is_tile)
        view = self._observer.look(frame, around, sought.size_px, known, self._settings.zoom)
        coarse = self._observer.sought(view, known, sought.history, is_coarse=True)
        promise = (coarse.signals.peak / known.first_peak + coarse.signals.likeness) / 2
        if promise > self._settings.promise:
            at_px = np.clip(coarse.in_image_px, 0, sought.image_px)
            fine = self.fine(frame, at_px, sought, known)
            if self.passes(fine, sought.standing) or fine.signals.confidence > best.signals.confidence:
                best = fine
        return best, search

    def fine(self, frame: Frame, at_px: Floats, sought: Sought, known: Appearance) -> Sight:
        """What a view of the target's own scale shows around a place, (2,) image pixels."""
        view = self._observer.look(frame, at_px, sought.size_px, known)
        return self._observer.sought(view, known, sought.history, is_coarse=False)


def tiles(from_px: Floats, image_px: Floats, view_px: float, most: int) -> Floats:
    """Centres of square views that cover an image.

    Args:
        from_px: (2,) where the target was last; the nearest tiles come first.
        image_px: (2,) width and height.
        view_px: side of a view, image pixels.
        most: how many at most.

    Returns:
        (T, 2) image pixels, T at least 1.
    """
    counts = np.maximum(np.ceil(image_px / (TILE_STEP * view_px)), 1).astype(int)
    axes = [(np.arange(count) + 0.5) * side / count for count, side in zip(counts, image_px, strict=True)]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    distance = ((grid - from_px) ** 2).sum(axis=1)
    return np.asarray(grid[np.argsort(distance, kind="stable")][:most])
