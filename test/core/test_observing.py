"""One look at a frame, and what its best place says of itself."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from recip_tracker_core import Frame, TrackerConfig, build_tracker
from recip_tracker_core.appearance import Appearance
from recip_tracker_core.confidence import History
from recip_tracker_core.observing import Hearing, Observer, Sight
from recip_tracker_core.rivals import Scene
from recip_tracker_core.stories import Clock, Story, told

Render = Callable[..., list]


@dataclass(frozen=True)
class Watch:
    """An observer that knows the target of the scene."""

    observer: Observer
    known: Appearance
    center_px: np.ndarray
    size_px: np.ndarray

    def seen(self, image: np.ndarray) -> Sight:
        history = History(self.known.first_peak, self.known.first_sharpness)
        view = self.observer.look(Frame(image), self.center_px, self.size_px, self.known)
        return told(Story(self.observer.followed(view, self.known, history, Scene()), Clock()))


@pytest.fixture(scope="module")
def watch(small: Callable[..., TrackerConfig], scene) -> Iterator[Watch]:
    with contextlib.closing(build_tracker(small())) as tracker:
        tracker.init(scene.frame, scene.box)
        size = np.array([scene.box.w, scene.box.h])
        known = tracker._parts.updater.latest.model
        yield Watch(tracker.observer, known, np.array(scene.box.center), size)


def test_in_the_first_frame_everything_is_as_usual(watch: Watch, scene) -> None:
    sight = watch.seen(scene.frame.image)
    np.testing.assert_allclose(sight.in_image_px, scene.box.center, atol=1)
    signals = sight.signals
    assert (signals.likeness, signals.strength) == (pytest.approx(1, abs=0.05), pytest.approx(1, abs=0.05))
    assert signals.peak == pytest.approx(watch.known.first_peak, rel=0.05)
    assert signals.rivalry < 0.5
    assert signals.margin > 0
    assert signals.recognition > 0.99


def test_a_target_that_has_moved_is_seen_where_it_is_in_the_image(
    watch: Watch, rendered_clip: Render
) -> None:
    image, (x, y, w, h) = rendered_clip(frames=5, seed=1)[4]
    sight = watch.seen(image)
    np.testing.assert_allclose(sight.in_image_px, (x + w / 2, y + h / 2), atol=1.5)
    assert sight.signals.recognition > 0.9


def test_a_box_that_does_not_go_there_is_judged_by_where_it_is(watch: Watch, rendered_clip: Render) -> None:
    image, _ = rendered_clip(frames=9, seed=1)[8]  # the target has moved on by half a box and more
    sight = watch.seen(image)
    assert sight.signals.recognition > 0.9
    assert sight.resting.likeness < 0.5 * sight.signals.likeness
    assert sight.resting.rivalry > 1
    assert sight.resting.recognition < 0.5


def test_without_the_target_every_signal_falls(watch: Watch, rendered_clip: Render, scene) -> None:
    there = watch.seen(scene.frame.image).signals
    image, _ = rendered_clip(frames=1, seed=1, hidden=range(1))[0]
    gone = watch.seen(image).signals
    assert gone.likeness < 0.35
    assert gone.strength < 0.7
    assert gone.margin < there.margin
    assert gone.recognition < 0.3


def test_a_second_one_like_it_is_a_rival(watch: Watch, scene) -> None:
    box = scene.box
    x, y, w, h = (int(value) for value in (box.x, box.y, box.w, box.h))
    image = scene.frame.image.copy()
    image[y - 45 : y - 45 + h, x : x + w] = image[y : y + h, x : x + w]
    alone, beside = watch.seen(scene.frame.image).signals, watch.seen(image).signals
    assert beside.rivalry > 0.6
    assert beside.rivalry > 2 * alone.rivalry


def test_a_place_far_away_is_not_chosen_for_a_height_that_its_distance_outweighs(watch: Watch, scene) -> None:
    box = scene.box
    x, y, w, h = (int(value) for value in (box.x, box.y, box.w, box.h))
    image = scene.frame.image.copy()
    target = image[y : y + h, x : x + w].copy()
    image[y : y + h, x : x + w] = image[y : y + h, x : x + w] // 3 + 40  # at home it looks different
    image[y - 45 : y - 45 + h, x : x + w] = target
    sight = watch.seen(image)
    finder = sight.view.finder
    home, away = (sight.view.crop.to_crop(watch.center_px - [0, up]) for up in (0, 45))
    low, high = finder.near(home, 10), finder.near(away, 10)
    ((unsure, sure),) = watch.observer.heard([Hearing(sight.view, [home, away], watch.known)])
    assert low < high
    assert unsure < sure  # the classifier likes the far one better, too
    half = sight.view.crop.side_px / 2
    outweighed = 1.2 * (1 - low / high) / (np.abs(away - half).max() / half) ** 2
    strict = replace(watch, observer=_windowed(watch.observer, outweighed))
    np.testing.assert_allclose(strict.seen(image).in_image_px, watch.center_px, atol=3)
    np.testing.assert_allclose(strict.seen(image).elsewhere_px, watch.center_px - [0, 45], atol=3)


def _windowed(observer: Observer, window: float) -> Observer:
    other = copy.copy(observer)
    other._window = window
    return other


def test_without_a_classifier_there_is_no_margin(watch: Watch, scene) -> None:
    bare = replace(watch, known=replace(watch.known, head=None, first_head=None))
    assert np.isnan(bare.seen(scene.frame.image).signals.margin)


def test_a_place_twice_as_far_away_is_in_a_view_of_half_the_zoom(watch: Watch) -> None:
    whole, half = (watch.observer.crop(watch.center_px, watch.size_px, zoom) for zoom in (1.0, 0.5))
    np.testing.assert_allclose(half.to_crop(whole.to_image(np.zeros(2))), [40, 40])
    size = watch.size_px * whole.scale
    assert np.sqrt(size.prod()) == pytest.approx(48)


def test_a_coarse_look_finds_a_target_far_from_its_middle(watch: Watch, scene) -> None:
    away = watch.center_px + np.array([-50, 35])
    view = watch.observer.look(scene.frame, away, watch.size_px, watch.known, 0.5)
    history = History(watch.known.first_peak, watch.known.first_sharpness)
    sight = watch.observer.sought(view, watch.known, history, is_coarse=True)
    np.testing.assert_allclose(sight.in_image_px, watch.center_px, atol=6)
    assert sight.signals.likeness > 0.4
