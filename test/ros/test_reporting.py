"""What is said of the answers to a frame."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from recip_tracker_core.types import BoundingBox, Frame, TrackResult, TrackStatus
from recip_tracker_core.updater import UpdateStatistics
from recip_tracker_ros.frame_buffer import Recent
from recip_tracker_ros.reporting import Reporter
from recip_tracker_ros.state import State
from recip_tracker_ros.targets import Target, Targets

TRACKED, LOST = TrackStatus.TRACKED, TrackStatus.LOST


class HeardOutputs:
    """Keeps what would be published."""

    def __init__(self) -> None:
        self.ids: list[list[str]] = []
        self.states: list[State] = []
        self.timings_s: dict[str, float] = {}

    def publish(self, recent, answers) -> None:
        self.ids.append([target.target_id for target, _ in answers])

    def time(self, header, state, timings_s, age_s) -> None:
        self.states.append(state)
        self.timings_s = dict(timings_s)


class Followed:
    """Two targets that are followed, and perhaps a third that is being learned."""

    def __init__(self) -> None:
        self.targets = Targets(3)
        for name in ("a", "b"):
            self.targets.put(Target(SimpleNamespace(statistics=UpdateStatistics()), name, "target"))
        self.is_joining = self.is_paused = self.is_frozen = False

    @property
    def current(self) -> Target | None:
        return self.targets.current


@pytest.fixture
def reporter(ros):
    node = LifecycleNode("tracker")
    made = Reporter(node)
    made.following, made.outputs = Followed(), HeardOutputs()
    yield made
    node.destroy_node()


def answer(reporter: Reporter, *statuses: TrackStatus, **timings_s: float) -> None:
    """One more frame, in which the targets have these states, and each took so long."""
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 7)
    recent = Recent(frame, Header(frame_id="camera"), 0.0, 0)
    box = BoundingBox(0, 0, 4, 4)
    results = [TrackResult(box, one, 0.5, 0, 7, 3, timings_s, one.value) for one in statuses]
    reporter.answered(recent, list(zip(reporter.following.targets, results, strict=True)))


def test_the_status_is_the_current_targets_and_names_them_all(reporter):
    answer(reporter, LOST, TRACKED)
    last = reporter.last
    assert (last.state, last.target_id, last.targets) == (State.TRACKING, "b", ("a", "b"))
    assert reporter.outputs.ids == [["a", "b"]]
    answer(reporter, TRACKED, LOST)
    assert reporter.last.state is State.LOST


def test_each_target_is_found_again_by_itself(reporter):
    answer(reporter, LOST, LOST)
    answer(reporter, TRACKED, LOST)
    answer(reporter, TRACKED, TRACKED)
    answer(reporter, TRACKED, TRACKED)
    assert reporter.outputs.states == [State.LOST, State.LOST, State.FOUND_AGAIN, State.TRACKING]
    assert not any(target.record.is_missed for target in reporter.following.targets)


def test_stages_are_summed_over_the_targets(reporter):
    reporter.convert_s = 0.25
    answer(reporter, TRACKED, TRACKED, features=0.5, judge=2.0)
    stages_s = reporter.outputs.timings_s
    assert list(stages_s) == ["convert", "features", "judge", "publish"]
    assert (stages_s["convert"], stages_s["features"], stages_s["judge"]) == (0.25, 1.0, 4.0)


def test_while_one_more_is_learned_that_is_what_the_status_tells(reporter):
    reporter.announced(State.INITIALISING, "accepted")
    reporter.following.is_joining = True
    answer(reporter, TRACKED, TRACKED)
    assert (reporter.last.state, reporter.last.reason) == (State.INITIALISING, "accepted")
    assert reporter.outputs.ids == [["a", "b"]]  # and the others' answers are published all the same


def test_a_failed_update_of_any_target_is_remembered_and_only_the_currents_is_in_the_status(reporter):
    first, second = reporter.following.targets
    failure = RuntimeError("not finite")
    first.tracker.statistics = UpdateStatistics(failure=failure)
    answer(reporter, TRACKED, TRACKED)
    assert (first.record.failure, reporter.last.reason) == (failure, TRACKED.value)
    second.tracker.statistics = UpdateStatistics(failure=failure)
    answer(reporter, TRACKED, TRACKED)
    assert reporter.last.reason == "update failed: not finite"
