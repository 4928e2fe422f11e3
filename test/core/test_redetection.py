"""Which views of an image a search looks at, and in what order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recip_tracker_core import TrackerConfig
from recip_tracker_core.build import build_judge
from recip_tracker_core.confidence import History, Signals, Standing
from recip_tracker_core.crops import Crop
from recip_tracker_core.homes import Home
from recip_tracker_core.locator import Response
from recip_tracker_core.observing import Sight, View
from recip_tracker_core.parameters import replaced
from recip_tracker_core.redetection import Search, Searcher, Sought, tiles
from recip_tracker_core.types import Frame, TrackStatus

IMAGE = np.array([640.0, 360.0])


@pytest.mark.parametrize("view_px", [90.0, 200.0, 350.0])
def test_together_the_views_cover_every_point_of_the_image(view_px: float) -> None:
    centers = tiles(np.array([100.0, 50.0]), IMAGE, view_px, most=1000)
    x, y = np.meshgrid(np.arange(0, 641, 10), np.arange(0, 361, 10))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    farthest = np.abs(points[:, None] - centers[None]).max(axis=2).min(axis=1).max()
    assert farthest < 0.4 * view_px  # a target at a seam is wholly in one of the views


def test_they_come_nearest_first() -> None:
    last_seen = np.array([500.0, 300.0])
    distance = np.linalg.norm(tiles(last_seen, IMAGE, 120.0, most=1000) - last_seen, axis=1)
    assert (np.diff(distance) >= 0).all()
    assert distance[0] < 0.5 * 120


def test_of_many_the_nearest_are_kept() -> None:
    last_seen = np.array([500.0, 300.0])
    everything = tiles(last_seen, IMAGE, 60.0, most=1000)
    assert len(everything) > 24
    np.testing.assert_array_equal(tiles(last_seen, IMAGE, 60.0, most=24), everything[:24])


def test_a_view_larger_than_the_image_is_one_at_its_middle() -> None:
    np.testing.assert_array_equal(tiles(np.array([10.0, 10.0]), IMAGE, 2000.0, most=24), [[320, 180]])


def test_a_place_outside_the_image_is_no_obstacle() -> None:
    centers = tiles(np.array([-50.0, 400.0]), IMAGE, 200.0, most=24)
    assert (centers > 0).all()
    assert (centers < IMAGE).all()


def test_equal_calls_give_equal_orders() -> None:
    middle = IMAGE / 2  # from where tiles are equally far by twos and fours
    np.testing.assert_array_equal(tiles(middle, IMAGE, 100.0, 24), tiles(middle, IMAGE, 100.0, 24))


MIDDLE_OF_VIEW = 80.0
IMAGE_FRAME = Frame(np.zeros((360, 640, 3), np.uint8))
SIZE = np.array([40.0, 30.0])
LAST_SEEN = np.array([120.0, 100.0])
ITSELF = Signals(peak=0.9, sharpness=10.0, strength=1.0, likeness=0.9, rivalry=0.2, strangeness=0.2)
NOTHING = Signals(peak=0.05, sharpness=2.0, strength=0.1, likeness=0.05, rivalry=3.0, strangeness=3.0)


class KnownTarget:
    """What a search reads of what is known."""

    first_peak = 1.0


class OneTarget:
    """Looks that see a target wherever their crop shows it, and note where they looked.

    Attributes:
        at_px: where it is, image pixels, or None.
        looks: of the last frame: centre and zoom of each.
        turns: at which all frames were looked at, one after the other.
    """

    def __init__(self, at_px: tuple[float, float] | None, fine: Signals = ITSELF) -> None:
        self.at_px, self._fine = at_px, fine
        self.looks: list[tuple[np.ndarray, float]] = []
        self.turns: list[int] = []

    def crop(self, center_px: np.ndarray, size_px: np.ndarray, zoom: float = 1.0) -> Crop:
        return Crop.around(center_px, size_px, 48.0, 160, zoom)

    def look(self, frame: Frame, center_px, size_px, known, zoom: float = 1.0, turn: int = 0) -> View:
        self.turns.append(turn)
        self.looks.append((np.asarray(center_px), zoom))
        crop = self.crop(center_px, size_px, zoom)
        nothing = Response(np.zeros((40, 40), np.float32), np.arange(2.0, 160.0, 4.0))
        place = crop.to_crop(center_px), size_px * crop.scale
        return View(torch.zeros(1, 20, 20), crop, *place, nothing, nothing)

    def sought(self, view: View, known, history: History, *, is_coarse: bool) -> Sight:
        if self.at_px is not None:
            place = view.crop.to_crop(np.array(self.at_px))
            if np.abs(place - MIDDLE_OF_VIEW).max() < MIDDLE_OF_VIEW:
                seen = ITSELF if is_coarse else self._fine
                return Sight(view, place, seen, lambda: seen)
        return Sight(view, np.full(2, MIDDLE_OF_VIEW), NOTHING, lambda: NOTHING)


class Hunt:
    """A search, frame by frame."""

    def __init__(self, observer: OneTarget, **values: object) -> None:
        settings = replaced(TrackerConfig(), values)
        searcher = Searcher(observer, build_judge(settings), settings.recovery)
        self.observer, self._searcher = observer, searcher
        standing = Standing(status=TrackStatus.LOST, recognition=0.1, usual=(0.9,) * 10)
        self._sought = Sought(LAST_SEEN, SIZE, np.array([640.0, 360.0]), History(0.9, 10.0), standing, turn=3)
        self.search = self._searcher.begun(self._sought)

    def go_on(self) -> Search:
        self.observer.looks.clear()
        _, self.search = self._searcher.step(IMAGE_FRAME, self._sought, self.search, KnownTarget())
        return self.search


def test_the_last_place_is_looked_at_first_and_a_target_there_needs_no_other_view() -> None:
    hunt = Hunt(OneTarget((125.0, 97.0)))
    search = hunt.go_on()
    ((where, zoom),) = hunt.observer.looks
    np.testing.assert_array_equal(where, LAST_SEEN)
    assert zoom == 1
    np.testing.assert_allclose(search.candidate_px, (125, 97))
    assert search.hits == 1
    assert hunt.go_on().hits == 2


@pytest.mark.parametrize("at_px", [(600.0, 330.0), (20.0, 340.0), (620.0, 20.0), (320.0, 180.0)], ids=str)
def test_a_target_anywhere_in_the_image_is_found_within_a_round_of_the_tiles(
    at_px: tuple[float, float],
) -> None:
    hunt = Hunt(OneTarget(at_px))
    frames = 0
    while hunt.search.hits == 0:
        hunt.go_on()
        frames += 1
        assert 1 <= len(hunt.observer.looks) <= 2
        assert frames <= 2 * len(hunt.search.tiles)
    np.testing.assert_allclose(hunt.search.candidate_px, at_px)


def test_it_is_looked_for_as_it_was_turned_when_it_was_last_seen_and_upright_by_turns() -> None:
    hunt = Hunt(OneTarget(None))
    for expected in (3, 0, 3):
        hunt.observer.turns.clear()
        for _ in range(16):
            assert hunt.search.turn(hunt._sought) == expected
            hunt.go_on()
        assert set(hunt.observer.turns) == {expected}


def test_a_candidate_is_looked_at_in_the_next_frame_before_all_else() -> None:
    hunt = Hunt(OneTarget((320.0, 180.0)))
    while hunt.search.hits == 0:
        hunt.go_on()
    hunt.observer.at_px = (330.0, 175.0)  # it moves on
    assert hunt.go_on().hits == 2
    np.testing.assert_allclose(hunt.observer.looks[0][0], (320, 180))
    assert len(hunt.observer.looks) == 1
    np.testing.assert_allclose(hunt.search.candidate_px, (330, 175))


def test_a_candidate_that_is_gone_counts_no_more() -> None:
    hunt = Hunt(OneTarget((125.0, 97.0)))
    hunt.go_on()
    hunt.observer.at_px = None
    assert hunt.go_on().hits == 0
    assert hunt.search.candidate_px is None
    hunt.observer.at_px = (125.0, 97.0)
    assert hunt.go_on().hits == 1


def test_two_candidates_at_two_places_are_no_two_hits_of_one() -> None:
    hunt = Hunt(OneTarget((320.0, 180.0)))
    while hunt.search.hits == 0:
        hunt.go_on()
    hunt.observer.at_px = (125.0, 97.0)  # at the last safe place, out of the candidate's view
    assert [hunt.go_on().hits for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(
    "fine",
    [
        pytest.param(replace(ITSELF, rivalry=0.9), id="with-a-rival"),
        pytest.param(replace(ITSELF, likeness=0.4), id="less-like-it-than-usual"),
        pytest.param(NOTHING, id="nothing-like-it"),
    ],
)
def test_what_promises_from_afar_must_pass_when_seen_finely(fine: Signals) -> None:
    hunt = Hunt(OneTarget((320.0, 180.0), fine))
    for _ in range(2 * len(hunt.search.tiles)):
        assert hunt.go_on().hits == 0


def test_a_target_at_the_rim_of_a_view_is_no_candidate() -> None:
    hunt = Hunt(OneTarget((LAST_SEEN[0] + 50.0, LAST_SEEN[1])), **{"recovery.promise": 1.0})
    assert hunt.observer.crop(LAST_SEEN, SIZE).to_crop(np.array(hunt.observer.at_px))[0] < 160
    assert hunt.go_on().hits == 0


def test_while_nothing_is_found_all_tiles_have_their_turn_again_and_again() -> None:
    hunt = Hunt(OneTarget(None))
    seen = []
    for _ in range(4 * len(hunt.search.tiles)):
        hunt.go_on()
        seen += [tuple(where) for where, zoom in hunt.observer.looks if zoom < 1]
    assert all(seen.count(tuple(tile)) >= 2 for tile in hunt.search.tiles)
    assert seen.count(tuple(LAST_SEEN)) >= len(hunt.search.tiles)  # and in between the last place


def test_nothing_is_looked_at_finely_that_promises_nothing() -> None:
    hunt = Hunt(OneTarget(None))
    for _ in range(6):
        hunt.go_on()
        assert [zoom for _, zoom in hunt.observer.looks] == [1.0, 0.5]


def test_one_that_was_found_elsewhere_and_lost_again_is_looked_for_at_both_places_by_turns() -> None:
    hunt, home = Hunt(OneTarget(None), **{"recovery.promise": 1.0}), np.array([500.0, 200.0])
    hunt._sought = replace(hunt._sought, home_px=home)
    fine = []
    for _ in range(4):
        hunt.go_on()
        fine += [tuple(where) for where, zoom in hunt.observer.looks if zoom == 1]
    assert fine == [tuple(LAST_SEEN), tuple(home)] * 2


@pytest.mark.parametrize(
    ("rivalry", "hits"),
    [(0.7, 1), (0.95, 1), (1.05, 0)],
    ids=["alone", "with its like", "another is more so"],
)
def test_a_target_is_at_home_if_nothing_else_is_more_like_it(rivalry: float, hits: int) -> None:
    seen = replace(ITSELF, rivalry=rivalry, strangeness=rivalry)
    hunt = Hunt(OneTarget((125.0, 100.0), fine=seen))
    home = Home.here(LAST_SEEN, SIZE, turn=2, frame=7)
    looked = hunt._searcher.looked_home(IMAGE_FRAME, home, hunt._sought, KnownTarget())
    assert looked.hits == hits
    np.testing.assert_allclose(looked.look_px, [125, 100] if hits else LAST_SEEN)
    assert hunt.observer.turns == [2]  # as it was turned there
    elsewhere = hunt._searcher.passes(
        hunt._searcher.fine(IMAGE_FRAME, LAST_SEEN, hunt._sought, KnownTarget()), hunt._sought.standing
    )
    assert elsewhere == (rivalry < 0.8)  # where it was not before, more is asked for


class LookAlike(OneTarget):
    """A place that promises in every coarse view, and is nothing when seen finely."""

    def sought(self, view: View, known, history: History, *, is_coarse: bool) -> Sight:
        if is_coarse:
            return Sight(view, np.full(2, MIDDLE_OF_VIEW + 20), ITSELF, lambda: ITSELF)
        return Sight(view, np.full(2, MIDDLE_OF_VIEW), NOTHING, lambda: NOTHING)


def test_what_always_promises_and_never_keeps_does_not_hide_the_last_place() -> None:
    hunt = Hunt(LookAlike(None))
    fine = []
    for _ in range(10):
        hunt.go_on()
        fine += [tuple(where) for where, zoom in hunt.observer.looks if zoom == 1]
        assert len(hunt.observer.looks) == 2
    assert fine.count(tuple(LAST_SEEN)) == 5
    assert len(fine) == 10
