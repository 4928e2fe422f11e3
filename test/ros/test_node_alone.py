"""The node in this process, called as rclpy calls it: what goes wrong is said, and it lives on."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from geometry_msgs.msg import Point
from rclpy.duration import Duration
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from recip_tracker_ros.node import TrackerNode

SMALL = {"map.region_px": 160, "map.target_px": 48.0, "locator.grid": 3, "refiner.grid": 3}
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture
def made(ros):
    """``made(**parameters)``: nodes that end with the test."""
    nodes: list[TrackerNode] = []

    def make(**parameters: object) -> TrackerNode:
        overrides = [Parameter(name, value=value) for name, value in (SMALL | parameters).items()]
        nodes.append(TrackerNode(parameter_overrides=overrides))
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()
        node.destroy_node()


@pytest.fixture
def active(made):
    node = made()
    assert (node.trigger_configure(), node.trigger_activate()) == (SUCCESS, SUCCESS)
    return node


def said(node: TrackerNode) -> tuple[str, str]:
    return node._reporter.last.state.value, node._reporter.last.reason


def image(encoding: str = "rgb8", stamp_s: int = 1) -> Image:
    data = array("B", np.full((120, 160, 3), 90, np.uint8).tobytes())
    msg = Image(height=120, width=160, encoding=encoding, step=480, data=data)
    msg.header.stamp.sec = stamp_s
    return msg


def entities(node: TrackerNode) -> tuple[int, int]:
    return len(list(node.publishers)), len(list(node.subscriptions))


def test_an_output_that_cannot_be_made_is_named_and_leaves_nothing_behind(made):
    node = made(**{"qos_overrides./tracker/debug_image.publisher.reliability": "perhaps"})
    before = entities(node)
    for _ in range(2):
        assert node.trigger_configure() == FAILURE
        assert "perhaps" in said(node)[1]
        assert entities(node) == before


def test_a_camera_that_cannot_be_subscribed_to_is_named_and_the_node_stays_inactive(made):
    node = made(**{"qos_overrides./image.subscription.reliability": "perhaps"})
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == FAILURE
    state, reason = said(node)
    assert state == "refused"
    assert "cannot activate" in reason
    assert "perhaps" in reason


def test_a_node_that_is_configured_again_has_what_it_had(made):
    node = made()
    counts = []
    for _ in range(3):
        assert (node.trigger_configure(), node.trigger_activate()) == (SUCCESS, SUCCESS)
        counts.append(entities(node))
        assert (node.trigger_deactivate(), node.trigger_cleanup()) == (SUCCESS, SUCCESS)
    assert counts == [counts[0]] * 3


def test_a_clock_that_goes_back_while_the_node_is_inactive_does_not_make_it_wait_for_a_target(made):
    node = made()
    assert node.trigger_configure() == SUCCESS
    node._on_jump(SimpleNamespace(delta=Duration(seconds=-5)))
    assert said(node) == ("idle", "the clock went back by 5.00 s, and all is forgotten; not active")


def test_after_a_refused_image_the_next_good_one_ends_the_refusal_and_no_other(active):
    active._on_image(image("yuv999"))
    assert said(active)[0] == "refused"
    active._on_image(image())
    assert said(active) == ("idle", "waiting for a target on ~/init")
    active._on_image(image("yuv999"))
    active._on_click(Point(x=-1.0, y=5.0))
    active._on_image(image())
    assert "the point -1,5" in said(active)[1]  # that is still the last word


def test_what_fails_outside_of_an_image_is_said_and_the_node_lives_on(active):
    def fail() -> None:
        raise RuntimeError("no memory left on the device")

    active._parts.following.work_off = fail
    active._on_wake()
    assert said(active) == ("refused", "the target's first answer failed: no memory left on the device")
    active._parts.following.ask = lambda request: fail()
    active._on_click(Point(x=5.0, y=5.0))
    assert said(active)[0] == "refused"
    active._parts.following.tick = lambda now_s: fail()
    active._on_tick()
    assert said(active)[0] == "refused"
