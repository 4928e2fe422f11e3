"""Several targets at once, over real DDS: added, refused, removed, undone."""

from __future__ import annotations

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

SMALL = {
    "first_fit.negatives": 1000,
    "map.region_px": 160,
    "map.target_px": 48.0,
    "locator.grid": 3,
    "refiner.grid": 3,
}
CORNER, EDGE = (10, 10, 60, 60), (20, 160, 60, 60)  # of the background, away from the target


@pytest.fixture
def idle(operator, camera, start_node):
    """An active node that may follow three targets; its camera holds the first picture."""
    process = start_node(**SMALL, max_targets=3)
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    return process


def ids(message) -> set[str]:
    return {detection.id for detection in message.detections}


def follow(operator, box, name: str) -> None:
    """Ask for a target and wait until it is one of those in a frame."""
    operator.send_init(box, id=name)
    operator.wait(lambda: any(name in ids(message) for message in operator.detections), f"target {name}")


def wait_for_exactly(operator, names: set[str]) -> None:
    operator.wait(lambda: operator.detections and ids(operator.detections[-1]) == names, f"only {names}")
    operator.wait(lambda: operator.value("targets").split(", ") == sorted(names), f"the news of {names}")


def test_targets_are_added_up_to_the_most_removed_and_undone(idle, operator, clip):
    debug: list[Image] = []
    operator.node.create_subscription(Image, "/tracker/debug_image", debug.append, 5)
    remover = operator.node.create_publisher(String, "/tracker/remove", 10)
    operator.wait(lambda: remover.get_subscription_count() > 0, "the node's subscription")

    operator.send_init(clip[0][1], id="a")
    operator.send_init(CORNER, id="b")
    wait_for_exactly(operator, {"a", "b"})
    both = next(message for message in operator.detections if ids(message) == {"a", "b"})
    assert {one.header.frame_id for one in both.detections} == {"camera"}
    assert {one.header.stamp.sec for one in both.detections} == {both.header.stamp.sec}
    for one, (x, y, w, h) in zip(both.detections, (clip[0][1], CORNER), strict=True):
        at = one.bbox.center.position
        assert np.hypot(at.x - x - w / 2, at.y - y - h / 2) < w / 2

    operator.forget()
    follow(operator, EDGE, "c")
    learned = [message for message in operator.detections if "c" not in ids(message)]
    assert all(ids(message) == {"a", "b"} for message in learned)  # they went on meanwhile
    wait_for_exactly(operator, {"a", "b", "c"})
    operator.wait(lambda: operator.detection and operator.detection[-1].id == "c", "the current target")

    operator.send_init(EDGE, id="d")
    reason = "target 'd' is one too many: 'max_targets' is 3, and targets 'a', 'b', 'c' are followed"
    operator.wait(lambda: operator.was_refused(reason), "a refusal")
    remover.publish(String(data="d"))
    told = "remove refused: there is no target 'd': targets 'a', 'b', 'c' are followed"
    operator.wait(lambda: operator.was_refused(told), "a refusal")

    remover.publish(String(data="b"))
    wait_for_exactly(operator, {"a", "c"})
    assert operator.call(Trigger, "/tracker/undo_init", Trigger.Request()).success  # the init of c
    wait_for_exactly(operator, {"a"})
    operator.wait(lambda: operator.value("id") == "a" and operator.state == "tracking", "the first target")

    operator.wait(lambda: debug, "a picture")
    drawn = np.frombuffer(debug[-1].data, np.uint8).reshape(clip[0][0].shape)
    assert (drawn != clip[0][0]).any(axis=2).sum() > 100
    assert "Traceback" not in idle.log.read_text()
