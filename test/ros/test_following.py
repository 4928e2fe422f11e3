"""Which target is followed: asked for, learned beside the stream, undone, paused, frozen, forgotten."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from std_msgs.msg import Header

from recip_tracker_core.errors import LearningError, NotInitialisedError, TargetFileError
from recip_tracker_core.types import BoundingBox, Frame, TrackResult, TrackStatus
from recip_tracker_ros.following import Following
from recip_tracker_ros.frame_buffer import FrameBuffer
from recip_tracker_ros.requests import Request
from recip_tracker_ros.state import State

MS = 1_000_000
BOX = BoundingBox(10, 20, 30, 40)
PATIENCE_S = 20.0


class FakeTracker:
    """Notes what it is asked; a fit lasts until it may end."""

    def __init__(self, family: list[FakeTracker]) -> None:
        self.family = family
        self.seen: list[int] = []
        self.learns, self.is_closed = True, False
        self.may_end, self.failure = threading.Event(), None
        self.may_end.set()

    def another(self) -> FakeTracker:
        self.family.append(FakeTracker(self.family))
        return self.family[-1]

    def init(self, frame: Frame, box: BoundingBox) -> TrackResult:
        assert self.may_end.wait(PATIENCE_S)
        if self.failure is not None:
            raise self.failure
        return self.update(frame)

    def update(self, frame: Frame) -> TrackResult:
        self.seen.append(frame.index)
        return TrackResult(BOX, TrackStatus.TRACKED, 1.0, 1.0, frame.stamp_ns, 1)

    def save(self, path: Path) -> None:
        path.write_text("saved", encoding="utf-8")

    def load(self, path: Path, frame: Frame) -> TrackResult:
        if not path.exists():
            raise TargetFileError(f"'{path}' does not exist")
        return self.update(frame)

    def close(self) -> None:
        self.is_closed = True
        self.may_end.set()


class HeldTracker(FakeTracker):
    """One whose offspring learn until they are let go."""

    def another(self) -> FakeTracker:
        tracker = super().another()
        tracker.may_end.clear()
        return tracker


class Scene:
    """A stream, an operator and what is heard of them."""

    def __init__(self, blank: FakeTracker | None = None) -> None:
        self.family: list[FakeTracker] = []
        blank = blank or FakeTracker(self.family)
        blank.family = self.family
        self.buffer = FrameBuffer(seconds=60.0, megabytes=64)
        self.heard: list[tuple[str, str]] = []
        self.answers: list[tuple[int, str]] = []
        self.choices: list[BoundingBox] = []
        self._woken = threading.Event()
        self.following = Following(blank, self.buffer, self, self._woken.set)
        self.count = 0

    def announced(self, state, reason, stamp_ns):
        self.heard.append((state.value, reason))

    def refused(self, reason, error, stamp_ns):
        self.heard.append((State.REFUSED.value, reason))

    def understood(self, recent, choice, target):
        self.choices.append(choice.box)

    def answered(self, recent, result, target):
        self.answers.append((recent.frame.index, target.target_id))

    def picture(self) -> bool:
        """One more frame of the stream, 100 ms after the last."""
        frame = Frame(np.zeros((120, 160, 3), np.uint8), self.count * 100 * MS, self.count)
        self.count += 1
        return self.following.see(self.buffer.add(frame, Header(frame_id="camera"), time.monotonic()))

    def pictures(self, count: int) -> None:
        for _ in range(count):
            self.picture()

    def hear(self, condition) -> None:
        """Work off what other threads tell until the condition holds."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, (self.heard, self.answers)
            self._woken.wait(0.05)
            self._woken.clear()
            self.following.work_off()

    def ask(self, **changes) -> None:
        self.following.ask(Request(**({"asked": BOX} | changes)))

    def follow(self, **changes) -> FakeTracker:
        """Ask for a target on the newest frame, and have it."""
        before = len(self.family)
        self.ask(**changes)
        self.hear(lambda: not self.following.is_joining)
        return self.family[before]


@pytest.fixture
def scene():
    made = Scene()
    yield made
    made.following.close()
    made.buffer.close()


@pytest.fixture
def held():
    """A scene in which a fit lasts until it is let go."""
    made = Scene(HeldTracker([]))
    yield made
    for tracker in made.family:
        tracker.may_end.set()
    made.following.close()
    made.buffer.close()


def test_a_target_on_an_old_frame_is_learned_there_and_brought_up_to_the_newest(scene):
    scene.pictures(20)
    tracker = scene.follow(stamp_ns=500 * MS)
    assert tracker.seen[0] == 5
    assert tracker.seen[-1] == 19
    assert tracker.seen == sorted(set(tracker.seen))
    assert scene.answers == [(19, "1")]  # what is old is not published
    assert scene.choices == [BOX]


def test_without_a_stamp_the_newest_frame_is_meant_and_its_answer_is_published(scene):
    scene.pictures(3)
    assert scene.follow().seen == [2]
    assert scene.answers == [(2, "1")]


def test_before_the_first_frame_a_request_waits_for_it(scene):
    scene.ask()
    assert scene.heard == [("initialising", "waiting for the next image")]
    scene.picture()
    scene.hear(lambda: scene.answers == [(0, "1")])


def test_while_a_target_is_learned_frames_are_kept_and_none_is_looked_at(held):
    held.picture()
    held.ask()
    assert [held.picture() for _ in range(5)] == [False] * 5
    assert held.family[0].seen == []
    held.family[0].may_end.set()
    held.hear(lambda: held.answers)
    assert held.family[0].seen[0] == 0
    assert held.answers == [(5, "1")]


def test_a_frame_that_arrives_before_the_end_is_heard_of_is_looked_at_at_once(held):
    held.picture()
    held.ask()
    held.family[0].may_end.set()
    held.following._joining.wait()
    held.picture()
    held.hear(lambda: held.answers)
    assert held.answers == [(1, "1")]


def test_a_target_that_cannot_be_learned_leaves_the_one_before_which_catches_up(held):
    held.picture()
    held.ask()
    held.family[0].may_end.set()
    held.hear(lambda: held.answers)
    held.ask()
    held.pictures(4)
    held.family[1].failure = LearningError("the weights are not finite")
    held.family[1].may_end.set()
    held.hear(lambda: held.answers[-1] == (4, "1"))
    assert ("refused", "init refused: the weights are not finite") in held.heard
    assert held.family[0].seen[-1] == 4
    assert held.family[0].seen[1] == 1  # from where it was, not from where the stream is
    assert held.family[1].is_closed


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"stamp_ns": 1}, "before the oldest"),
        ({"stamp_ns": 10**18}, "from the future"),
        ({"frame_id": "elsewhere"}, "'elsewhere', the camera's is 'camera'"),
        ({"asked": BoundingBox(500, 0, 10, 10)}, "at least one pixel"),
        ({"asked": (200.0, 10.0)}, "the point 200,10 is not in the image, which is 160 x 120"),
    ],
    ids=["too old", "from the future", "another camera", "box outside", "point outside"],
)
def test_what_cannot_be_meant_is_refused_at_once_and_what_is_under_way_goes_on(held, changes, text):
    held.count = 100
    held.picture()
    held.ask()
    held.ask(**changes)
    assert held.heard[-1][0] == "refused"
    assert text in held.heard[-1][1]
    held.family[0].may_end.set()
    held.hear(lambda: held.answers == [(100, "1")])
    assert len(held.family) == 1


def test_a_newer_request_takes_the_place_of_the_one_that_is_being_learned(held):
    held.picture()
    held.ask()
    held.ask()
    assert held.family[0].is_closed
    held.family[1].may_end.set()
    held.hear(lambda: held.answers == [(0, "2")])


def test_a_stamp_just_ahead_is_waited_for_and_not_for_ever(scene):
    scene.pictures(3)
    scene.ask(stamp_ns=600 * MS)
    scene.pictures(3)
    assert not scene.family
    assert len(scene.heard) == 1  # once, and not with every image
    scene.picture()
    scene.hear(lambda: scene.answers == [(6, "1")])
    scene.ask(stamp_ns=1200 * MS)
    scene.following.tick(time.monotonic() + 0.5)
    assert scene.heard[-1][0] == "initialising"
    scene.following.tick(time.monotonic() + 1.5)
    assert scene.heard[-1][0] == "refused"
    scene.pictures(10)
    assert len(scene.family) == 1


def test_an_id_and_a_class_that_are_asked_for_are_kept(scene):
    scene.picture()
    scene.follow(target_id="the red one", class_id="mug")
    target = scene.following.target
    assert (target.target_id, target.class_id) == ("the red one", "mug")


def test_undoing_goes_back_to_the_model_before_once(scene):
    scene.picture()
    first, second = scene.follow(), scene.follow()
    assert "'1'" in scene.following.undo()
    scene.picture()
    assert scene.answers[-1] == (1, "1")
    assert (first.is_closed, second.is_closed) == (False, True)
    with pytest.raises(NotInitialisedError, match="from before"):
        scene.following.undo()


def test_undoing_while_a_target_is_learned_withdraws_it(held):
    held.picture()
    held.ask()
    held.family[0].may_end.set()
    held.hear(lambda: held.answers)
    held.ask()
    held.following.undo()
    held.hear(lambda: not held.following.is_joining)
    held.picture()
    assert held.answers[-1] == (1, "1")


def test_only_the_last_two_models_are_kept(scene):
    scene.picture()
    first, second, third = scene.follow(), scene.follow(), scene.follow()
    assert [one.is_closed for one in (first, second, third)] == [True, False, False]


def test_a_paused_target_is_not_looked_for_until_it_goes_on_or_another_is_asked_for(scene):
    scene.picture()
    tracker = scene.follow()
    scene.following.pause(True)
    assert not scene.picture()
    scene.following.pause(False)
    assert scene.picture()
    assert tracker.seen == [0, 2]
    scene.following.pause(True)
    scene.follow()
    assert scene.picture()


def test_a_frozen_target_learns_no_more_nor_does_one_that_is_chosen_later(scene):
    scene.picture()
    first = scene.follow()
    scene.following.freeze(True)
    assert not first.learns
    second = scene.follow()
    assert not second.learns
    scene.following.freeze(False)
    assert second.learns
    scene.following.undo()
    assert first.learns


def test_after_a_reset_there_is_no_target_and_nothing_to_undo(scene):
    scene.picture()
    tracker = scene.follow()
    scene.following.reset()
    assert not scene.picture()
    assert (scene.following.current, tracker.is_closed) == (None, True)
    with pytest.raises(NotInitialisedError):
        scene.following.undo()


def test_a_target_is_saved_and_loaded_as_a_new_one_that_can_be_undone(scene, tmp_path):
    scene.picture()
    file = tmp_path / "target"
    with pytest.raises(NotInitialisedError, match="no target"):
        scene.following.save(file)
    scene.follow()
    scene.following.save(file)
    assert "'2'" in scene.following.load(file)
    assert scene.answers[-1] == (0, "2")
    scene.following.undo()
    with pytest.raises(TargetFileError, match="absent"):
        scene.following.load(tmp_path / "absent")
    scene.picture()
    assert scene.answers[-1] == (1, "1")


def test_closing_ends_a_fit(held):
    held.picture()
    held.ask()
    held.following.close()
    assert held.family[0].is_closed
    assert not [thread for thread in threading.enumerate() if thread.name == "joining"]


def failing_again(tracker: FakeTracker) -> None:
    """From now on every frame fails, as when a device has no memory left."""

    def update(frame: Frame) -> TrackResult:
        raise RuntimeError("out of memory")

    tracker.update = update


def test_a_known_target_that_fails_while_it_catches_up_is_not_tried_again_until_the_next_image(held):
    held.picture()
    held.ask()
    held.family[0].may_end.set()
    held.hear(lambda: held.answers)
    held.ask()
    held.pictures(2)
    failing_again(held.family[0])
    held.family[1].failure = LearningError("the weights are not finite")
    held.family[1].may_end.set()
    held.hear(lambda: ("refused", "catching up failed: out of memory") in held.heard)
    assert not held.following.is_joining
    with pytest.raises(RuntimeError, match="memory"):  # the node tells it, image by image
        held.picture()


def test_what_is_learned_while_the_node_is_paused_waits_for_its_end(held):
    held.picture()
    held.ask()
    held.following.pause(True)
    held.family[0].may_end.set()
    held.hear(lambda: not held.following.is_joining)
    assert held.heard[-1] == ("paused", "paused")
    assert held.answers == []
    held.following.pause(False)
    assert held.picture()


def test_a_pause_outlives_an_init_that_fails_or_is_refused(held):
    held.picture()
    held.ask()
    held.family[0].may_end.set()
    held.hear(lambda: held.answers)
    held.ask()
    held.following.pause(True)
    held.picture()
    held.family[1].failure = LearningError("the weights are not finite")
    held.family[1].may_end.set()
    held.hear(lambda: not held.following.is_joining)
    assert [state for state, _ in held.heard[-2:]] == ["refused", "paused"]
    assert held.family[0].seen == [0]
    held.ask(frame_id="elsewhere")
    assert [state for state, _ in held.heard[-2:]] == ["refused", "paused"]


def test_a_frozen_node_learns_a_new_target_once_and_no_more_while_it_catches_up(held):
    held.picture()
    held.following.freeze(True)
    held.ask()
    assert not held.family[0].learns
    held.following.freeze(False)
    assert held.family[0].learns


def test_undoing_while_the_target_before_catches_up_lets_it(held):
    held.picture()
    for tracker in range(2):
        held.ask()
        held.family[tracker].may_end.set()
        held.hear(lambda: not held.following.is_joining)
    held.ask()
    held.following.undo()
    held.following.undo()
    held.picture()
    assert held.answers[-1] == (1, "1")


def test_a_number_that_an_operator_gave_is_not_given_again(scene):
    scene.picture()
    scene.follow(target_id="2")
    names = []
    for _ in range(3):
        scene.follow()
        names.append(scene.following.target.target_id)
    assert names == ["1", "3", "4"]


def test_a_camera_without_a_name_takes_every_init(scene):
    frame = Frame(np.zeros((120, 160, 3), np.uint8))
    scene.following.see(scene.buffer.add(frame, Header(), time.monotonic()))
    scene.follow(frame_id="camera_optical")
    assert scene.answers == [(0, "1")]


def test_a_node_that_is_gone_does_not_break_the_thread_that_tells_it(scene):
    def gone() -> None:
        raise RuntimeError("cannot use Destroyable because destruction was requested")

    scene.following._wake = gone
    scene.picture()
    scene.ask()
    scene.following._joining.wait()
    scene.following.work_off()
    assert scene.answers == [(0, "1")]
