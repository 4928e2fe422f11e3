"""The place at which a target last was beyond doubt, and when it is the target's no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recip_tracker_core.confidence import History, Standing
from recip_tracker_core.homes import AWAY, DOUBT_FRAMES, REACH, Home
from recip_tracker_core.located_target import Target
from recip_tracker_core.types import TrackStatus

PLACE, SIZE = np.array([100.0, 80.0]), np.array([20.0, 40.0])
FRAMES = 50
SURE = Standing()
PROBATION = Standing(status=TrackStatus.UNCERTAIN, probation=1)
DOUBTED = Standing(status=TrackStatus.UNCERTAIN, is_doubted=True)
LOST = Standing(status=TrackStatus.LOST)


@pytest.fixture
def target() -> Target:
    """At home in its frame 10."""
    image, history = np.array([320.0, 240.0]), History(1.0, 10.0)
    born = Target(PLACE, SIZE, SIZE, image, history, safe=(PLACE, SIZE, 0), frames=10, turn=3)
    return born.homed(SURE, FRAMES)


def after(target: Target, frames: int, boxes: float) -> Target:
    """So many frames later, so many boxes to the right of its first place."""
    return replace(target, frames=10 + frames, center_px=PLACE + np.array([boxes * SIZE[0], 0.0]))


def test_a_target_beyond_doubt_is_at_home_wherever_it_goes(target: Target) -> None:
    for frames in range(1, 30):
        target = after(target, frames, 0.5 * frames).homed(SURE, FRAMES)
        assert target.home is not None
        np.testing.assert_array_equal(target.home.center_px, target.center_px)
        assert (target.home.frame, target.home.turn) == (10 + frames, 3)
        assert target.away_from(FRAMES) is None


@pytest.mark.parametrize("standing", [PROBATION, DOUBTED, LOST], ids=["on probation", "doubted", "lost"])
def test_one_that_goes_in_doubt_leaves_its_home_behind(target: Target, standing: Standing) -> None:
    gone = after(target, 1, 1.1 * AWAY).homed(standing, FRAMES)
    assert gone.home.frame == target.home.frame
    assert gone.away_from(FRAMES) is gone.home
    assert after(target, 1, 0.9 * AWAY).homed(standing, FRAMES).away_from(FRAMES) is None


def test_where_it_went_is_its_home_once_the_old_one_is_forgotten(target: Target) -> None:
    gone = after(target, 1, 3.0).homed(PROBATION, FRAMES)
    believed = replace(gone, frames=10 + FRAMES).homed(SURE, FRAMES)
    assert believed.away_from(FRAMES) is gone.home
    later = replace(gone, frames=11 + FRAMES)
    assert later.home_within(FRAMES) is None
    assert later.homed(SURE, FRAMES).home.frame == 11 + FRAMES


def test_one_that_a_rival_may_have_led_away_is_soon_believed(target: Target) -> None:
    gone = after(target, 1, 3.0).homed(DOUBTED, FRAMES)
    assert replace(gone, frames=10 + DOUBT_FRAMES).away_from(FRAMES) is gone.home
    later = replace(gone, frames=11 + DOUBT_FRAMES)
    assert later.away_from(FRAMES) is None
    assert later.homed(DOUBTED, FRAMES).home.frame == later.frames


def test_one_that_goes_on_beside_its_like_takes_its_home_along(target: Target) -> None:
    for frames in range(1, 3 * DOUBT_FRAMES):
        target = after(target, frames, 0.02 * frames).homed(DOUBTED, 1000)
        assert target.away_from(1000) is None
    assert target.home.frame > 10


def test_never_means_never(target: Target) -> None:
    assert after(target, 1, 3.0).homed(PROBATION, 0).away_from(0) is None


def test_looks_in_a_row_count_and_each_goes_to_where_the_last_one_saw_it() -> None:
    home, beside = Home.here(PLACE, SIZE, turn=0, frame=0), PLACE + 0.5 * REACH * SIZE
    once = home.looked(beside, is_central=True)
    twice = once.looked(PLACE, is_central=True)
    assert (once.hits, twice.hits) == (1, 2)
    np.testing.assert_array_equal(once.look_px, beside)
    assert home.looked(beside, is_central=False).hits == 0
    for missed in (once.looked(None, is_central=True), once.looked(PLACE + 0.8 * SIZE, is_central=True)):
        assert missed.hits == 0
        np.testing.assert_array_equal(missed.look_px, PLACE)
