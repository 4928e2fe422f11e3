"""What is drawn of several targets in one image."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from recip_tracker_core.drawing import COLORS, draw_result
from recip_tracker_core.types import BoundingBox, TrackResult, TrackStatus
from recip_tracker_ros.debug_picture import picture_of
from recip_tracker_ros.targets import Target

BOXES = BoundingBox(20, 40, 60, 60), BoundingBox(200, 100, 80, 90)


def answers(count: int, names: str = "ab") -> list:
    states = TrackStatus.TRACKED, TrackStatus.LOST
    results = [TrackResult(box, status, 0.5, 0, 0, 1) for box, status in zip(BOXES, states, strict=True)]
    return [(Target(None, name, "target"), one) for name, one in zip(names, results, strict=True)][:count]


def test_one_target_is_drawn_as_ever():
    image = np.zeros((240, 320, 3), np.uint8)
    ((_, result),) = answers(1)
    assert np.array_equal(picture_of(image, answers(1)), draw_result(image, result))
    assert not image.any()


def test_several_targets_have_a_box_and_a_name_each_in_the_colour_of_their_state():
    black = np.zeros((240, 320, 3), np.uint8)
    picture, renamed = (picture_of(black, answers(2, names)) for names in ("ab", "MW"))
    for (_, result), box in zip(answers(2), BOXES, strict=True):
        rows, columns = (
            slice(int(low) + 4, int(low + side) - 4) for low, side in ((box.y, box.h), (box.x, box.w))
        )
        assert (picture[rows, columns] == COLORS[result.status]).all(axis=2).sum() > 10
        assert (picture[rows, columns] != renamed[rows, columns]).any()
        outline = picture[int(box.y) : int(box.y + box.h), int(box.x)]
        assert (outline == COLORS[result.status]).all(axis=1).mean() > 0.4


@pytest.mark.parametrize("corner", [(-50, -50), (300, 220), (-50, 220), (300, -50)])
def test_the_name_of_a_box_that_is_partly_outside_is_in_the_picture(corner):
    black = np.zeros((240, 320, 3), np.uint8)
    _, other = answers(2)
    result = TrackResult(BoundingBox(*corner, 100, 100), TrackStatus.TRACKED, 0.5, 0, 0, 1)
    pictures = [picture_of(black, [(Target(None, name, "target"), result), other]) for name in ("a", "M")]
    assert (pictures[0] != pictures[1]).any(axis=2).sum() > 10
