"""The watchdog over the camera: what is said, once, and when."""

from __future__ import annotations

import pytest

from recip_tracker_ros.camera_watchdog import CameraWatchdog

TICK_S = 0.25


def ticks(watchdog: CameraWatchdog, begin_s: float, end_s: float, **facts: object) -> list[tuple[float, str]]:
    """What is said from tick to tick, and when."""
    times_s = [begin_s + TICK_S * count for count in range(1, round((end_s - begin_s) / TICK_S) + 1)]
    heard = [
        (now_s, watchdog.tick(now_s, **({"silent_s": 1.0, "publishers": 1} | facts))) for now_s in times_s
    ]
    return [(now_s, notice.text) for now_s, notice in heard if notice is not None]


def test_silence_is_said_once_within_the_limit_and_a_tick_and_so_is_its_end():
    watchdog = CameraWatchdog("/camera", 0.0)
    watchdog.image(0.4)
    ((said_s, text),) = ticks(watchdog, 0.0, 10.0)
    assert 1.4 <= said_s <= 1.4 + TICK_S
    assert text.startswith("no image on /camera for 1.")
    heard = []
    for step in range(6):
        watchdog.image(10.1 + step * 0.5)
        heard += ticks(watchdog, 10.0 + step * 0.5, 10.5 + step * 0.5)
    assert heard == [(11.25, "images come again on /camera")]
    assert watchdog.trouble == ""
    assert len(ticks(watchdog, 13.0, 20.0)) == 1


def test_images_in_drops_are_one_trouble_and_not_a_new_one_each_time():
    watchdog = CameraWatchdog("/camera", 0.0)
    heard = []
    for step in range(10):
        watchdog.image(1.75 * step)
        heard += ticks(watchdog, 1.75 * step, 1.75 * (step + 1))
    assert [said_s for said_s, _ in heard] == [1.0]
    assert "for 1.8 s" in watchdog.trouble


def test_trouble_holds_until_an_image_comes_and_counts_on():
    watchdog = CameraWatchdog("/camera", 0.0)
    ticks(watchdog, 0.0, 8.0)
    assert "for 8.0 s" in watchdog.trouble


def test_a_camera_that_is_in_time_is_never_silent():
    watchdog = CameraWatchdog("/camera", 0.0)
    for step in range(100):
        watchdog.image(step * 0.5)
        assert ticks(watchdog, step * 0.5, step * 0.5 + 0.5) == []
    assert watchdog.trouble == ""


REASONS = {
    "nobody": (False, {"publishers": 0}, "nobody publishes there"),
    "does not fit": (False, {"incompatible": "set qos_overrides"}, "set qos_overrides"),
    "never arrives": (False, {}, "nothing arrives. If the driver does send: Fast DDS loses"),
    "driver ended": (True, {"publishers": 0}, "its publisher is gone"),
    "driver hangs": (True, {}, "has the camera stopped, or do its images get lost?"),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_remedy_depends_on_what_was_seen(name):
    has_images, facts, expected = REASONS[name]
    watchdog = CameraWatchdog("/camera", 0.0)
    if has_images:
        watchdog.image(0.0)
    ((_, text),) = ticks(watchdog, 0.0, 2.0, **facts)
    assert expected in text


def test_the_remedy_follows_what_changes_while_silence_lasts():
    watchdog = CameraWatchdog("/camera", 0.0)
    ticks(watchdog, 0.0, 2.0, publishers=0)
    assert ticks(watchdog, 2.0, 3.0, publishers=1, incompatible="a publisher is best effort") == []
    assert "a publisher is best effort" in watchdog.trouble


def test_an_executor_that_was_away_does_not_blame_the_camera():
    watchdog = CameraWatchdog("/camera", 0.0)
    assert ticks(watchdog, 0.0, 0.5) == []
    assert ticks(watchdog, 5.0, 5.5) == []  # five seconds in one callback: images may wait
    ((said_s, _),) = ticks(watchdog, 5.5, 8.0)
    assert said_s <= 5.25 + 1.0 + TICK_S


def test_an_executor_that_was_away_while_the_camera_is_silent_keeps_counting():
    watchdog = CameraWatchdog("/camera", 0.0)
    assert len(ticks(watchdog, 0.0, 2.0)) == 1
    assert ticks(watchdog, 8.0, 8.5) == []
    assert "for 8.5 s" in watchdog.trouble


def test_a_limit_shorter_than_a_tick_still_works():
    watchdog = CameraWatchdog("/camera", 0.0)
    ((said_s, _),) = ticks(watchdog, 0.0, 2.0, silent_s=0.1)
    assert said_s == TICK_S
