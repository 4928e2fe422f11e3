"""A node in its own process, a camera in another, and an operator here: they meet over real DDS."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before rclpy is imported: a domain of our own, this machine only, and room for images.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
SHARE = Path(sys.prefix) / "share" / "recip_tracker_ros"
if (SHARE / "config" / "fastdds.xml").exists():
    os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(SHARE / "config" / "fastdds.xml"))

import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2D, Detection2DArray

CAMERA = Path(__file__).parent / "camera.py"
PATIENCE_S = 60.0
FRAME_NS = 50_000_000  # the camera stamps its n-th picture n times this, so that stamps tell the frame


class Operator:
    """Sends what an operator sends and keeps what the node answers."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("operator")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.statuses: list[DiagnosticStatus] = []
        self.detection: list[Detection2D] = []
        self.detections: list[Detection2DArray] = []
        self.init_publisher = self.node.create_publisher(Detection2D, "/tracker/init", 10)
        self.image_publisher = self.node.create_publisher(Image, "/camera/image", 10)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(DiagnosticStatus, "/tracker/status", self.statuses.append, latched)
        self.node.create_subscription(Detection2D, "/tracker/detection", self.detection.append, 100)
        self.node.create_subscription(Detection2DArray, "/tracker/detections", self.detections.append, 100)

    @property
    def state(self) -> str:
        """The newest state, or an empty string."""
        return str(self.statuses[-1].message) if self.statuses else ""

    def value(self, key: str, status: DiagnosticStatus | None = None) -> str:
        """A value of a status, the newest by default."""
        values = (status or self.statuses[-1]).values
        return next(str(item.value) for item in values if item.key == key)

    def reasons(self, state: str) -> list[str]:
        """The reasons of all statuses with that state."""
        return [self.value("reason", status) for status in self.statuses if status.message == state]

    def was_refused(self, text: str) -> bool:
        """Whether a refusal with that text in its reason has been heard."""
        return any(text in reason for reason in self.reasons("refused"))

    def publish(self, image: Image) -> None:
        """Publish an image where the node looks for its camera."""
        self.image_publisher.publish(image)

    def wait(self, condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        """Spin until the condition holds; fail with what has been heard when it does not."""
        end = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > end:
                heard = [(status.message, status.values[0].value) for status in self.statuses]
                pytest.fail(f"waited {patience_s:g} s in vain for {what}; statuses heard: {heard}")
            self._executor.spin_once(timeout_sec=0.05)

    def send_init(self, box: tuple[float, float, float, float], **more: object) -> None:
        """Publish a box x, y, w, h on the init topic, to a node that listens."""
        self.wait(lambda: self.init_publisher.get_subscription_count() > 0, "the node's init subscription")
        x, y, w, h = map(float, box)  # an int in a float64 field aborts the process
        msg = Detection2D()
        msg.bbox.center.position.x, msg.bbox.center.position.y = x + w / 2, y + h / 2
        msg.bbox.center.theta = float(more.get("theta", 0.0))  # type: ignore[arg-type]
        msg.bbox.size_x, msg.bbox.size_y = w, h
        msg.header.frame_id = str(more.get("frame_id", ""))
        seconds, nanoseconds = divmod(int(more.get("stamp_ns", 0)), 1_000_000_000)  # type: ignore[call-overload]
        msg.header.stamp.sec, msg.header.stamp.nanosec = seconds, nanoseconds
        msg.id = str(more.get("id", ""))
        self.init_publisher.publish(msg)

    def set_parameter(self, name: str, value: object) -> tuple[bool, str]:
        """Set one parameter of the node: whether it was accepted, and the reason."""
        client = self.node.create_client(SetParameters, "/tracker/set_parameters")
        self.wait(client.service_is_ready, "the node's parameter service")
        parameter = rclpy.parameter.Parameter(name, value=value).to_parameter_msg()
        future = client.call_async(SetParameters.Request(parameters=[parameter]))
        self.wait(future.done, f"the answer to setting {name}")
        result = future.result().results[0]
        self.node.destroy_client(client)
        return result.successful, result.reason

    def call(self, kind: type, name: str, request: object) -> object:
        """Call a service of the node and return its answer."""
        client = self.node.create_client(kind, name)
        self.wait(client.service_is_ready, name)
        future = client.call_async(request)
        self.wait(future.done, f"the answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def forget(self) -> None:
        """Drop what has been heard, but for the newest status."""
        del self.statuses[:-1]
        self.detection.clear()
        self.detections.clear()

    def close(self) -> None:
        """Leave."""
        self._executor.shutdown()
        self.node.destroy_node()


class NodeProcess:
    """``tracker_node`` in a process of its own, its camera on /camera/image."""

    def __init__(self, log: Path, **parameters: object) -> None:
        self.log = log
        image = parameters.pop("_image", "/camera/image")
        command = [sys.executable, "-m", "recip_tracker_ros.main", "--ros-args", "-r", f"image:={image}"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        with log.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    def stop(self) -> int:
        """SIGINT, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


class Camera:
    """A publisher of a clip in a process of its own; see camera.py."""

    def __init__(self, clip: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CAMERA), str(clip), str(FRAME_NS)], stdin=subprocess.PIPE, text=True
        )

    def say(self, command: str) -> None:
        """``hold`` the first picture, ``play`` from it to the last and hold that, or ``quiet``."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def ros() -> Iterator[None]:
    """rclpy, initialised."""
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def operator(ros: None) -> Iterator[Operator]:
    """Somebody who sends inits and listens to the answers."""
    person = Operator()
    yield person
    person.close()


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Start nodes with parameters; they are stopped at the end."""
    started: list[NodeProcess] = []

    def start(**parameters: object) -> NodeProcess:
        started.append(NodeProcess(tmp_path / f"node{len(started)}.log", **parameters))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
        process.process.wait()


@pytest.fixture(scope="session")
def clip(rendered_clip):
    """Three seconds of a target in motion, with its boxes."""
    return rendered_clip(60, (320, 240), 3)


@pytest.fixture
def camera(
    tmp_path: Path, clip: list[tuple[np.ndarray, tuple[float, float, float, float]]]
) -> Iterator[Camera]:
    """A camera that holds the first picture of the rendered clip."""
    path = tmp_path / "clip.npy"
    np.save(path, np.stack([image for image, _ in clip]))
    process = Camera(path)
    yield process
    process.stop()
