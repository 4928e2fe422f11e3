"""Which targets are followed: asked for, learned beside the stream, undone, removed, paused, frozen."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from std_msgs.msg import Header

from recip_tracker_core.errors import ConfigError, LearningError, NotInitialisedError, TargetFileError
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

    waited = None

    def wanted(self, frame: Frame) -> None:
        """It looks for itself."""

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

    def __init__(self, blank: FakeTracker | None = None, most: int = 1) -> None:
        self.family: list[FakeTracker] = []
        blank = blank or FakeTracker(self.family)
        blank.family = self.family
        self.buffer = FrameBuffer(seconds=60.0, megabytes=64)
        self.heard: list[tuple[str, str]] = []
        self.answers: list[tuple[int, str]] = []  # of the current target
        self.frames: list[tuple[int, list[str]]] = []  # the same with all targets
        self.choices: list[BoundingBox] = []
        self._woken = threading.Event()
        self.following = Following(blank, self.buffer, self, self._woken.set, most)
        self.count = 0

    def announced(self, state, reason, stamp_ns):
        self.heard.append((state.value, reason))

    def refused(self, reason, error, stamp_ns):
        self.heard.append((State.REFUSED.value, reason))

    def understood(self, recent, choice, target):
        self.choices.append(choice.box)

    def answered(self, recent, answers):
        self.frames.append((recent.frame.index, [target.target_id for target, _ in answers]))
        self.answers.append((recent.frame.index, answers[-1][0].target_id))

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

    def update(frame: Frame, look: None = None) -> TrackResult:
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

    scene.following._joinings._wake = gone
    scene.picture()
    scene.ask()
    scene.following._joining.wait()
    scene.following.work_off()
    assert scene.answers == [(0, "1")]


# Several targets


@pytest.fixture
def several():
    """A scene in which up to three targets are followed."""
    made = Scene(most=3)
    made.picture()
    yield made
    made.following.close()
    made.buffer.close()


@pytest.fixture
def held_several():
    """The same, in which 'a' is followed and every further fit lasts until it is let go."""
    made = Scene(HeldTracker([]), most=3)
    made.picture()
    made.ask(target_id="a")
    let_go(made, 0)
    made.hear(lambda: not made.following.is_joining)
    yield made
    for tracker in made.family:
        tracker.may_end.set()
    made.following.close()
    made.buffer.close()


def let_go(scene: Scene, index: int) -> None:
    """The fit of the tracker that was made as that one may end."""
    scene.family[index].may_end.set()


def following(scene: Scene) -> list[str]:
    """The ids that one more frame is answered for."""
    scene.picture()
    return scene.frames[-1][1]


def test_a_new_id_adds_a_target_and_all_are_followed_in_each_frame(several):
    trackers = [several.follow(target_id=name) for name in ("a", "b")]
    several.pictures(2)
    assert several.frames[-2:] == [(1, ["a", "b"]), (2, ["a", "b"])]
    assert [tracker.seen for tracker in trackers] == [[0, 1, 2], [0, 1, 2]]
    assert several.following.current.target_id == "b"  # given last


def test_targets_without_an_id_have_different_numbers(several):
    for wanted in ("2", "", ""):
        several.follow(target_id=wanted)
    assert following(several) == ["2", "1", "3"]


def test_the_others_are_followed_in_every_frame_while_one_more_is_learned_and_catches_up(held_several):
    held_several.ask(target_id="b")
    held_several.pictures(3)
    assert held_several.frames[-3:] == [(1, ["a"]), (2, ["a"]), (3, ["a"])]
    let_go(held_several, 1)
    held_several.hear(lambda: not held_several.following.is_joining)
    assert held_several.family[1].seen[0] == 0
    assert held_several.family[1].seen[-1] == 3
    assert following(held_several) == ["a", "b"]
    indices = [index for index, _ in held_several.frames]
    assert indices == sorted(set(indices))  # one answer a frame


def test_requests_that_come_while_one_is_learned_wait_their_turn_on_their_own_frame(held_several):
    held_several.ask(target_id="b")
    held_several.picture()
    held_several.ask(target_id="c")
    assert held_several.heard[-1] == ("initialising", "accepted: target 'c' waits until 'b' is learned")
    assert len(held_several.family) == 2
    held_several.picture()
    let_go(held_several, 1)
    held_several.hear(lambda: len(held_several.family) == 3)
    assert held_several.following.current.target_id == "c"
    let_go(held_several, 2)
    held_several.hear(lambda: not held_several.following.is_joining)
    assert held_several.family[2].seen[0] == 1  # the newest when it was asked for
    assert following(held_several) == ["a", "b", "c"]


def test_a_request_with_the_id_of_one_that_is_learned_or_waits_replaces_it(held_several):
    held_several.ask(target_id="b")
    held_several.ask(target_id="c", class_id="cup")
    held_several.ask(target_id="b")
    held_several.ask(target_id="c", class_id="mug")
    assert [tracker.is_closed for tracker in held_several.family] == [False, True, False]
    let_go(held_several, 2)
    held_several.hear(lambda: len(held_several.family) == 4)
    let_go(held_several, 3)
    held_several.hear(lambda: not held_several.following.is_joining)
    assert following(held_several) == ["a", "b", "c"]
    assert held_several.following.target.class_id == "mug"


def test_one_that_cannot_be_learned_does_not_hold_up_the_line_nor_the_others(held_several):
    held_several.ask(target_id="b")
    held_several.ask(target_id="c")
    held_several.family[1].failure = LearningError("the weights are not finite")
    let_go(held_several, 1)
    held_several.hear(lambda: len(held_several.family) == 3)
    assert ("refused", "init refused: the weights are not finite") in held_several.heard
    let_go(held_several, 2)
    held_several.hear(lambda: not held_several.following.is_joining)
    assert following(held_several) == ["a", "c"]


def test_a_first_answer_that_fails_does_not_hold_up_the_line():
    scene = Scene(HeldTracker([]), most=2)
    scene.picture()
    scene.ask(target_id="a")
    scene.ask(target_id="b")
    scene.answered = None  # whoever calls it fails
    let_go(scene, 0)
    with pytest.raises(TypeError):
        scene.hear(lambda: len(scene.family) == 2)
    assert scene.following.current.target_id == "b"
    let_go(scene, 1)
    scene.following.close()
    scene.buffer.close()


def test_a_target_that_is_learned_anew_is_followed_as_it_was_until_then_and_stays_if_that_fails(held_several):
    old = held_several.family[0]
    held_several.ask(target_id="a")
    assert following(held_several) == ["a"]
    held_several.family[1].failure = LearningError("the weights are not finite")
    let_go(held_several, 1)
    held_several.hear(lambda: not held_several.following.is_joining)
    held_several.picture()
    assert old.seen == [0, 1, 2]
    held_several.ask(target_id="a")
    let_go(held_several, 2)
    held_several.hear(lambda: not held_several.following.is_joining)
    assert following(held_several) == ["a"]
    assert old.seen == [0, 1, 2]
    assert held_several.family[2].seen[-1] == 3


def test_one_too_many_is_refused_with_those_that_there_are(held_several):
    held_several.ask(target_id="b")
    held_several.ask(target_id="c")
    for wanted, which in (("d", "target 'd'"), ("", "a new target")):
        held_several.ask(target_id=wanted)
        assert held_several.heard[-1] == (
            "refused",
            f"init refused: {which} is one too many: 'max_targets' is 3, and targets 'a', 'b', 'c' are "
            "followed; remove one first, by ~/remove",
        )
    assert len(held_several.family) == 2
    held_several.ask(target_id="a")  # takes no room of its own
    assert "waits" in held_several.heard[-1][1]


def test_all_that_is_asked_for_before_the_first_image_begins_with_it():
    scene = Scene(most=3)
    for name in ("a", "b", "c", "d"):
        scene.ask(target_id=name)
    scene.picture()
    scene.hear(lambda: not scene.following.is_joining)
    assert following(scene) == ["a", "b", "c"]
    assert [reason for state, reason in scene.heard if state == "refused" and "'d'" in reason]
    scene.following.close()
    scene.buffer.close()


def test_a_target_that_is_removed_is_followed_no_more_and_the_one_before_is_the_current(several):
    trackers = [several.follow(target_id=name) for name in ("a", "b", "c")]
    assert several.following.remove("c") == "target 'c' is followed no more"
    assert several.following.current.target_id == "b"
    several.following.remove("a")
    assert following(several) == ["b"]
    assert [tracker.is_closed for tracker in trackers] == [True, False, True]
    with pytest.raises(NotInitialisedError, match="no target 'a': target 'b' is followed"):
        several.following.remove("a")
    several.following.remove("b")
    assert not several.picture()
    with pytest.raises(NotInitialisedError, match="no target is followed"):
        several.following.remove("b")


def test_a_target_can_be_removed_before_it_is_known(held_several):
    held_several.ask(target_id="b")
    held_several.ask(target_id="c")
    held_several.following.remove("b")
    assert held_several.family[1].is_closed
    assert held_several.following.current.target_id == "c"
    held_several.ask(target_id="d")
    held_several.following.remove("d")
    let_go(held_several, 2)
    held_several.hear(lambda: not held_several.following.is_joining)
    assert following(held_several) == ["a", "c"]
    assert len(held_several.family) == 3


def test_a_removed_target_is_not_learned_anew_by_a_request_that_waits_for_its_image(several):
    several.follow(target_id="a")
    several.ask(target_id="a", stamp_ns=200 * MS)
    several.following.remove("a")
    several.pictures(3)
    assert len(several.family) == 1


def test_removing_a_target_makes_room_for_another(several):
    for name in ("a", "b", "c"):
        several.follow(target_id=name)
    several.following.remove("b")
    several.follow(target_id="d")
    assert following(several) == ["a", "c", "d"]


def test_undoing_removes_the_target_that_was_added_even_the_first(several):
    trackers = [several.follow(target_id=name) for name in ("a", "b")]
    assert "target 'a' is followed" in several.following.undo()
    assert following(several) == ["a"]
    assert [tracker.is_closed for tracker in trackers] == [False, True]
    several.following.reset()
    several.follow(target_id="c")
    assert "no target is followed" in several.following.undo()
    assert not several.picture()


def test_undoing_brings_back_what_was_learned_anew_and_what_was_current(several):
    old, other, new = (several.follow(target_id=name) for name in ("a", "b", "a"))
    assert several.following.target.target_id == "a"
    several.following.undo()
    assert following(several) == ["a", "b"]
    assert [tracker.is_closed for tracker in (old, other, new)] == [False, False, True]
    assert old.seen[-1] == 1


def test_what_was_removed_is_not_brought_back(several):
    old, _, new, _ = (several.follow(target_id=name) for name in ("a", "b", "a", "c"))
    several.following.remove("a")
    several.following.undo()
    assert following(several) == ["b"]
    assert old.is_closed
    assert new.is_closed


def test_after_the_target_that_was_added_last_is_removed_there_is_nothing_to_undo(several):
    for name in ("a", "b"):
        several.follow(target_id=name)
    several.following.remove("b")
    with pytest.raises(NotInitialisedError, match="from before"):
        several.following.undo()
    assert following(several) == ["a"]


def test_a_request_that_replaces_one_in_line_is_the_last_one(held_several):
    for name in ("b", "c", "a", "c"):
        held_several.ask(target_id=name)
    held_several.following.undo()
    let_go(held_several, 1)
    held_several.hear(lambda: len(held_several.family) == 3)
    assert held_several.following.current.target_id == "a"


def test_undoing_withdraws_the_last_request_first(held_several):
    held_several.ask(target_id="b")
    held_several.ask(target_id="c")
    assert held_several.following.undo() == "the request is withdrawn"
    assert held_several.following.current.target_id == "b"
    held_several.following.undo()
    assert not held_several.following.is_joining
    assert len(held_several.family) == 2
    assert following(held_several) == ["a"]


def test_pausing_and_freezing_are_for_all_targets(several):
    trackers = [several.follow(target_id=name) for name in ("a", "b")]
    several.following.freeze(True)
    trackers.append(several.follow(target_id="c"))
    assert [tracker.learns for tracker in trackers] == [False] * 3
    several.following.freeze(False)
    assert [tracker.learns for tracker in trackers] == [True] * 3
    several.following.pause(True)
    assert not several.picture()
    several.following.pause(False)
    assert following(several) == ["a", "b", "c"]


def test_a_loaded_target_is_added_where_there_is_room_and_the_current_one_is_saved(several, tmp_path):
    for name in ("a", "b"):
        several.follow(target_id=name)
    assert "'b'" in several.following.save(tmp_path / "target")
    several.picture()
    count = len(several.frames)
    assert "'1'" in several.following.load(tmp_path / "target")
    assert len(several.frames) == count  # one answer a frame
    assert following(several) == ["a", "b", "1"]
    with pytest.raises(ConfigError, match="'max_targets' is 3, and targets 'a', 'b', '1' are followed"):
        several.following.load(tmp_path / "target")
    assert len(several.family) == 3


def test_a_reset_forgets_all_targets_and_all_requests(held_several):
    held_several.ask(target_id="b")
    held_several.ask(target_id="c")
    held_several.following.reset()
    assert not held_several.picture()
    assert [tracker.is_closed for tracker in held_several.family] == [True, True]
    assert held_several.following.current is None


def test_a_target_that_fails_fails_the_frame_until_it_is_removed(several):
    several.follow(target_id="a")
    failing_again(several.follow(target_id="b"))
    with pytest.raises(RuntimeError, match="memory"):
        several.picture()
    several.following.remove("b")
    assert following(several) == ["a"]
