"""Where a target is said to be now: on lines known beforehand, with and without noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from recip_tracker_core.motion import Motion
from recip_tracker_core.types import BoundingBox

MS = 1_000_000  # nanoseconds
HORIZON = 500 * MS


def box_at(x: float, y: float, w: float = 60, h: float = 40) -> BoundingBox:
    """By its centre."""
    return BoundingBox(x - w / 2, y - h / 2, w, h)


def motion_of(centers: Iterable[tuple[int, float, float]]) -> Motion:
    """Of boxes at (stamp in ms, x, y)."""
    motion = Motion()
    for stamp_ms, x, y in centers:
        motion = motion.with_box(box_at(x, y), stamp_ms * MS)
    return motion


def center(motion: Motion, stamp_ms: int, horizon: int = HORIZON) -> tuple[float, float]:
    box = motion.predicted(stamp_ms * MS, horizon)
    assert box is not None
    return box.center


def steady(stamp_ms: int) -> tuple[int, float, float]:
    """200 px/s to the right and 50 up."""
    return stamp_ms, 100 + 0.2 * stamp_ms, 300 - 0.05 * stamp_ms


def test_before_the_first_box_there_is_no_place() -> None:
    assert Motion().predicted(0, HORIZON) is None


def test_a_steady_target_is_predicted_exactly_whatever_the_stamps() -> None:
    motion = motion_of(map(steady, (0, 30, 71, 99, 160, 167, 230)))
    # at 330 ms: 100 + 66 and 300 - 16.5
    assert center(motion, 330) == pytest.approx((166, 283.5))
    assert center(motion, 230) == pytest.approx(steady(230)[1:])


def test_a_size_stays_that_of_the_last_box() -> None:
    motion = motion_of(map(steady, (0, 30, 60))).with_box(box_at(118, 295.5, 70, 30), 90 * MS)
    predicted = motion.predicted(190 * MS, HORIZON)
    assert (predicted.w, predicted.h) == (70, 30)


def test_two_boxes_do_not_make_a_velocity() -> None:
    assert center(motion_of(map(steady, (0, 30))), 130) == pytest.approx(steady(30)[1:])
    assert center(motion_of(map(steady, (0, 30, 60))), 160) == pytest.approx(steady(160)[1:])


def test_beyond_the_horizon_the_target_stays_where_it_then_was() -> None:
    motion = motion_of(map(steady, (0, 50, 100, 150)))
    at_horizon = steady(150 + 200)[1:]
    assert center(motion, 350, 200 * MS) == pytest.approx(at_horizon)
    assert center(motion, 9000, 200 * MS) == pytest.approx(at_horizon)


def test_a_clock_that_runs_behind_predicts_nothing_backwards() -> None:
    motion = motion_of(map(steady, (0, 50, 100, 150)))
    assert center(motion, -1000) == pytest.approx(steady(150)[1:])


@pytest.mark.parametrize("rate_hz", [10, 15, 30, 60])
@pytest.mark.parametrize("speed", [0, 300])
def test_with_a_pixel_of_noise_100_ms_ahead_are_known_to_1_2_pixels(rate_hz: int, speed: float) -> None:
    ahead, last = [], []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        motion = Motion()
        for index in range(60):
            stamp_ms = round(1000 * index / rate_hz)
            x, y = np.array([speed * stamp_ms / 1000, 200]) + generator.standard_normal(2)
            motion = motion.with_box(box_at(x, y), stamp_ms * MS)
            if index > rate_hz // 3:
                truth = speed * (stamp_ms + 100) / 1000, 200
                ahead.append(np.subtract(center(motion, stamp_ms + 100), truth))
                last.append(np.subtract((x, y), truth))
    error_px = np.sqrt(np.mean(np.square(ahead), axis=0))  # of each axis
    assert (error_px < 1.2).all()
    assert speed == 0 or error_px[0] < np.sqrt(np.mean(np.square(last), axis=0))[0] / 20


@pytest.mark.parametrize("off_px", [15, 200])
@pytest.mark.parametrize("at", [3, 5, 7])
def test_one_box_elsewhere_is_no_motion(off_px: float, at: int) -> None:
    boxes = [steady(33 * index) for index in range(8)]
    stamp_ms, x, y = boxes[at]
    boxes[at] = (stamp_ms, x + off_px, y - off_px)
    assert center(motion_of(boxes), 331) == pytest.approx(steady(331)[1:], abs=0.1)


def test_two_boxes_elsewhere_are_a_new_motion() -> None:
    before = [steady(33 * index) for index in range(8)]
    leapt = [(stamp_ms, x + 300, y) for stamp_ms, x, y in (steady(33 * index) for index in range(8, 11))]
    assert center(motion_of([*before, *leapt[:1]]), 364) == pytest.approx(steady(364)[1:], abs=1e-6)
    assert center(motion_of([*before, *leapt[:2]]), 430) == pytest.approx(leapt[1][1:])
    x, y = steady(430)[1:]
    assert center(motion_of([*before, *leapt]), 430) == pytest.approx((x + 300, y))


def test_a_turn_is_followed_within_a_third_of_a_second() -> None:
    there = [(33 * index, 10.0 * index, 0.0) for index in range(15)]
    back = [(33 * index, 140 - 10.0 * (index - 14), 0.0) for index in range(15, 24)]
    assert center(motion_of([*there, *back]), 23 * 33 + 99)[0] == pytest.approx(20, abs=5)


def gone_back(motion: Motion) -> Motion:
    return motion.with_box(box_at(500, 20), 60 * MS)


def stood_still(motion: Motion) -> Motion:
    return motion.with_box(box_at(500, 20), 90 * MS)


def after_a_gap(motion: Motion) -> Motion:
    return motion.with_box(box_at(500, 20), (90 + 501) * MS)


@pytest.mark.parametrize("change", [gone_back, stood_still, after_a_gap])
@pytest.mark.parametrize("with_stray", [False, True])
def test_where_time_is_cut_a_motion_starts_anew(change: Callable[[Motion], Motion], with_stray: bool) -> None:
    stamps = (0, 30, 60) if with_stray else (0, 30, 60, 90)
    motion = motion_of(map(steady, stamps))
    if with_stray:
        motion = motion.with_box(box_at(900, 900), 90 * MS)
    motion = change(motion)
    assert len(motion.boxes) == 1
    assert center(motion, 1000) == (500, 20)


def test_a_gap_as_long_as_the_window_is_none() -> None:
    assert len(motion_of(map(steady, (0, 100, 200, 700))).boxes) == 2  # what is older than the window is left


def test_few_boxes_are_kept_however_many_there_were() -> None:
    assert len(motion_of(map(steady, range(0, 3000, 10))).boxes) == 26  # 250 ms of them, both ends included
    assert len(motion_of(map(steady, range(0, 3000, 90))).boxes) == 6
    assert len(motion_of(map(steady, range(0, 3000, 200))).boxes) == 3  # as many as the window has
