"""The pictures: what can be got wrong without anybody seeing it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

for library in ("matplotlib", "jinja2"):
    pytest.importorskip(library)

from recip_tracker_core.drawing import heat_overlay
from recip_tracker_core.explaining.fits import COURSES
from recip_tracker_core.explaining.plots import (
    COLORS,
    TILE_PX,
    course_figure,
    draw_pictures,
    frames_figure,
    heated,
    iterations_figure,
    smoothed,
    spread,
)
from recip_tracker_core.explaining.run import SIDES, ConfidenceMap, Explanation, Moment, Sight, Story
from recip_tracker_core.painting import AttentionPicture
from recip_tracker_core.types import BoundingBox, Frame, TrackResult, TrackStatus

STEPS = 20
BOXES = {"with": BoundingBox(10, 20, 30, 40), "without": BoundingBox(12, 24, 26, 30)}


def picture(peak: float) -> AttentionPicture:
    attention = np.full((16, 16), 0.5, np.float32)
    attention[8, 8] = peak
    return AttentionPicture(np.full((16, 16, 3), 90, np.uint8), attention)


def sight(side: str) -> Sight:
    result = TrackResult(BOXES[side], TrackStatus.TRACKED, 0.75, 1.0, 0, 1)
    pixels, probability = np.full((48, 48, 3), 60, np.uint8), np.zeros((5, 5), np.float32)
    return Sight(result, picture(1.0), ConfidenceMap(pixels, probability, np.array([16, 12, 16, 24.0])))


@pytest.fixture
def explanation() -> Explanation:
    """Two moments of two sides whose courses rise and fall."""
    courses = {
        side: {name: list(np.linspace(0.2, 0.2 + at * share, STEPS)) for at, name in enumerate(COURSES)}
        for side, share in zip(SIDES, (0.1, -0.03), strict=True)
    }
    attention = {stop: picture(stop / STEPS) for stop in (5, 10, 15, 20)}
    stories = {side: Story(courses[side], attention, []) for side in SIDES}
    frame = np.full((60, 90, 3), 40, np.uint8)
    moments = tuple(
        Moment(Frame(frame, index=index), {side: sight(side) for side in SIDES}) for index in (3, 7)
    )
    return Explanation(stories, moments)


def test_all_three_are_pictures_as_wide_as_a_slide(explanation: Explanation) -> None:
    drawn = draw_pictures(explanation)
    assert set(drawn) == {"iterations", "frames", "course"}
    for png in drawn.values():
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[1] > 1200  # a slide's width


def test_the_first_fit_is_shown_on_one_crop_in_a_row_for_each_side(explanation: Explanation) -> None:
    panels = [panel for panel in iterations_figure(explanation).axes if panel.images]
    titles = [panel.get_title() for panel in panels]
    assert titles[1:5] == ["5 iterations", "10 iterations", "15 iterations", "20 iterations"]
    assert [panel.get_ylabel() for panel in panels if panel.get_ylabel()] == ["with the term", "without"]
    expected = explanation.stories["with"].attention[15]
    shown = heat_overlay(expected.pixels, expected.attention, TILE_PX)  # its crop is grey
    np.testing.assert_array_equal(panels[3].images[0].get_array(), shown)
    assert f"{spread(expected):.2f}" in panels[3].get_xlabel()


def test_each_frame_has_both_boxes_and_both_sides_in_their_colours(explanation: Explanation) -> None:
    panels = [panel for panel in frames_figure(explanation).axes if panel.images]
    assert len(panels) == 2 * (1 + 2 * 2)
    assert panels[0].get_ylabel() == "frame 3"
    drawn = {patch.get_edgecolor(): patch.get_bbox().bounds for patch in panels[0].patches}
    from matplotlib.colors import to_rgba  # noqa: PLC0415

    for side, box in BOXES.items():
        # an image's first pixel spans -0.5 to 0.5 in a plot
        assert drawn[to_rgba(COLORS[side], 1)] == (box.x - 0.5, box.y - 0.5, box.w, box.h)


def test_the_four_spreads_have_one_scale_and_every_course_is_drawn_whole(explanation: Explanation) -> None:
    panels = course_figure(explanation).axes
    assert len(panels) == len(COURSES)
    spreads = [panel for panel in panels if "map" in panel.get_title()]
    assert len({panel.get_ylim() for panel in spreads}) == 1
    for panel in panels:
        low, high = panel.get_ylim()
        values = np.concatenate([line.get_ydata() for line in panel.lines])
        assert low <= values.min() <= values.max() <= high
        assert {len(line.get_ydata()) for line in panel.lines} == {STEPS}


def test_every_colour_of_a_tile_is_the_heats() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, 8:] = (250, 40, 40)
    cold = heated(pixels, np.zeros((4, 4), np.float32))
    assert cold.shape == (TILE_PX, TILE_PX, 3)
    assert (cold == cold[..., :1]).all()
    assert cold[0, -1, 0] > cold[0, 0, 0]  # what it shows is still there
    hot = heated(pixels, np.ones((4, 4), np.float32))
    assert (hot[..., 0] > hot[..., 2]).all()


def test_a_running_mean_is_of_nine_values_and_of_fewer_at_the_ends() -> None:
    found = smoothed(np.arange(20.0) ** 2)
    assert found[10] == pytest.approx(np.mean(np.arange(6, 15.0) ** 2))
    assert found[0] == pytest.approx(np.mean(np.arange(5.0) ** 2))
    assert smoothed(np.array([1.0, 2.0, 6.0])) == pytest.approx([1.5, 3.0, 4.0])


def test_spread_is_deviation_over_mean_and_an_empty_map_has_none() -> None:
    pixels = np.zeros((1, 2, 3), np.uint8)
    assert spread(AttentionPicture(pixels, np.array([[1, 3]], np.float32))) == pytest.approx(0.5)
    assert spread(AttentionPicture(pixels, np.zeros((1, 2), np.float32))) == 0
