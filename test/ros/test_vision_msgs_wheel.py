"""The installed ``vision_msgs`` is upstream's on the wire, whoever built it.

Run as a script, this file is the exchange that the tests look at: a process of its own, so that
its stderr and its domain are its own.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy")
vision_msgs = pytest.importorskip("vision_msgs.msg")

# RIHS01 hashes of vision_msgs 4.1.1, worked out from upstream's files by another implementation
# than ROS's generators: rosbags, `Typestore.hash_rihs01`.
UPSTREAM_DIGESTS = {
    "BoundingBox2D": "008eacbb0cf8f26e83795547bed013eec3675485ef386ec056d80eaaf1c1ce2f",
    "BoundingBox2DArray": "2464e82838009386d371b523211c21c91d74d313fcdd6788223c531d621cf691",
    "BoundingBox3D": "bbb73a65c163d7f9bb29009c7bde9f7faa576bd2d23299c4511d19230dab4698",
    "BoundingBox3DArray": "a81938db9576b10c2eecd7c5a5da3eac496efd00221b25ed051dfbc81fb56da6",
    "Classification": "f74db28d0eaef3afb78f48bf2161cd709a1383a0309d3454383b25be11345143",
    "Detection2D": "0d12b69df5c593b3455b7346fac8205437a7d4bcb09b9e0e0b2dde787ded38ea",
    "Detection2DArray": "214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "Detection3D": "ddd703be132ab0b69d33121f1bb034132bfbb3b0ac5f9fb1516005ba1c8a265b",
    "Detection3DArray": "793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018",
    "LabelInfo": "3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
    "ObjectHypothesis": "51da43cec11c01957a64d1e05a24acd18aae7745ec30b74348ad5f6d634f7f90",
    "ObjectHypothesisWithPose": "41c12344c0396c48b81df12467c192d99b2a0eb1463c5c37194e4223251c80bc",
    "Point2D": "eab0e83f44ab4de92ceaf76dd7d0e7638f2bdd1d16ffbe16c7a136c48e407247",
    "Pose2D": "b0b5d1d7b4c20dd4fcde3ed1d4b289a919290572007d67a97043814db25d3648",
    "VisionClass": "1e4a11f0fed50b5623cb8ff26ca0e37952a48a9c074d16f804b44e9164c2037a",
    "VisionInfo": "95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284",
}
UPSTREAM_HASHES = {name: f"RIHS01_{digest}" for name, digest in UPSTREAM_DIGESTS.items()}
EXCHANGED = ("Detection2D", "Detection2DArray")
EXCHANGE_LIMIT_S = 60.0
STEP_LIMIT_S = 20.0

Exchange = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    """One run of this file as a script, alone in its domain, ended with status 0."""
    environment = dict(os.environ)
    environment.pop("ROS_LOCALHOST_ONLY", None)  # deprecated, and rcl says so on stderr
    environment["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    done = subprocess.run(
        [sys.executable, __file__],
        env=environment,
        capture_output=True,
        text=True,
        timeout=EXCHANGE_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("name", UPSTREAM_HASHES)
def test_a_shipped_description_carries_upstreams_hash(name: str) -> None:
    prefix = Path(vision_msgs.__file__).parents[5]
    description = prefix / "share" / "vision_msgs" / "msg" / f"{name}.json"
    if not description.is_file():
        pytest.skip(f"this vision_msgs ships no {description.name}")
    own_hash, *_ = json.loads(description.read_text())["type_hashes"]
    assert own_hash["type_name"] == f"vision_msgs/msg/{name}"
    assert own_hash["hash_string"] == UPSTREAM_HASHES[name]


@pytest.mark.parametrize("name", UPSTREAM_HASHES)
def test_a_publisher_announces_upstreams_hash(name: str, exchange: Exchange) -> None:
    assert json.loads(exchange.stdout)["announced"][name] == UPSTREAM_HASHES[name]


@pytest.mark.parametrize("name", EXCHANGED)
def test_a_message_arrives_as_it_was_sent(name: str, exchange: Exchange) -> None:
    assert json.loads(exchange.stdout)["intact"][name] is True


def test_all_types_in_use_at_once_leave_stderr_empty(exchange: Exchange) -> None:
    assert exchange.stderr == ""


def detection() -> Any:
    """A Detection2D with something of its own in every part, down to the covariance."""
    hypothesis = vision_msgs.ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = "cup"
    hypothesis.hypothesis.score = 0.75
    hypothesis.pose.pose.position.z = 1.5
    hypothesis.pose.covariance[35] = 0.25
    message = vision_msgs.Detection2D(results=[hypothesis], id="seventh")
    message.header.stamp.sec = 12
    message.header.frame_id = "camera"
    message.bbox.center.position.x = 320.5
    message.bbox.center.position.y = 240.25
    message.bbox.center.theta = 0.125
    message.bbox.size_x = 64.0
    message.bbox.size_y = 48.0
    return message


def wait_until(condition: Callable[[], bool], listener: Any, what: str) -> None:
    """Spin ``listener`` until ``condition`` holds.

    Raises:
        TimeoutError: it did not within STEP_LIMIT_S.
    """
    deadline_s = time.monotonic() + STEP_LIMIT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what} took more than {STEP_LIMIT_S:.0f} s")
        rclpy.spin_once(listener, timeout_sec=0.02)


def exchange_messages(sender: Any, listener: Any) -> dict[str, dict[str, object]]:
    """What ``listener`` learns of every type, and what it gets of the two that are sent."""
    one = detection()
    two = vision_msgs.Detection2DArray(header=one.header, detections=[one, one])
    sent = {"Detection2D": one, "Detection2DArray": two}
    received: dict[str, Any] = {}
    types = {name: getattr(vision_msgs, name) for name in UPSTREAM_HASHES}
    publishers = {name: sender.create_publisher(types[name], name, 1) for name in types}
    for name in EXCHANGED:
        keep = partial(received.__setitem__, name)
        listener.create_subscription(types[name], name, keep, 1)

    def is_discovered() -> bool:
        subscribed = all(publishers[name].get_subscription_count() for name in EXCHANGED)
        return subscribed and all(listener.count_publishers(name) for name in types)

    wait_until(is_discovered, listener, "discovery")
    for name, message in sent.items():
        publishers[name].publish(message)
    wait_until(lambda: len(received) == len(sent), listener, "delivery")
    found = {name: listener.get_publishers_info_by_topic(name)[0] for name in types}
    return {
        "announced": {name: str(publisher.topic_type_hash) for name, publisher in found.items()},
        "intact": {name: received[name] == message for name, message in sent.items()},
    }


def main() -> None:
    """Print, as JSON, what crossed between two nodes that share no DDS participant."""
    sender_context = rclpy.Context()
    rclpy.init(context=sender_context)
    rclpy.init()
    sender = rclpy.create_node("sender", context=sender_context)
    listener = rclpy.create_node("listener")
    print(json.dumps(exchange_messages(sender, listener)))
    sender.destroy_node()
    listener.destroy_node()
    rclpy.shutdown(context=sender_context)
    rclpy.shutdown()


if __name__ == "__main__":
    main()
