"""The real node follows the demo's drawn clip: its target passes behind a pillar and comes out again."""

from __future__ import annotations

import importlib
import itertools
from array import array
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from sensor_msgs.msg import Image

from recip_tracker_core.geometry import iou

DEMO = Path(__file__).parents[2] / "demo"
FRAMES, SIZE = 90, (320, 180)
FRAME_NS, FIRST_STAMP_NS = 100_000_000, 1_000_000_000
ASK_AGAIN = 40  # spins without an answer after which a picture, sent best effort, may have been lost
TARGET = "robot-7"


@pytest.fixture(scope="module")
def clip():
    """The demo is not installed, so it is found by its place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMO)
        return list(importlib.import_module("occlusion").pictures(FRAMES, SIZE))


def image_of(picture, stamp_ns: int) -> Image:
    height, width, _ = picture.image.shape
    data = array("B", picture.image.tobytes())
    msg = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=data)
    msg.header.frame_id = "camera"
    msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    return msg


def stamp_ns(msg) -> int:
    return msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec


def as_xywh(detection) -> list[float]:
    middle, box = detection.bbox.center.position, detection.bbox
    return [middle.x - box.size_x / 2, middle.y - box.size_y / 2, box.size_x, box.size_y]


def show(operator, picture, stamp: int, is_enough) -> None:
    """Publish a picture until the node has done what is expected, so that no machine is too slow."""
    image, spins = image_of(picture, stamp), itertools.count()

    def is_done() -> bool:
        if next(spins) % ASK_AGAIN == 0:
            operator.publish(image)
        return is_enough()

    operator.wait(is_done, "what follows a picture")


def follow(operator, clip):
    """The node's state and detections for every picture, after it has learned the target in the first."""
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    operator.send_init(tuple(clip[0].box), id=TARGET)
    show(operator, clip[0], FIRST_STAMP_NS, lambda: operator.state == "tracking")
    stamps = [FIRST_STAMP_NS + index * FRAME_NS for index in range(1, len(clip))]
    for picture, stamp in zip(clip[1:], stamps, strict=True):
        show(operator, picture, stamp, lambda: stamp in map(stamp_ns, operator.detections[-3:]))  # noqa: B023
    found = {stamp_ns(msg): list(msg.detections) for msg in operator.detections}
    return [(state_at(operator, stamp), found[stamp]) for stamp in stamps]


def state_at(operator, stamp: int) -> str:
    """The last state that a picture up to that stamp brought about; topics arrive in any order."""
    marks = [(operator.value("stamp", status), status.message) for status in operator.statuses]
    return [state for mark, state in marks if mark and as_ns(mark) <= stamp][-1]


def as_ns(mark: str) -> int:
    """Nanoseconds of ``seconds.nanoseconds``."""
    seconds, _, rest = mark.partition(".")
    return int(seconds) * 1_000_000_000 + int(rest)


@pytest.fixture
def answers(operator, start_node, clip):
    """Of a node that learns before it answers, so that a test can repeat it."""
    start_node(**{"update.updater": "inline"})
    return follow(operator, clip)


def test_a_hidden_target_is_lost_and_tracked_again_under_the_same_id(operator, answers, clip):
    shown = clip[1:]
    hidden = [index for index, picture in enumerate(shown) if np.isnan(picture.box).any()]
    whole = next(index for index, picture in enumerate(shown) if picture.in_view < 0.95)
    states = [state for state, _ in answers]

    assert set(states[:whole]) == {"tracking"}
    assert states[hidden[-1]] == "lost"
    assert all(not found for state, found in answers if state == "lost")
    assert set(states[-10:]) == {"tracking"}
    for (_, found), picture in zip(answers[-10:], shown[-10:], strict=True):
        assert iou(np.array([as_xywh(found[0])]), picture.box)[0] > 0.5
    assert {detection.id for _, found in answers for detection in found} == {TARGET}
    assert {detection.id for detection in operator.detection} == {TARGET}
