"""The target's look-alikes, each followed on a path of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recip_tracker_core import config
from recip_tracker_core.rivals import Rival, RivalWatch, Scene, moved

SIZE = np.array([40.0, 20.0])
HERE = np.array([200.0, 100.0])  # the target


def watch(**settings: object) -> RivalWatch:
    return RivalWatch(replace(config.Rivals(), **settings))


def rival(x: float, y: float, velocity: tuple[float, float] = (0.0, 0.0), sightings: int = 3) -> Rival:
    return Rival(np.array([x, y]), np.array(velocity), sightings)


def walked(places: list[tuple[float, float] | None], *, is_well: bool = True, **settings: object) -> Scene:
    """The scene after frames that showed one other peak there, or none, the target standing still."""
    scene = Scene()
    for place in places:
        others = [] if place is None else [np.array(place)]
        scene = watch(**settings).followed(scene, others, HERE, SIZE, is_well=is_well)
    return scene


PATH = [(300.0 - 4 * index, 100.0) for index in range(12)]  # towards the target, 4 pixels a frame


def test_a_peak_that_goes_on_from_frame_to_frame_is_one_rival() -> None:
    scene = walked(PATH)
    (one,) = scene.rivals
    np.testing.assert_allclose(one.place_px, PATH[-1])
    np.testing.assert_allclose(one.velocity_px, (-4, 0), atol=0.1)
    np.testing.assert_allclose(one.predicted_px, (252, 100), atol=0.1)
    assert one.sightings == 12


def test_one_that_is_hidden_goes_on_as_it_was_going() -> None:
    (one,) = walked([*PATH, None, None]).rivals
    np.testing.assert_allclose(one.place_px, (248, 100), atol=0.3)
    (seen_again,) = walked([*PATH, None, None, (244.0, 100.0)]).rivals
    assert (seen_again.sightings, seen_again.unseen) == (13, 0)


@pytest.mark.parametrize(
    ("seen", "unseen", "is_remembered"),
    [
        pytest.param(3, 5, True, id="known-and-not-long-gone"),
        pytest.param(3, 6, False, id="known-and-long-gone"),
        pytest.param(2, 1, True, id="hardly-seen-and-just-gone"),
        pytest.param(2, 2, False, id="hardly-seen-and-gone"),
    ],
)
def test_one_that_is_gone_is_forgotten_the_sooner_the_less_it_was_known(
    seen: int, unseen: int, is_remembered: bool
) -> None:
    scene = walked([(300.0, 100.0)] * seen + [None] * unseen, known_after=3, forgotten_after=5)
    assert bool(scene.rivals) == is_remembered


def test_a_peak_seen_while_the_target_does_badly_makes_nobody_known() -> None:
    # it may be the target
    (one,) = walked([(300.0, 100.0)] * 10, is_well=False).rivals
    assert one.sightings == 0


def test_a_peak_on_the_target_is_no_rival() -> None:
    assert walked([(HERE[0] + 12, HERE[1])] * 10).rivals == ()  # 0.3 boxes


def test_two_peaks_are_two_rivals_each_with_its_own_path() -> None:
    scene = Scene()
    for step in range(8):
        others = [np.array([300.0, 60.0 + 2 * step]), np.array([100.0, 140.0 - 2 * step])]
        scene = watch().followed(scene, others[:: 1 if step % 2 else -1], HERE, SIZE, is_well=True)
    velocities = sorted(one.velocity_px[1] for one in scene.rivals)
    np.testing.assert_allclose(velocities, [-2, 2], atol=0.1)


GOING_LEFT = Scene(rivals=(rival(216.0, 100.0, (-8.0, 0.0)),))  # next at 208, 0.2 boxes beside the target


@pytest.mark.parametrize(
    ("at_px", "is_its"),
    [
        pytest.param((208.0, 100.0), True, id="where-it-was-going"),
        pytest.param((206.0, 100.0), True, id="nearer-to-that-than-to-the-target"),
        pytest.param((202.0, 100.0), False, id="nearer-to-the-target"),
        pytest.param((300.0, 100.0), False, id="where-nobody-was-going"),
    ],
)
def test_a_peak_is_a_rivals_where_that_was_going(at_px: tuple[float, float], is_its: bool) -> None:
    assert watch().is_rivals(np.array(at_px), GOING_LEFT, HERE, SIZE) is is_its


def test_a_peak_where_the_target_was_going_is_the_targets() -> None:
    scene = replace(GOING_LEFT, velocity_px=np.array([8.0, 0.0]))  # at 208, as the rival
    assert not watch().is_rivals(np.array([208.0, 100.0]), scene, HERE, SIZE)


def test_one_that_is_not_yet_known_has_no_peak_of_its_own() -> None:
    scene = Scene(rivals=(rival(208.0, 100.0, sightings=2),))
    assert not watch(known_after=3).is_rivals(np.array([208.0, 100.0]), scene, HERE, SIZE)
    assert watch(known_after=2).is_rivals(np.array([208.0, 100.0]), scene, HERE, SIZE)


@pytest.mark.parametrize(
    ("x", "y", "sightings", "expected"),
    [
        pytest.param(219.0, 100.0, 3, True, id="within-reach"),  # 0.475 boxes
        pytest.param(221.0, 100.0, 3, False, id="beyond-its-width"),  # 0.525
        pytest.param(200.0, 111.0, 3, False, id="beyond-its-height"),  # 0.55
        pytest.param(205.0, 100.0, 2, False, id="not-yet-known"),
    ],
)
def test_a_known_rival_within_half_a_box_is_in_the_targets_place(
    x: float, y: float, sightings: int, expected: bool
) -> None:
    scene = Scene(rivals=(rival(x, y, sightings=sightings),))
    assert watch().is_merged(scene, HERE, SIZE) is expected


def test_the_targets_velocity_follows_its_steps() -> None:
    scene = Scene()
    for _ in range(10):
        scene = moved(scene, np.array([6.0, -2.0]))
    np.testing.assert_allclose(scene.velocity_px, (6, -2), atol=0.01)


def test_a_scene_is_a_value_that_a_frame_does_not_change() -> None:
    before = walked(PATH[:5])
    watch().followed(before, [np.array(PATH[5])], HERE, SIZE, is_well=True)
    np.testing.assert_allclose(before.rivals[0].place_px, PATH[4])
    assert before.rivals[0].sightings == 5
