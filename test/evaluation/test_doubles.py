"""A double shows the target a second time, where it should, and makes it absent only where it hides it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from recip_tracker_core.errors import SourceError
from recip_tracker_core.evaluation.doubles import Double
from recip_tracker_core.evaluation.edits import Box

FRAMES = 41  # so that it meets the target in the middle of frame 20
GROUND, TARGET, PAST = 40, 120, 200  # brightness of the scene, of the target, and of the target long ago
BOX = (100.0, 60.0, 20.0, 40.0)
CUT = (30.0, 20.0, 20.0, 40.0)


def scene(box: Box, brightness: int) -> np.ndarray:
    image = np.full((160, 240, 3), GROUND, np.uint8)
    x, y, w, h = map(int, box)
    image[y - h // 4 : y + 5 * h // 4, x - w // 4 : x + 5 * w // 4] = brightness  # larger than its box
    return image


@pytest.fixture
def past(tmp_path: Path) -> Path:
    file = tmp_path / "past.png"
    cv2.imwrite(str(file), scene(CUT, PAST))
    return file


def double(
    past: Path, is_in_front: bool = True, cut: Box = CUT, miss: tuple[float, float] = (0, 0)
) -> Double:
    """From four widths to the right of the target to four to the left of it: a fifth of one a frame."""
    return Double(7, (BOX,) * FRAMES, (past,) * FRAMES, (cut,) * FRAMES, (4.0, 0.0), miss, is_in_front)


def shown(made: Double, at: int) -> np.ndarray:
    return made.apply(scene(BOX, TARGET), made.start + at)[..., 0]


def test_it_goes_straight_through_the_target_from_one_side_to_the_other(past: Path) -> None:
    places = double(past).places
    assert places.shape == (FRAMES, 4)
    np.testing.assert_allclose(places[[0, 20, 40], 0], [180, 100, 20])
    np.testing.assert_allclose(np.diff(places[:, 0]), -4)
    np.testing.assert_allclose(places[:, 1:], [BOX[1:]] * FRAMES)


def test_it_is_off_the_target_by_its_miss_where_they_meet(past: Path) -> None:
    place = double(past, miss=(0.1, -0.05)).places[20]
    np.testing.assert_allclose(place, [100 + 0.1 * 20, 60 - 0.05 * 40, 20, 40])


def test_it_hides_the_target_where_it_covers_more_than_half_of_its_box(past: Path) -> None:
    # A fifth of a width a frame: .6 are left beside it two frames from the middle, .4 three frames from it.
    assert np.flatnonzero(double(past).hides).tolist() == [18, 19, 20, 21, 22]
    # Off by .4 of the height it covers .6 in the middle, and .6 x .8 a frame from it.
    assert np.flatnonzero(double(past, miss=(0, 0.4)).hides).tolist() == [20]
    assert not double(past, is_in_front=False).hides.any()


@pytest.mark.parametrize(("is_in_front", "center"), [(True, PAST), (False, TARGET)], ids=["front", "behind"])
def test_in_front_it_covers_the_target_and_behind_it_is_covered(
    past: Path, is_in_front: bool, center: int
) -> None:
    image = shown(double(past, is_in_front), 20)
    assert image[80, 110] == center


def test_beside_the_target_it_leaves_the_target_alone(past: Path) -> None:
    image = shown(double(past), 30)  # two widths to the left, its middle at x = 70
    assert (image[70:90, 65:75] == PAST).all()
    untouched = scene(BOX, TARGET)[..., 0]
    np.testing.assert_array_equal(image[:, 90:], untouched[:, 90:])
    np.testing.assert_array_equal(image[:, :50], untouched[:, :50])


def test_its_edge_is_an_ellipse_that_grows_thin_by_hand(past: Path) -> None:
    # The ellipse of .9 of the box is whole, the one of 1.2 empty. Half a width is 10 px: at the pixel whose
    # middle is 10.5 px from the centre, 1.05 of it, a share of (1.2 - 1.05) / .3 = .5 is double.
    row = shown(double(past), 5)[80]  # its middle at x = 170, in a row whose middle is .5 of 20 px down
    reach = np.hypot(10.5 / 10, 0.5 / 20)
    share = (1.2 - reach) / 0.3
    assert row[180] == round(share * PAST + (1 - share) * GROUND) == 120
    assert (row[161:179] == PAST).all()
    assert row[182] == row[157] == GROUND
    corners = shown(double(past), 5)[[61, 61, 98, 98], [161, 178, 161, 178]]
    assert (corners == GROUND).all()  # of its box: what a box has of the background there stays away


def test_it_has_the_size_that_the_target_has_now(past: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.png"
    small = (30.0, 20.0, 10.0, 20.0)
    cv2.imwrite(str(half), scene(small, PAST))
    np.testing.assert_array_equal(shown(double(half, cut=small), 5), shown(double(past), 5))


def test_it_comes_and_goes_over_four_frames(past: Path) -> None:
    made = double(past)
    centers = [round(place[0] + place[2] / 2) for place in made.places]
    seen = [int(shown(made, at)[80, centers[at]]) for at in (*range(5), *range(36, 41))]
    rising = [round(GROUND + share * (PAST - GROUND)) for share in (0.2, 0.4, 0.6, 0.8, 1)]
    assert seen == rising + rising[::-1]
    assert made.last_whole == 7 + 36


def test_the_image_that_came_in_is_left_as_it_is(past: Path) -> None:
    image = scene(BOX, TARGET)
    image.flags.writeable = False
    assert (double(past).apply(image, 20) != image).any()


def test_at_the_edge_of_the_image_it_is_cut(past: Path) -> None:
    made = Double(0, ((0.0, 0.0, 20.0, 40.0),) * 30, (past,) * 30, (CUT,) * 30, (0.0, 3.0), (0.0, 0.0), True)
    image = made.apply(scene(BOX, GROUND), 5)[..., 0]
    center = int(made.places[5, 1] + 20)
    assert (image[center, 1:19] == PAST).all()
    assert (image[center, 22:] == GROUND).all()


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.png"):
        shown(double(tmp_path / "none.png"), 5)
