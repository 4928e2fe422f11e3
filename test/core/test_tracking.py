"""The whole tracker on a rendered clip whose truth is known: what both kinds of it promise.

Beyond that, test_locating_tracker.py has what the locator's promises, test_gaussian_tracker.py the other's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from recip_tracker_core import BoundingBox, Frame, Tracker, TrackResult, TrackStatus
from recip_tracker_core.errors import BoxError, NotInitialisedError
from recip_tracker_core.geometry import iou

pytestmark = pytest.mark.slow

Make = Callable[..., Tracker]
Clip = list[tuple[np.ndarray, tuple[int, int, int, int]]]
Render = Callable[..., Clip]


@pytest.fixture(params=["locator", "gaussian"])
def made(make_tracker: Make, request: pytest.FixtureRequest) -> Make:
    """``made(**values)``: a small real tracker of either kind."""
    return functools.partial(make_tracker, proposals=request.param)


@pytest.fixture
def made_gaussian(make_tracker: Make) -> Make:
    """The same of the paper's kind alone."""
    return functools.partial(make_tracker, proposals="gaussian")


def follow(tracker: Tracker, clip: Clip) -> list[TrackResult]:
    frames = [Frame(image, stamp_ns=40_000_000 * index, index=index) for index, (image, _) in enumerate(clip)]
    return [tracker.init(frames[0], BoundingBox(*clip[0][1])), *map(tracker.update, frames[1:])]


def overlaps(results: list[TrackResult], clip: Clip) -> np.ndarray:
    boxes = np.stack([result.box.as_array() for result in results])
    return iou(boxes, np.array([box for _, box in clip]))


def test_before_a_target_is_chosen_there_is_nothing_to_follow(made: Make) -> None:
    tracker, frame = made(), Frame(np.zeros((120, 160, 3), np.uint8))
    with pytest.raises(NotInitialisedError):
        tracker.update(frame)
    with pytest.raises(NotInitialisedError):
        tracker.attention(frame, BoundingBox(60, 40, 20, 20))


@pytest.mark.parametrize("updater", ["inline", "background"])
def test_a_moving_target_is_followed(made: Make, rendered_clip: Render, updater: str) -> None:
    clip = rendered_clip(frames=40, seed=1)
    tracker = made(**{"update.updater": updater})
    results = follow(tracker, clip)
    overlap = overlaps(results, clip)
    assert overlap.mean() >= 0.6
    assert overlap[-5:].min() >= 0.4
    assert sum(result.status is TrackStatus.TRACKED for result in results) >= 36
    assert [result.stamp_ns for result in results] == [40_000_000 * index for index in range(40)]
    assert results[0].model_version == 1
    assert tracker.statistics.failed == 0


def test_two_runs_with_one_seed_are_identical_and_another_seed_is_not(
    made: Make, rendered_clip: Render
) -> None:
    clip = rendered_clip(frames=15, seed=2)
    first, again, other = (follow(made(seed=seed), clip) for seed in (3, 3, 4))

    def said(results: list[TrackResult]) -> list[tuple]:
        return [(result.box, result.score, result.status, result.model_version) for result in results]

    assert said(first) == said(again)
    assert said(first) != said(other)


def test_a_tracker_that_followed_another_target_before_follows_as_a_fresh_one(
    made: Make, rendered_clip: Render
) -> None:
    clip, before = rendered_clip(frames=8, seed=2), rendered_clip(frames=5, seed=5)
    used = made()
    follow(used, before)
    fresh, again = follow(made(), clip), follow(used, clip)
    assert [result.box for result in fresh] == [result.box for result in again]


def test_a_covered_target_is_lost_with_low_confidence_and_found_when_it_is_back(
    made: Make, rendered_clip: Render
) -> None:
    clip = rendered_clip(frames=70, seed=1, hidden=range(5, 58))
    results = follow(made(), clip)
    assert all(result.status is TrackStatus.TRACKED for result in results[:5])
    covered = results[15:58]
    assert all(result.status is TrackStatus.LOST for result in covered)
    assert np.mean([result.confidence for result in covered]) < 0.25
    # after one round it appears where it was last seen
    assert results[-1].status is TrackStatus.TRACKED
    assert overlaps(results, clip)[-1] >= 0.5


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(BoundingBox(0, 0, 160, 120), id="whole-image"),
        pytest.param(BoundingBox(-20, -20, 40, 40), id="over-the-corner"),
        pytest.param(BoundingBox(140, 30, 60, 10), id="thin-over-the-border"),
        pytest.param(BoundingBox(80, 60, 4, 4), id="tiny"),
    ],
)
def test_an_unusual_target_gives_a_finite_box_whose_centre_is_in_the_image(
    made: Make, rendered_clip: Render, box: BoundingBox
) -> None:
    image, _ = rendered_clip(frames=1)[0]
    tracker = made(**{"first_fit.iterations": 5})
    assert tracker.init(Frame(image), box).box == box.clipped(160, 120)
    for _ in range(3):
        x, y = tracker.update(Frame(image)).box.center
        assert -1e-3 <= x <= 160 + 1e-3
        assert -1e-3 <= y <= 120 + 1e-3


def test_a_target_too_small_to_learn_is_refused_with_its_size(made: Make, rendered_clip: Render) -> None:
    image, _ = rendered_clip(frames=1)[0]
    with pytest.raises(BoxError, match=r"at least 4 pixels.* got 3 x 5"):
        made().init(Frame(image), BoundingBox(80, 60, 3, 5))


def test_attention_is_painted_while_it_follows(made: Make, rendered_clip: Render) -> None:
    clip = rendered_clip(frames=3, seed=1)
    tracker = made()
    result = follow(tracker, clip)[-1]
    attention = tracker.attention(Frame(clip[-1][0]), result.box).attention
    inner = np.zeros(attention.shape, bool)  # the target fills the inner half of its crop
    quarter = attention.shape[0] // 4
    inner[quarter:-quarter, quarter:-quarter] = True
    assert attention.max() == 1
    assert attention[inner].mean() > 1.4 * attention[~inner].mean()


def test_a_stream_that_changes_its_resolution_is_followed_on(made: Make, rendered_clip: Render) -> None:
    clip = rendered_clip(frames=8)
    tracker = made()
    tracker.init(Frame(clip[0][0]), BoundingBox(*clip[0][1]))
    for image, box in clip[1:]:
        doubled = cv2.resize(image, None, fx=2, fy=2)
        result = tracker.update(Frame(doubled))
        truth = 2 * np.array(box, np.float32)
        assert iou(result.box.as_array()[None], truth)[0] > 0.5


def test_samples_in_memory_hold_no_more_than_they_show(made_gaussian: Make, rendered_clip: Render) -> None:
    clip = rendered_clip(frames=4)
    tracker = made_gaussian()
    tracker.init(Frame(clip[0][0]), BoundingBox(*clip[0][1]))
    for image, _ in clip[1:]:
        tracker.update(Frame(image))
    positives, negatives = tracker._parts.memory.long_term()
    for samples in (batch.features for batch in (*positives, *negatives)):
        assert samples.untyped_storage().nbytes() == samples.numel() * samples.element_size()


def test_a_long_target_is_learned_against_boxes_that_its_view_covers(
    made_gaussian: Make, rendered_clip: Render
) -> None:
    image = rendered_clip(frames=1, size=(320, 240))[0][0]
    tracker = made_gaussian(**{"first_fit.iterations": 3})
    tracker.init(Frame(image), BoundingBox(20, 100, 250, 10))
    tracker.update(Frame(image))
    _, negatives = tracker._parts.memory.long_term()
    assert len(negatives[1]) > 30


def test_while_it_does_not_learn_the_target_is_followed_as_it_is_known(
    made: Make, rendered_clip: Render
) -> None:
    clip = rendered_clip(frames=24, seed=1)
    tracker = made(**{"update.interval": 2})
    tracker.learns = False
    results = follow(tracker, clip)
    assert {result.model_version for result in results} == {1}
    assert overlaps(results, clip).mean() > 0.5
    tracker.learns = True
    for index in range(8):
        tracker.update(Frame(clip[-1][0], index=24 + index))
    assert tracker.statistics.completed > 1


def test_another_one_knows_nothing_and_leaves_the_first_alone(made: Make, rendered_clip: Render) -> None:
    clip, other = rendered_clip(frames=12, seed=1), rendered_clip(frames=12, seed=2)
    alone = [result.box for result in follow(made(), clip)]
    tracker = made()
    frames = [Frame(image, index=index) for index, (image, _) in enumerate(clip)]
    boxes = [tracker.init(frames[0], BoundingBox(*clip[0][1])).box]
    boxes += [tracker.update(frame).box for frame in frames[1:6]]
    second = tracker.another()
    with pytest.raises(NotInitialisedError):
        second.update(frames[0])
    with ThreadPoolExecutor() as executor:  # beside each other, as a node starts a target
        job = executor.submit(follow, second, other)
        boxes += [tracker.update(frame).box for frame in frames[6:]]
        followed = job.result()
    assert boxes == alone
    assert [result.box for result in followed] == [result.box for result in follow(made(), other)]


def test_what_belongs_to_the_target_is_known_by_its_colours_or_not_at_all(
    make_tracker: Make, rendered_clip: Render
) -> None:
    image, box = rendered_clip(frames=1, seed=1)[0]
    x, y, w, h = box
    frame = Frame(image)
    tracker = make_tracker()
    tracker.init(frame, BoundingBox(*box))
    wide = tracker.belonging(frame, BoundingBox(x - w / 2, y - h / 2, 2 * w, 2 * h))  # half is around it
    assert wide is not None
    side = len(wide)
    middle = slice(side // 4 + 1, 3 * side // 4 - 1)
    inside = wide[middle, middle].mean()
    outside = (wide.sum() - wide[middle, middle].sum()) / (wide.size - wide[middle, middle].size)
    assert inside > 0.6 > 0.4 > outside
    assert ((wide >= 0) & (wide <= 1)).all()
    gaussian = make_tracker(proposals="gaussian")
    gaussian.init(frame, BoundingBox(*box))
    assert gaussian.belonging(frame, BoundingBox(*box)) is None
