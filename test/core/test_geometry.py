"""Arithmetic on many boxes, worked by hand."""

import numpy as np
import pytest

from recip_tracker_core.errors import BoxError
from recip_tracker_core.geometry import centers, from_centers, iou, keep_in_view, to_box
from recip_tracker_core.types import BoundingBox


@pytest.mark.parametrize(
    ("box", "overlap"),
    [
        pytest.param((0, 0, 10, 10), 1.0, id="itself"),
        pytest.param((5, 0, 10, 10), 50 / 150, id="half-to-the-side"),
        pytest.param((5, 5, 10, 10), 25 / 175, id="a-quarter"),
        pytest.param((2, 2, 5, 5), 25 / 100, id="contained"),
        pytest.param((10, 0, 10, 10), 0.0, id="only-touching"),
        pytest.param((-20, -20, 5, 5), 0.0, id="apart-in-both-directions"),
    ],
)
def test_overlap_is_intersection_over_union(box: tuple[float, ...], overlap: float) -> None:
    own = np.array([[0, 0, 10, 10]], np.float32)
    assert iou(own, box)[0] == pytest.approx(overlap, abs=1e-6)
    assert iou(np.array([box], np.float32), own[0])[0] == pytest.approx(overlap, abs=1e-6)


def test_overlap_goes_row_by_row_when_there_are_as_many_boxes_on_both_sides() -> None:
    boxes = np.array([[0, 0, 2, 2], [4, 4, 2, 2]], np.float32)
    others = np.array([[0, 0, 2, 1], [5, 4, 2, 2]], np.float32)
    np.testing.assert_allclose(iou(boxes, others), [0.5, 1 / 3], rtol=1e-6)


def test_boxes_come_back_from_their_centres_and_sizes() -> None:
    boxes = np.array([[1, 2, 3, 4], [-5, 0.5, 10, 1]], np.float32)
    np.testing.assert_array_equal(centers(boxes), [[2.5, 4], [0, 1]])
    np.testing.assert_array_equal(from_centers(centers(boxes), boxes[:, 2:]), boxes)


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        pytest.param((20, 20, 10, 10), (20, 20, 10, 10), id="inside"),
        pytest.param((95, 75, 10, 10), (95, 75, 10, 10), id="half-outside-may-stay"),
        pytest.param((150, 20, 10, 10), (95, 20, 10, 10), id="too-far-right"),
        pytest.param((-90, -90, 10, 20), (-5, -10, 10, 20), id="too-far-up-and-left"),
        pytest.param((0, 0, 300, 80), (50, 0, 100, 80), id="wider-than-the-image"),
        pytest.param((20, 20, 0.5, 8), (19.25, 20, 2, 8), id="too-thin"),
    ],
)
def test_a_box_is_moved_until_its_centre_is_in_the_image(
    box: tuple[float, ...], kept: tuple[float, ...]
) -> None:
    np.testing.assert_allclose(keep_in_view(np.array([box], np.float32), 100, 80), [kept])


def test_a_row_becomes_a_box_and_a_row_of_nonsense_is_refused() -> None:
    assert to_box(np.array([1, 2, 3, 4], np.float32)) == BoundingBox(1, 2, 3, 4)
    with pytest.raises(BoxError):
        to_box(np.array([1, 2, np.nan, 4], np.float32))
