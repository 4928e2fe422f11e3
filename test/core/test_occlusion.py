"""A target that passes behind a pillar, in the demo's drawn clip: lost while it is hidden, found again."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recip_tracker_core import BoundingBox, Frame, TrackerConfig, TrackResult, TrackStatus, build_tracker
from recip_tracker_core.geometry import iou
from recip_tracker_core.parameters import replaced

pytestmark = pytest.mark.slow

DEMO = Path(__file__).parents[2] / "demo"
FRAMES, SIZE = 90, (320, 180)

Clip = list[Any]  # of the demo's pictures: image, box, in_view


@pytest.fixture(scope="module")
def draw() -> Callable[..., Clip]:
    """``draw(frames, size, seed)``: the pictures; the demo is not installed, so it is found by its place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMO)
        pictures = importlib.import_module("occlusion").pictures
    return lambda *arguments: list(pictures(*arguments))


@pytest.fixture(scope="module")
def clip(draw: Callable[..., Clip]) -> Clip:
    return draw(FRAMES, SIZE)


@pytest.fixture(scope="module")
def results(clip: Clip, device: torch.device) -> list[TrackResult]:
    """The answers of a tracker as it comes, but that it learns where a test can repeat it."""
    config = replaced(TrackerConfig(), {"update.updater": "inline", "device": str(device)})
    frames = [Frame(picture.image, index=index) for index, picture in enumerate(clip)]
    with contextlib.closing(build_tracker(config)) as tracker:
        first = tracker.init(frames[0], BoundingBox(*clip[0].box))
        return [first, *map(tracker.update, frames[1:])]


@pytest.fixture(scope="module")
def hidden(clip: Clip) -> slice:
    """The frames in which nothing of the target is in view."""
    places = np.flatnonzero([np.isnan(picture.box).any() for picture in clip])
    return slice(int(places[0]), int(places[-1]) + 1)


def overlaps(results: list[TrackResult], clip: Clip) -> np.ndarray:
    boxes = np.stack([result.box.as_array() for result in results])
    return iou(boxes, np.stack([picture.box for picture in clip]))


def statuses(results: list[TrackResult]) -> set[TrackStatus]:
    return {result.status for result in results}


def test_before_it_hides_it_is_tracked(clip: Clip, results: list[TrackResult]) -> None:
    whole = next(index for index, picture in enumerate(clip) if picture.in_view < 0.95)
    assert statuses(results[:whole]) == {TrackStatus.TRACKED}
    assert overlaps(results[:whole], clip[:whole]).min() > 0.6


def test_while_it_is_hidden_it_is_lost_and_not_taken_for_something_else(
    results: list[TrackResult], hidden: slice
) -> None:
    inside = results[hidden]
    assert inside[-1].status is TrackStatus.LOST
    assert TrackStatus.TRACKED not in statuses(inside)
    assert inside[-1].confidence < 0.25


def test_when_it_is_back_it_is_found_and_tracked_to_the_end(
    clip: Clip, results: list[TrackResult], hidden: slice
) -> None:
    assert statuses(results[-10:]) == {TrackStatus.TRACKED}
    assert overlaps(results[-10:], clip[-10:]).min() > 0.5


def test_the_clip_hides_its_target_once_and_knows_where_it_is_otherwise(clip: Clip, hidden: slice) -> None:
    assert 15 <= hidden.stop - hidden.start <= 25
    in_view = np.array([picture.in_view for picture in clip])
    boxes = np.stack([picture.box for picture in clip])
    assert in_view[hidden].max() < 0.01
    assert np.isfinite(np.delete(boxes, np.r_[hidden], axis=0)).all()
    assert boxes[-1, 0] > boxes[0, 0] + SIZE[0] / 2  # on the other side of the pillar,
    assert boxes[-1, 3] > 1.1 * boxes[0, 3]  # and nearer


def test_equal_seeds_give_equal_clips_and_other_seeds_others(draw: Callable[..., Clip]) -> None:
    first, again, other = (draw(2, SIZE, seed)[1].image for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()
