"""The real node in its own process, fed by a real camera process, told what to do over its topics."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from array import array

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from sensor_msgs.msg import Image

from recip_tracker_core.geometry import iou

FRAME_NS, FIRST_STAMP_NS = 50_000_000, 1_000_000_000
FAST = {
    "first_fit.negatives": 1000,
    "map.region_px": 160,
    "map.target_px": 48.0,
    "locator.grid": 3,
    "refiner.grid": 3,
}


def stamp_ns(msg) -> int:
    return msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec


def as_xywh(detection) -> list[float]:
    box = detection.bbox
    x, y = box.center.position.x, box.center.position.y
    return [x - box.size_x / 2, y - box.size_y / 2, box.size_x, box.size_y]


def picture_index(msg) -> int:
    return (stamp_ns(msg) - FIRST_STAMP_NS) // FRAME_NS


def image_of(picture, **changes) -> Image:
    height, width, _ = picture.shape
    good = {"height": height, "width": width, "encoding": "rgb8", "step": 3 * width}
    return Image(**(good | {"data": array("B", picture.tobytes())} | changes))


@pytest.fixture
def tracking(operator, camera, start_node, clip):
    """A node that tracks the target of the clip in its first picture, which is held."""
    process = start_node(**FAST)
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    operator.send_init(clip[0][1])
    operator.wait(lambda: operator.state == "tracking", "tracking")
    operator.forget()
    return process


def test_the_target_is_followed_through_the_clip(tracking, operator, camera, clip):
    camera.say("play")
    last = len(clip) - 1
    for topic in (operator.detection, operator.detections):  # in whatever order they arrive
        operator.wait(lambda: any(picture_index(msg) == last for msg in topic), "the last picture")  # noqa: B023

    answered = {picture_index(msg): msg for msg in operator.detection}
    overlaps = [
        float(iou(np.array([as_xywh(msg)], np.float32), clip[index][1])[0]) for index, msg in answered.items()
    ]
    assert np.mean(overlaps) >= 0.6
    assert len(answered) >= 10  # how many more depends on the machine, which is no matter of this test
    assert {msg.id for msg in answered.values()} == {operator.value("id")}
    assert {msg.header.frame_id for msg in answered.values()} == {"camera"}
    assert all(0 <= msg.results[0].hypothesis.score <= 1 for msg in answered.values())
    frames = [stamp_ns(msg) for msg in operator.detections]
    assert set(answered) <= {(stamp - FIRST_STAMP_NS) // FRAME_NS for stamp in frames}


def test_initialising_is_announced_before_tracking(operator, camera, start_node, clip):
    start_node(**FAST)
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    operator.send_init(clip[0][1])
    operator.wait(lambda: operator.state == "tracking", "tracking")
    states = [status.message for status in operator.statuses]
    assert states.index("initialising") < states.index("tracking")
    assert int(operator.value("model_version")) >= 1


BAD_INITS = {
    "nan": ((math.nan, 10, 20, 20), {}, "finite"),
    "no width": ((30, 30, 0, 20), {}, "positive size"),
    "outside the image": ((5000, 5000, 20, 20), {}, "at least one pixel"),
    "turned": ((30, 30, 20, 20), {"theta": 0.5}, "turned"),
    "of another camera": ((30, 30, 20, 20), {"frame_id": "elsewhere"}, "elsewhere"),
}

BAD_IMAGES = {
    "unknown encoding": ({"encoding": "yuv999"}, "yuv999"),
    "buffer too small": ({"data": array("B", bytes(10))}, "10 bytes"),
    "step too short": ({"step": 5}, "step 5"),
    "no pixels": ({"width": 0}, "empty"),
}


def test_bad_requests_and_images_are_refused_by_name_and_the_track_lives_on(tracking, operator, clip):
    identity = operator.value("id")
    for name, (box, more, expected) in BAD_INITS.items():
        operator.forget()
        operator.send_init(box, **more)
        operator.wait(lambda: operator.was_refused(expected), name)  # noqa: B023
        operator.wait(lambda: operator.state == "tracking", f"tracking after an init that is {name}")
    _height, _width, _ = clip[0][0].shape
    for name, (change, expected) in BAD_IMAGES.items():
        operator.forget()
        bad = image_of(clip[0][0], **change)
        # Again and again: of two images that wait, the node takes the newer one.
        operator.wait(lambda: operator.publish(bad) or operator.was_refused(expected), name)  # noqa: B023
        operator.wait(lambda: operator.state == "tracking", f"tracking after an image with {name}")
    assert operator.value("id") == identity


def test_a_box_partly_outside_is_clipped_and_the_status_says_so(tracking, operator):
    operator.send_init((-20, -20, 60, 60))
    clipped = "accepted: learning the target at 0,0,40,40 (clipped to the image)"
    operator.wait(lambda: clipped in operator.reasons("initialising"), "the news that it was clipped")
    operator.wait(lambda: operator.value("id") == "2", "the second target")
    operator.wait(lambda: any(msg.id == "2" for msg in operator.detection), "a detection of it")


def test_a_second_init_starts_over_with_a_new_id(tracking, operator, clip):
    before = operator.value("id")
    operator.send_init(clip[0][1])
    operator.wait(lambda: operator.state == "initialising", "initialising")
    operator.wait(lambda: operator.state == "tracking", "tracking")
    assert operator.value("id") != before


def test_images_are_made_when_somebody_listens(tracking, operator, clip):
    seen: dict[str, list[Image]] = {"debug_image": [], "attention_image": []}
    for topic, images in seen.items():
        operator.node.create_subscription(Image, f"/tracker/{topic}", images.append, 5)
    operator.wait(lambda: all(seen.values()), "both images")
    debug, attention = seen["debug_image"][0], seen["attention_image"][0]
    assert (debug.height, debug.width, debug.encoding) == (*clip[0][0].shape[:2], "rgb8")
    assert debug.header.frame_id == "camera"
    drawn = np.frombuffer(debug.data, np.uint8).reshape(clip[0][0].shape)
    assert (drawn != clip[0][0]).any(axis=2).sum() > 100
    assert attention.height == attention.width > 0
    heat = np.frombuffer(attention.data, np.uint8)
    assert heat.std() > 5


def test_an_inactive_node_refuses_and_an_active_one_goes_on(tracking, operator, clip):
    identity = operator.value("id")
    change_state(operator, Transition.TRANSITION_DEACTIVATE)
    operator.wait(lambda: operator.state == "idle", "idle")
    operator.send_init(clip[0][1])
    operator.wait(lambda: operator.was_refused("not active"), "a refusal")
    change_state(operator, Transition.TRANSITION_ACTIVATE)
    operator.wait(lambda: operator.state == "tracking", "tracking again")
    assert operator.value("id") == identity
    change_state(operator, Transition.TRANSITION_DEACTIVATE)
    change_state(operator, Transition.TRANSITION_CLEANUP)
    operator.wait(lambda: "not configured" in operator.value("reason"), "an unconfigured node")


def change_state(operator, transition: int) -> None:
    request = ChangeState.Request(transition=Transition(id=transition))
    assert operator.call(ChangeState, "/tracker/change_state", request).success


def test_an_init_that_waits_does_not_outlive_the_activation(operator, start_node):
    start_node(**FAST)  # no camera: the init waits
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    operator.send_init((30, 30, 20, 20))
    operator.wait(lambda: operator.state == "initialising", "initialising")
    change_state(operator, Transition.TRANSITION_DEACTIVATE)
    change_state(operator, Transition.TRANSITION_ACTIVATE)
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    black = image_of(np.zeros((120, 160, 3), np.uint8))
    bad = image_of(np.zeros((120, 160, 3), np.uint8), encoding="yuv999")
    operator.wait(lambda: operator.publish(bad) or operator.was_refused("yuv999"), "a refused image")
    operator.wait(
        lambda: operator.publish(black) or operator.state == "idle", "an idle node after a good one"
    )
    assert "~/init" in operator.value("reason")
    assert not any("accepted" in reason for reason in operator.reasons("initialising"))


def test_a_node_can_be_shut_down_while_it_tracks(tracking, operator):
    change_state(operator, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    operator.wait(lambda: operator.value("reason") == "shut down", "the news of it")
    assert tracking.stop() == 0
    assert "Traceback" not in tracking.log.read_text()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_while_tracking_exits_0(tracking, sent):
    tracking.process.send_signal(sent)
    assert tracking.process.wait(timeout=20) == 0
    assert "Traceback" not in tracking.log.read_text()


def test_parameters_say_what_they_take(tracking, operator):
    assert operator.set_parameter("update.interval", 5)[0]
    accepted, reason = operator.set_parameter("update.interval", 0)
    assert not accepted
    assert "update.interval" in reason
    accepted, reason = operator.set_parameter("features.grid", 4)
    assert not accepted
    assert "configured" in reason


def test_a_failing_update_is_reported_and_the_last_good_model_stays(operator, camera, start_node, clip):
    # The last layer overshoots by a thousand times a step: its weights are not finite after a few.
    diverging = {
        "update.learning_rate": 1.0,
        "update.iterations": 200,
        "update.interval": 1,
        "optimizer.clip_norm": 1e6,
        "optimizer.weight_decay": 1.0,
        "optimizer.last_layer_gain": 1000.0,
    }
    start_node(**FAST, **diverging, **{"first_fit.learning_rate": 1e-3})
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    operator.send_init(clip[0][1])
    operator.wait(
        lambda: any("update failed" in operator.value("reason", status) for status in operator.statuses),
        "the failure",
    )
    count = len(operator.detections)
    operator.wait(lambda: len(operator.detections) > count + 3, "answers after the failure")
    assert operator.value("model_version") in {"1", "2"}  # the first fit: its beginning, or all of it


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_during_a_fit_exits_0(operator, camera, start_node, clip, sent):
    process = start_node(
        **FAST, **{"first_fit.iterations": 3000}
    )  # it takes seconds, and warming up does, too
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    operator.send_init(clip[0][1])
    operator.wait(lambda: "accepted" in operator.value("reason"), "the fit")
    process.process.send_signal(sent)
    assert process.process.wait(timeout=20) == 0
    assert "Traceback" not in process.log.read_text()


WRONG_STARTS = {
    "unknown name": ({"update.intervall": 3}, "did you mean 'update.interval'?"),
    "out of bounds": ({"update.interval": 0}, "update.interval"),
    "wrong type": ({"regression.ridge": 1}, "regression.ridge"),
    "no such choice": ({"update.updater": "never"}, "never"),
}


@pytest.mark.parametrize(("wrong", "expected"), WRONG_STARTS.values(), ids=WRONG_STARTS.keys())
def test_a_wrong_parameter_at_the_start_is_named(start_node, wrong, expected):
    process = start_node(**wrong)
    assert process.process.wait(timeout=30) == 2
    assert expected in process.log.read_text()


def test_an_absent_parameter_file_is_named(tmp_path):
    absent = tmp_path / "absent.yaml"
    command = [sys.executable, "-m", "recip_tracker_ros.main", "--ros-args", "--params-file", str(absent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert str(absent) in done.stderr
    assert "Traceback" not in done.stderr


def test_unusable_weights_leave_an_unconfigured_node_that_says_why(operator, start_node, tmp_path):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no weights")
    process = start_node(**{"backbone.weights": str(broken)})
    operator.wait(lambda: operator.state == "refused", "a refusal")
    assert "broken.pth" in operator.value("reason")
    assert process.process.poll() is None
    assert process.stop() == 0
