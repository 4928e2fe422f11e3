"""Two trackers alike but for the term: each is what it would be alone, and is shown where it looks."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from recip_tracker_core import BoundingBox, Boxes, Frame, TrackerConfig, build_tracker
from recip_tracker_core.classifier import margin
from recip_tracker_core.errors import ConfigError, NotInitialisedError
from recip_tracker_core.explaining.base import BASE
from recip_tracker_core.explaining.fits import COURSES
from recip_tracker_core.explaining.run import (
    AROUND,
    PLACES,
    SIDES,
    Explanation,
    check_explained,
    confidence_map,
    explained,
    quarters,
)
from recip_tracker_core.gaussian_tracker import GaussianTracker
from recip_tracker_core.geometry import iou
from recip_tracker_core.parameters import replaced

pytestmark = pytest.mark.slow

ITERATIONS, FRAMES = 8, 4
LITTLE = {
    "features.crop_px": 64,
    "features.context_px": 4,
    "classifier.hidden": 16,
    "optimizer.positives": 4,
    "optimizer.negatives": 4,
    "optimizer.mined_from": 12,
    "first_fit.positives": 40,
    "first_fit.negatives": 80,
    "first_fit.iterations": ITERATIONS,
    "update.interval": 2,
    "update.iterations": 2,
    "update.positives": 6,
    "update.negatives": 12,
    "search.candidates": 24,
    "search.tracked": 0.0,  # every frame is learned from
    "regression.samples": 30,
}


@pytest.fixture(scope="module")
def clip(rendered_clip: Callable[..., list]) -> tuple[list[Frame], BoundingBox]:
    """Some frames, and the target in the first."""
    made = rendered_clip(frames=FRAMES, seed=1)
    return [Frame(image, index=index) for index, (image, _) in enumerate(made)], BoundingBox(*made[0][1])


@pytest.fixture(scope="module")
def config(device: torch.device) -> TrackerConfig:
    """What is explained, at little cost."""
    return replaced(BASE, {**LITTLE, "device": str(device)})


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the run has said of its steps."""
    return []


@pytest.fixture(scope="module")
def explanation(clip: tuple[list[Frame], BoundingBox], config: TrackerConfig, told: list[str]) -> Explanation:
    """Of the clip; the last frame is shown."""
    return explained(config, iter(clip[0]), clip[1], (FRAMES - 1,), told.append)


@pytest.mark.parametrize(("side", "weight"), [("with", 1.0), ("without", 0.0)])
def test_each_side_is_the_tracker_of_that_weight_to_the_last_bit(
    explanation: Explanation,
    clip: tuple[list[Frame], BoundingBox],
    config: TrackerConfig,
    side: str,
    weight: float,
) -> None:
    frames, box = clip
    story = explanation.stories[side]
    alone = build_tracker(replaced(config, {"attention.weight": weight}))
    with contextlib.closing(alone):
        results = [alone.init(frames[0], box)]
        fitted = alone.attention(frames[0], box)
        results += [alone.update(frame) for frame in frames[1:]]
        assert [one.box for one in results] == [one.box for one in story.results]
        assert [one.score for one in results] == [one.score for one in story.results]
        assert alone.statistics.completed == 2  # an update is among what is compared
        np.testing.assert_array_equal(story.attention[ITERATIONS].attention, fitted.attention)
        (moment,) = explanation.moments
        sight = moment.sights[side]
        shown = alone.attention(frames[-1], results[-1].box)
        np.testing.assert_array_equal(sight.attention.attention, shown.attention)


def test_both_sides_differ_in_what_they_have_learned(explanation: Explanation) -> None:
    one, other = (explanation.stories[side] for side in SIDES)
    for stop in quarters(ITERATIONS):
        assert not np.array_equal(one.attention[stop].attention, other.attention[stop].attention)
    np.testing.assert_array_equal(one.attention[2].pixels, other.attention[2].pixels)
    (moment,) = explanation.moments
    maps = [moment.sights[side].confidence.probability for side in SIDES]
    assert not np.array_equal(*maps)


def test_there_is_a_picture_for_each_quarter_and_a_value_for_each_step(explanation: Explanation) -> None:
    assert quarters(200) == (50, 100, 150, 200)
    for story in explanation.stories.values():
        assert sorted(story.attention) == [2, 4, 6, 8]
        pictures = [story.attention[stop].attention for stop in (2, 4, 6, 8)]
        assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(pictures))
        assert {len(story.courses[name]) for name in COURSES} == {ITERATIONS}
        assert len(story.results) == FRAMES
    assert [moment.frame.index for moment in explanation.moments] == [FRAMES - 1]


def test_each_step_and_each_frame_is_told_once(explanation: Explanation, told: list[str]) -> None:
    counts = {name: told.count(name) for name in ("with", "without", "frames")}
    assert counts == {"with": ITERATIONS, "without": ITERATIONS, "frames": FRAMES}


class Knows:
    """Says how much a box overlaps the one it knows."""

    def __init__(self, box: BoundingBox) -> None:
        self._box = box
        self.sizes: set[tuple[float, float]] = set()

    def probabilities(self, frame: Frame, boxes: Boxes) -> np.ndarray:
        self.sizes |= {(float(w), float(h)) for _, _, w, h in boxes}
        return iou(boxes, self._box.as_array())


@pytest.mark.parametrize(("right", "down"), [(0, 0), (18, -9), (-20, 14)])
def test_the_map_is_highest_where_the_target_is_in_what_it_lies_over(right: float, down: float) -> None:
    last = BoundingBox(80, 50, 30, 20)
    target = BoundingBox(last.x + right, last.y + down, last.w, last.h)
    image = np.zeros((120, 180, 3), np.uint8)
    image[round(target.center[1]) - 2 :, round(target.center[0]) - 2 :][:4, :4] = 255  # its middle
    tracker = Knows(target)
    found = confidence_map(tracker, Frame(image), last)  # type: ignore[arg-type]
    assert tracker.sizes == {(30.0, 20.0)}
    assert found.probability.shape == (PLACES, PLACES)
    row, column = np.unravel_index(found.probability.argmax(), found.probability.shape)
    cell_px = len(found.pixels) / PLACES
    at_px = (np.array([column, row]) + 0.5) * cell_px
    bright = np.argwhere(found.pixels[..., 0] > 128).mean(axis=0)[::-1] + 0.5
    assert np.abs(at_px - bright).max() <= cell_px * 0.75
    # three roots of its area across, and the last box in the middle of it
    scale = len(found.pixels) / (AROUND * np.sqrt(600))
    assert found.box[2:] == pytest.approx([30 * scale, 20 * scale], rel=0.02)
    assert found.box[:2] + found.box[2:] / 2 == pytest.approx([len(found.pixels) / 2] * 2, abs=2)


def test_probabilities_are_those_of_the_newest_head_and_change_nothing(
    clip: tuple[list[Frame], BoundingBox], config: TrackerConfig
) -> None:
    frames, box = clip
    boxes = np.array([box.as_array(), [5, 5, box.w, box.h], [60, 40, 20, 30]], np.float32)
    asked, other = build_tracker(config), build_tracker(config)
    assert isinstance(asked, GaussianTracker)
    with contextlib.closing(asked), contextlib.closing(other):
        with pytest.raises(NotInitialisedError):
            asked.probabilities(frames[0], boxes)
        for tracker in (asked, other):
            tracker.init(frames[0], box)
        assert asked.probabilities(frames[0], boxes).argmax() == 0
        for frame in frames[1:]:
            answers = [tracker.update(frame) for tracker in (asked, other)]
            found = asked.probabilities(frame, boxes)
            assert answers[0].score == answers[1].score
        parts, last = asked._parts, answers[0].box
        assert parts.updater.latest.version > 1
        with torch.no_grad():
            features = parts.features.look(frames[-1], last).sample(boxes)
            scores = margin(parts.updater.latest.model(features)).cpu().numpy()
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-scores)), rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param({"proposals": "locator"}, "'proposals' = 'gaussian', got 'locator'", id="locator"),
        pytest.param({"attention.weight": 0.0}, "'attention.weight' above 0, got 0", id="no-term"),
    ],
)
def test_a_configuration_without_what_is_shown_is_refused(
    config: TrackerConfig, values: dict[str, object], named: str
) -> None:
    check_explained(config)
    with pytest.raises(ConfigError, match=named):
        check_explained(replaced(config, values))
