"""Where to look for a target that is lost: first where it was, then farther and farther away.

Every lost frame looks at two views of the image at most, so that none takes long: at a fine one where a
candidate was seen in the last frame, or at the last safe place (by turns with the one before, if it was
found elsewhere since); and, where that shows nothing, at one
coarse view, around that place and over the tiles of the image in turn. The best point of a coarse view
is looked at finely in the next frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import config
from .appearance import Appearance
from .confidence import History, Judge, Standing
from .homes import Home
from .observing import Observer, Sight
from .types import Frame

Floats = NDArray[np.float64]

TILE_STEP = 0.7  # of a coarse view's side from one tile to the next
LAST_PLACE_INTERVAL = 4  # lost frames between two coarse views of the last place
TURN_FRAMES = 16  # lost frames in which it is looked for at one turn, before the other's
CENTRAL = 0.3  # a candidate lies within that share of a fine view's side from its middle


@dataclass(frozen=True, eq=False, slots=True)
class Sought:
    """What is looked for.

    Attributes:
        place_px, size_px: (2,) centre and size when it was last safe, image pixels.
        image_px: (2,) width and height of the image.
        history: of the finder's peak.
        standing: what has been concluded.
        turn: in the image plane, when it was last safe.
        home_px: (2,) where it was before it was found elsewhere and lost again, image pixels, or None.
    """

    place_px: Floats
    size_px: Floats
    image_px: Floats
    history: History
    standing: Standing
    turn: int = 0
    home_px: Floats | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Search:
    """How far the search has come.

    Attributes:
        tiles: (T, 2) centres of coarse views, image pixels, nearest first.
        next_tile: of the one whose turn it is.
        frames: since the target was lost.
        candidate_px: (2,) where the last frame saw something like the target, image pixels, or None.
        hits: frames in a row in which it did.
        promised_px: (2,) where a coarse view promises something that no fine one has shown yet, or None.
        was_promised: whether the last fine view was of such a place.
    """

    tiles: Floats
    next_tile: int = 0
    frames: int = 0
    candidate_px: Floats | None = None
    hits: int = 0
    promised_px: Floats | None = None
    was_promised: bool = False

    def turn(self, sought: Sought) -> int:
        """At which it looks for the target: as it was when it was last safe, and upright, by turns."""
        return 0 if self.frames // TURN_FRAMES % 2 else sought.turn

    @property
    def is_promise_due(self) -> bool:
        """Whether a promised place is looked at next: in turn with the last one, where promises are many."""
        return self.candidate_px is None and self.promised_px is not None and not self.was_promised


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
        return is_central(sight) and self._is_target(sight, standing, is_home=False)

    def looked_home(self, frame: Frame, home: Home, sought: Sought, known: Appearance) -> Home:
        """The home of a target that is followed elsewhere, after a look whether it is there."""
        at_px = np.clip(home.look_px, 0, sought.image_px)
        sight = self.fine(frame, at_px, replace(sought, size_px=home.size_px, turn=home.turn), known)
        is_seen = self._is_target(sight, sought.standing, is_home=True)
        place = np.clip(sight.in_image_px, 0, sought.image_px) if is_seen else None
        return home.looked(place, is_central=is_central(sight))

    def _is_target(self, sight: Sight, standing: Standing, *, is_home: bool) -> bool:
        is_recognised = sight.signals.recognition > self._judge.settings.tracked
        return is_recognised and self._judge.resembles(standing, sight.signals, is_home=is_home)

    def _best(self, frame: Frame, sought: Sought, search: Search, known: Appearance) -> tuple[Sight, Search]:
        """One or two views."""
        last = sought.place_px if sought.home_px is None or search.frames % 2 == 0 else sought.home_px
        places = search.candidate_px, search.promised_px if search.is_promise_due else None, last
        around = next(place for place in places if place is not None)
        sought = replace(sought, turn=search.turn(sought))
        best = self.fine(frame, around, sought, known)
        if self.passes(best, sought.standing):
            is_same = search.candidate_px is not None
            return best, replace(search, promised_px=None, hits=search.hits if is_same else 0)
        kept = None if search.is_promise_due else search.promised_px
        search = replace(search, promised_px=kept, was_promised=search.is_promise_due, hits=0)
        # One coarse view a frame: of the last place, then of the next tiles.
        is_tile = search.frames % LAST_PLACE_INTERVAL > 0 or len(search.tiles) == 1
        around = search.tiles[search.next_tile % len(search.tiles)] if is_tile else sought.place_px
        search = replace(search, next_tile=search.next_tile + is_tile)
        view = self._observer.look(frame, around, sought.size_px, known, self._settings.zoom, sought.turn)
        coarse = self._observer.sought(view, known, sought.history, is_coarse=True)
        promise = (coarse.signals.peak / known.first_peak + coarse.signals.likeness) / 2
        if promise > self._settings.promise:
            search = replace(search, promised_px=np.clip(coarse.in_image_px, 0, sought.image_px))
        return best, search

    def fine(self, frame: Frame, at_px: Floats, sought: Sought, known: Appearance) -> Sight:
        """What a view of the target's own scale shows around a place, (2,) image pixels."""
        view = self._observer.look(frame, at_px, sought.size_px, known, turn=sought.turn)
        return self._observer.sought(view, known, sought.history, is_coarse=False)


def is_central(sight: Sight) -> bool:
    """Whether a place is near enough to the middle of its view to be judged."""
    side = sight.view.crop.side_px
    return bool(np.abs(sight.place_px - side / 2).max() < CENTRAL * side)


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
