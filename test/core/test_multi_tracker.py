"""Several targets: each by its name, near ones seen at once, none disturbed by another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from recip_tracker_core import BoundingBox, Frame, MultiTracker, Tracker, TrackStatus
from recip_tracker_core.errors import BoxError, ConfigError, NotInitialisedError
from recip_tracker_core.geometry import iou
from recip_tracker_core.observing import Look
from recip_tracker_core.shared_looks import grouped, window
from recip_tracker_core.stories import told

pytestmark = pytest.mark.slow

Make = Callable[..., Tracker]
SIDE = 24
HOMES = {"one": (60, 50), "two": (90, 52), "far": (240, 170)}


def place(name: str, index: int) -> tuple[int, int]:
    """Top-left corner: the near two go about together."""
    x, y = HOMES[name]
    angle = 2 * np.pi * index / 40
    return round(x + 15 * np.sin(angle)), round(y + 10 * np.sin(2 * angle))


def frame(index: int) -> Frame:
    generator = np.random.default_rng(4)
    ground = generator.integers(60, 130, (24, 32, 3), np.uint8)
    image = cv2.resize(ground, (320, 240), interpolation=cv2.INTER_CUBIC)
    for name in HOMES:
        texture = generator.integers(0, 256, (4, 4, 3), np.uint8)
        x, y = place(name, index)
        image[y : y + SIDE, x : x + SIDE] = cv2.resize(texture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return Frame(image, index=index)


def truth(name: str, index: int) -> BoundingBox:
    return BoundingBox(*place(name, index), SIDE, SIDE)


@pytest.fixture(params=["locator", "gaussian"])
def multi(make_tracker: Make, request: pytest.FixtureRequest) -> Iterator[MultiTracker]:
    made = MultiTracker(make_tracker(proposals=request.param), most=3)
    with contextlib.closing(made):
        for name in HOMES:
            made.add(name, frame(0), truth(name, 0))
        yield made


def test_each_target_is_followed_by_its_name(multi: MultiTracker) -> None:
    assert multi.names == tuple(HOMES)
    for index in range(1, 15):
        results = multi.update(frame(index))
        assert tuple(results) == tuple(HOMES)
    for name, result in results.items():
        assert iou(result.box.as_array()[None], truth(name, 14).as_array())[0] > 0.5, name


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Side of the crop of each pass of the network by :meth:`Look.at`, pixels."""
    sides: list[int] = []
    take = Look.at

    def counted(crop, frame, source):
        sides.append(crop.side_px)
        return take(crop, frame, source)

    monkeypatch.setattr(Look, "at", staticmethod(counted))
    return sides


def test_near_targets_take_one_pass_of_the_network_and_a_far_one_its_own(
    make_tracker: Make, passes: list[int]
) -> None:
    with contextlib.closing(MultiTracker(make_tracker(), most=3)) as multi:
        for name in HOMES:
            multi.add(name, frame(0), truth(name, 0))
        passes.clear()
        results = multi.update(frame(1))
    assert len(passes) == 2
    shared_s = [results[name].timings_s["features"] for name in ("one", "two")]
    assert min(shared_s) > 0


def test_of_lost_targets_one_is_looked_for_in_each_frame_and_all_come_back(
    make_tracker: Make, passes: list[int]
) -> None:
    empty = Frame(cv2.resize(frame(0).image[:40, 120:160], (320, 240)))
    with contextlib.closing(MultiTracker(make_tracker(), most=3)) as multi:
        for name in HOMES:
            multi.add(name, frame(0), truth(name, 0))
        for _ in range(60):
            results = multi.update(empty)
            if all(result.status is TrackStatus.LOST for result in results.values()):
                break
        else:
            pytest.fail("not all are lost")
        for count in range(6):
            passes.clear()
            results = multi.update(empty)
            assert 1 <= len(passes) <= 2
            assert all(result.status is TrackStatus.LOST for result in results.values())
            if count >= 2:
                assert sorted(tracker.waited for tracker in multi._trackers.values()) == [0, 1, 2]
        for _ in range(90):
            results = multi.update(frame(0))
        assert all(result.status is TrackStatus.TRACKED for result in results.values())
        for name, result in results.items():
            assert iou(result.box.as_array()[None], truth(name, 0).as_array())[0] > 0.5, name


def test_what_is_alone_is_followed_as_without_the_others(make_tracker: Make) -> None:
    with (
        contextlib.closing(MultiTracker(make_tracker(), most=3)) as multi,
        contextlib.closing(make_tracker()) as alone,
    ):
        for name in HOMES:
            multi.add(name, frame(0), truth(name, 0))
        alone.init(frame(0), truth("far", 0))
        for index in range(1, 6):
            assert multi.update(frame(index))["far"].box == alone.update(frame(index)).box


def test_one_too_many_is_refused_by_name_and_nothing_changes(multi: MultiTracker) -> None:
    with pytest.raises(ConfigError, match=r"'fourth'.* at most 3 .*'one', 'two', 'far'"):
        multi.add("fourth", frame(0), truth("one", 0))
    assert multi.names == tuple(HOMES)


def test_one_that_is_known_is_learned_anew_where_there_is_no_room_for_another(multi: MultiTracker) -> None:
    multi.add("far", frame(0), truth("two", 0))
    assert multi.names == tuple(HOMES)
    box = multi.update(frame(1))["far"].box
    assert iou(box.as_array()[None], truth("two", 1).as_array())[0] > 0.4


def test_a_box_that_is_no_target_leaves_all_as_it_was(multi: MultiTracker) -> None:
    with pytest.raises(BoxError):
        multi.add("two", frame(0), BoundingBox(1000, 1000, 20, 20))
    results = multi.update(frame(1))
    assert iou(results["two"].box.as_array()[None], truth("two", 1).as_array())[0] > 0.4


def test_one_that_is_removed_makes_room(multi: MultiTracker) -> None:
    multi.remove("two")
    assert tuple(multi.update(frame(1))) == ("one", "far")
    multi.add("new", frame(1), truth("two", 1))
    assert multi.names == ("one", "far", "new")
    with pytest.raises(NotInitialisedError, match=r"no target 'two'.*'one', 'far', 'new'"):
        multi.remove("two")


def test_without_targets_there_is_nothing_to_answer(make_tracker: Make) -> None:
    with contextlib.closing(MultiTracker(make_tracker(), most=1)) as multi:
        assert multi.update(frame(0)) == {}


def test_what_shares_a_look_is_answered_as_each_would_be_by_itself(make_tracker: Make) -> None:
    with (
        contextlib.closing(MultiTracker(make_tracker(), most=3)) as multi,
        contextlib.closing(MultiTracker(make_tracker(), most=3)) as apart,
    ):
        for name in HOMES:
            multi.add(name, frame(0), truth(name, 0))
            apart.add(name, frame(0), truth(name, 0))
        for index in range(1, 6):
            together = multi.update(frame(index))
            wanted = {name: tracker.wanted(frame(index)) for name, tracker in apart._trackers.items()}
            (crop,) = (one.crop for one in grouped([wanted["one"].crop, wanted["two"].crop]))
            look = Look.at(crop, frame(index), wanted["one"].source)
            for name in ("one", "two"):
                result = told(wanted[name].story(window(look, wanted[name].crop)))
                np.testing.assert_allclose(
                    result.box.as_array(), together[name].box.as_array(), rtol=1e-4, err_msg=name
                )
                assert result.confidence == pytest.approx(together[name].confidence, abs=1e-3)
            apart._trackers["far"].update(frame(index))
