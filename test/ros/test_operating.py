"""What an operator does beyond choosing a target, over real DDS: services, points, answers, time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point, PointStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import Detection2D, VisionInfo

SMALL = {
    "first_fit.negatives": 1000,
    "map.region_px": 160,
    "map.target_px": 48.0,
    "locator.grid": 3,
    "refiner.grid": 3,
}
LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def is_waiting(operator) -> bool:
    return operator.state == "idle" and "~/init" in operator.value("reason")


@pytest.fixture
def idle(operator, camera, start_node):
    """An active node without a target, whose camera holds the first picture."""
    process = start_node(**SMALL)
    operator.wait(lambda: is_waiting(operator), "an idle node")
    return process


@pytest.fixture
def tracking(idle, operator, clip):
    operator.send_init(clip[0][1])
    operator.wait(lambda: operator.state == "tracking", "tracking")
    operator.forget()
    return idle


def triggered(operator, name: str) -> tuple[bool, str]:
    answer = operator.call(Trigger, f"/tracker/{name}", Trigger.Request())
    return answer.success, answer.message


def switched(operator, name: str, on: bool) -> tuple[bool, str]:
    answer = operator.call(SetBool, f"/tracker/{name}", SetBool.Request(data=on))
    return answer.success, answer.message


def heard(operator, kind: type, topic: str, qos=10) -> list:
    messages: list = []
    operator.node.create_subscription(kind, topic, messages.append, qos)
    return messages


def values(status) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def test_a_point_becomes_a_box_that_is_shown(idle, operator, clip):
    shown = heard(operator, Image, "/tracker/init_image", LATCHED)
    publisher = operator.node.create_publisher(Point, "/tracker/init_click", 10)
    operator.wait(lambda: publisher.get_subscription_count() > 0, "the node's subscription")
    x, y, w, h = clip[0][1]
    assert operator.set_parameter("init.click_size_px", 50.0)[0]
    publisher.publish(Point(x=x + w / 2, y=y + h / 2))
    operator.wait(lambda: operator.state == "tracking", "tracking")
    expected = f"accepted: learning the target at {x + w / 2 - 25:g},{y + h / 2 - 25:g},50,50"
    assert any(reason.startswith(expected) for reason in operator.reasons("initialising"))
    operator.wait(lambda: shown, "the picture of what was understood")
    picture = np.frombuffer(shown[0].data, np.uint8).reshape(clip[0][0].shape)
    assert (picture != clip[0][0]).any(axis=2).sum() > 100
    operator.forget()
    publisher.publish(Point(x=-5.0, y=3.0))
    operator.wait(lambda: operator.was_refused("the point -5,3 is not in the image"), "a refusal")


def test_a_point_with_a_stamp_means_that_frame(idle, operator):
    publisher = operator.node.create_publisher(PointStamped, "/tracker/init_point", 10)
    operator.wait(lambda: publisher.get_subscription_count() > 0, "the node's subscription")
    request = PointStamped(point=Point(x=100.0, y=80.0))
    request.header.stamp.sec = 900
    publisher.publish(request)
    operator.wait(lambda: operator.was_refused("from the future"), "a refusal")


def test_a_reset_forgets_the_target(tracking, operator):
    assert triggered(operator, "reset")[0]
    operator.wait(lambda: is_waiting(operator), "an idle node")
    assert operator.value("id") == ""
    assert triggered(operator, "undo_init") == (False, "undo_init refused: there is no target from before")
    assert triggered(operator, "save_target")[0] is False


def test_a_paused_node_answers_no_frame_until_it_goes_on(tracking, operator):
    identity = operator.value("id")
    assert switched(operator, "pause", True)[0]
    operator.wait(lambda: operator.state == "paused", "a pause")
    operator.forget()
    timing = heard(operator, DiagnosticArray, "/diagnostics")
    operator.wait(lambda: len(timing) > 2, "two seconds of diagnostics")
    assert operator.detections == []
    assert switched(operator, "pause", False)[0]
    operator.wait(lambda: operator.state == "tracking", "tracking again")
    assert operator.value("id") == identity


def is_unchanged(operator) -> bool:
    """Whether the model stays the same for a dozen frames."""
    version, count = operator.value("model_version"), len(operator.detections)
    operator.wait(lambda: len(operator.detections) > count + 12, "a dozen frames")
    return operator.value("model_version") == version


def test_a_frozen_target_is_followed_by_the_model_that_it_had(tracking, operator):
    info = heard(operator, VisionInfo, "/tracker/vision_info", LATCHED)
    operator.wait(lambda: len(info) > 2, "updates")
    assert switched(operator, "freeze", True)[0]
    operator.wait(lambda: operator.value("frozen") == "true", "the news")
    assert any(is_unchanged(operator) for _ in range(20)), "what was being learned never ends"
    assert is_unchanged(operator)
    version = operator.value("model_version")
    assert switched(operator, "freeze", False)[0]
    operator.wait(lambda: operator.value("model_version") > version, "an update")


def test_the_model_in_use_is_named_and_its_changes_are_counted(tracking, operator):
    info = heard(operator, VisionInfo, "/tracker/vision_info", LATCHED)
    operator.wait(lambda: len(info) > 3, "updates")
    versions = [msg.database_version for msg in info]
    assert versions == sorted(set(versions))
    assert "efficientnet_lite0" in info[-1].database_location
    assert "sha256:" in info[-1].database_location
    assert "Reciprocative" in info[-1].method


def test_undoing_an_init_goes_back_to_the_target_before(tracking, operator, clip):
    operator.send_init(clip[30][1], id="another")
    operator.wait(lambda: operator.value("id") == "another" and operator.state != "initialising", "another")
    assert triggered(operator, "undo_init")[0]
    operator.wait(lambda: operator.value("id") == "1" and operator.state == "tracking", "the first")


def test_a_target_goes_to_a_file_and_comes_back(tracking, operator, tmp_path):
    assert triggered(operator, "save_target") == (
        False,
        "save_target refused: the parameter 'target_file' is empty: it names the file",
    )
    file = tmp_path / "target.npz"
    assert operator.set_parameter("target_file", str(file))[0]
    assert triggered(operator, "save_target")[0]
    assert file.stat().st_size > 1000
    assert triggered(operator, "reset")[0]
    assert triggered(operator, "load_target")[0]
    operator.wait(
        lambda: operator.state == "lost" or operator.reasons("lost"), "a target that is not seen yet"
    )
    operator.wait(lambda: operator.state == "tracking", "the target")
    assert "found again" in [status.message for status in operator.statuses]
    file.write_bytes(b"nothing of the kind")
    success, message = triggered(operator, "load_target")
    assert (success, str(file) in message) == (False, True)
    operator.wait(lambda: operator.state == "tracking", "the target that was followed")


def test_each_frame_s_time_is_told_stage_by_stage_and_each_second_how_it_goes(tracking, operator):
    timing = heard(operator, DiagnosticArray, "/tracker/timing")
    vitals = heard(operator, DiagnosticArray, "/diagnostics")
    operator.wait(lambda: timing and len(vitals) > 1, "both")
    (status,) = timing[-1].status
    stages = {key: float(value) for key, value in values(status).items()}
    assert timing[-1].header.frame_id == "camera"
    assert {"age_ms", "total_ms", "convert_ms", "features_ms", "publish_ms"} <= set(stages)
    parts = [value for key, value in stages.items() if key not in ("age_ms", "total_ms")]
    assert stages["total_ms"] == pytest.approx(sum(parts), abs=0.1)
    sections = {status.name: status for status in vitals[-1].status}
    assert set(sections) == {"tracker: camera", "tracker: tracking", "tracker: learning"}
    assert float(values(sections["tracker: camera"])["image_rate_hz"]) > 1
    assert values(sections["tracker: tracking"])["target_id"] == "1"
    assert float(values(sections["tracker: learning"])["process_mb"]) > 50


def test_the_box_is_extrapolated_to_a_moment_after_its_image(tracking, operator):
    predicted = heard(operator, Detection2D, "/tracker/predicted_detection")
    operator.wait(lambda: predicted and operator.detection, "a prediction")
    # The camera's stamps are of its own clock: "now" is no more than the horizon after them.
    stamps = [
        msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9
        for msg in (predicted[-1], operator.detection[-1])
    ]
    assert stamps[0] - stamps[1] == pytest.approx(0.5, abs=1e-6)
    assert predicted[-1].id == operator.detection[-1].id


def test_a_camera_that_falls_silent_is_reported_and_its_return_too(tracking, operator, camera):
    vitals = heard(operator, DiagnosticArray, "/diagnostics")

    def complaint() -> str:
        return (
            next((one.message for one in vitals[-1].status if one.name == "tracker: camera"), "")
            if vitals
            else ""
        )

    camera.say("quiet")
    operator.wait(lambda: "no image on /camera/image for" in complaint(), "a complaint")
    camera.say("hold")
    operator.wait(lambda: "no image" not in complaint(), "the end of it")
    log = tracking.log.read_text()
    assert "images come again on /camera/image" in log


def test_a_clock_that_goes_back_forgets_the_target(operator, camera, start_node, clip):
    start_node(**SMALL, use_sim_time=True)
    clock = operator.node.create_publisher(Clock, "/clock", 10)
    seconds = itertools.count(100)

    def tick(at: int | None = None) -> None:
        message = Clock()
        message.clock.sec = next(seconds) if at is None else at
        clock.publish(message)

    operator.wait(lambda: tick() or is_waiting(operator), "an idle node")
    operator.send_init(clip[0][1])
    operator.wait(lambda: tick() or operator.state == "tracking", "tracking")
    operator.wait(lambda: tick(5) or "the clock went back by" in operator.value("reason"), "the news")
    assert is_waiting(operator)
    operator.send_init(clip[0][1])
    operator.wait(lambda: operator.state == "tracking", "tracking in the new time")


def test_a_stream_that_begins_again_keeps_its_target(tracking, operator, camera, clip):
    camera.say("play")
    last_ns = 1_000_000_000 + (len(clip) - 1) * 50_000_000
    operator.wait(lambda: any(stamp_ns(msg) == last_ns for msg in operator.detections), "the last picture")
    camera.say("hold")
    operator.wait(lambda: stamp_ns(operator.detections[-1]) == 1_000_000_000, "the first picture")
    assert {msg.id for msg in operator.detection} == {"1"}
    assert "stamps went back by 2.95 s" in tracking.log.read_text()


def stamp_ns(msg) -> int:
    return msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec
