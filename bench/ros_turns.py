"""One turn through the node: camera, node and listener are processes of their own and meet over DDS.

``python bench/ros_turns.py '{"run": "background", "seconds": 15}'`` is the listener, which starts the others
and prints a line of JSON as :mod:`turns` does, without a phase flat out. Needs the extra ``ros``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import recip_tracker_ros
from recip_tracker_ros.middleware import PROFILE_VARIABLE

# Before rclpy is imported: a domain of our own on this machine, room for images, and where the wheels are.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
os.environ.setdefault(PROFILE_VARIABLE, str(Path(__file__).resolve().parents[1] / "config" / "fastdds.xml"))

import psutil  # type: ignore[import-untyped]
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool
from streams import Scene
from turns import OURS, WARM_S, Turn, asked, status_mb
from vision_msgs.msg import Detection2D, Detection2DArray

from recip_tracker_core import TrackerConfig
from recip_tracker_core.parameters import parsed

PACKAGES = Path(recip_tracker_ros.__file__).resolve().parents[1]
PATIENCE_S = 60.0
LEAD_S = 1.0  # of images before the init, so that its own is in the node's buffer
ANSWER_S = 10.0  # longer than any first fit
TOPIC = "/camera/image"


def camera(turn: Turn, start_s: float) -> None:
    """Publish the stream for ever, frame k stamped and due at the start plus k periods."""
    rclpy.init()
    node = rclpy.create_node("camera")
    publisher = node.create_publisher(Image, TOPIC, qos_profile_sensor_data)
    loop = Scene(*turn.size).rendered()
    height, width = loop.shape[1:3]
    index = int((time.time() - start_s) * turn.rate_hz) + 1
    while rclpy.ok():
        data = array("B")
        data.frombytes(loop[index % len(loop)])
        msg = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=data)
        due_s = start_s + index / turn.rate_hz
        stamp(msg.header, due_s)
        time.sleep(max(0.0, due_s - time.time()))
        publisher.publish(msg)
        index += 1


def stamp(header: Any, seconds: float) -> None:
    header.stamp.sec, header.stamp.nanosec = divmod(round(seconds * 1e9), 10**9)


class Listener:
    """Hears the node's answers and how long they took, by the number of the frame.

    Args:
        turn: that is played.
        start_s: when frame 0 was due.
        process: the node's.
    """

    def __init__(self, turn: Turn, start_s: float, process: subprocess.Popen[bytes]) -> None:
        self.turn, self.start_s, self._process = turn, start_s, process
        self.boxes: dict[int, tuple[float, tuple[float, ...] | None]] = {}  # when heard, and what
        self.timings: dict[int, dict[str, str]] = {}
        self.learning: dict[str, str] = {}
        self.node = rclpy.create_node("listener")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._init = self.node.create_publisher(Detection2D, "/tracker/init", 10)
        self._freeze = self.node.create_client(SetBool, "/tracker/freeze")
        for kind, topic, act in (
            (Detection2DArray, "/tracker/detections", self._on_detections),
            (DiagnosticArray, "/tracker/timing", self._on_timing),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics),
        ):
            self.node.create_subscription(kind, topic, act, 100)

    def index(self, header: Any) -> int:
        """Of the frame with that header."""
        seconds = float(header.stamp.sec + header.stamp.nanosec / 1e9)
        return round((seconds - self.start_s) * self.turn.rate_hz)

    @property
    def released(self) -> int:
        """Number of the newest frame by now."""
        return int((time.time() - self.start_s) * self.turn.rate_hz)

    def first_answer_ms(self) -> float:
        """Give the target until the node answers, and how long that took from the last time.

        It refuses while it does not hear the camera: both are known here before they know each other.
        """
        self.wait(lambda: self.node.count_subscribers(TOPIC) > 0, "the node's camera subscription")
        self.wait(lambda: self._init.get_subscription_count() > 0, "the node's init subscription")
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self._process.poll() is None:
            self.spin(LEAD_S)
            self._give_target()
            asked_s = time.perf_counter()
            if self.heard(lambda: self.boxes, ANSWER_S):
                return 1e3 * (next(iter(self.boxes.values()))[0] - asked_s)
        raise SystemExit("waited in vain for an answer")

    def _give_target(self) -> None:
        """Point at the target in a frame of a moment ago."""
        index = self.released - round(LEAD_S / 4 * self.turn.rate_hz)
        x, y, w, h = Scene(*self.turn.size).box(index)
        msg = Detection2D()
        stamp(msg.header, self.start_s + index / self.turn.rate_hz)
        msg.bbox.center.position.x, msg.bbox.center.position.y = x + w / 2, y + h / 2
        msg.bbox.size_x, msg.bbox.size_y = w, h
        self._init.publish(msg)

    def freeze(self) -> None:
        """Stop the node's learning."""
        self.wait(self._freeze.service_is_ready, "~/freeze")
        future = self._freeze.call_async(SetBool.Request(data=True))
        self.wait(future.done, "the answer of ~/freeze")
        if not future.result().success:
            raise SystemExit(future.result().message)

    def answers(self, first: int, frames: int) -> list[dict[str, Any]]:
        """To the frames of a window; they are those of a turn's paced phase."""
        window = range(first, first + frames)
        found = sorted(index for index in self.boxes if index in window and index in self.timings)
        return [
            {
                "index": index,
                "box": self.boxes[index][1],
                "at_s": self.boxes[index][0],
                "took_ms": float(self.timings[index]["total_ms"]),
                "age_ms": float(self.timings[index]["age_ms"]),
            }
            for index in found
        ]

    def spin(self, seconds: float) -> None:
        """Listen for a while."""
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Listen until something holds."""
        if not self.heard(condition, PATIENCE_S):
            raise SystemExit(f"waited in vain for {what}")

    def heard(self, condition: Callable[[], object], seconds: float) -> bool:
        """Listen until something holds; False where it does not for so long, or the node has ended."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self._process.poll() is not None:
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True

    def _on_detections(self, msg: Detection2DArray) -> None:
        box = None
        for detection in msg.detections:
            center, (w, h) = detection.bbox.center.position, (detection.bbox.size_x, detection.bbox.size_y)
            box = center.x - w / 2, center.y - h / 2, w, h
        self.boxes[self.index(msg.header)] = time.perf_counter(), box

    def _on_timing(self, msg: DiagnosticArray) -> None:
        self.timings[self.index(msg.header)] = {item.key: item.value for item in msg.status[0].values}

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.endswith("learning"):
                self.learning = {item.key: item.value for item in status.values}


def listened(turn: Turn, start_s: float, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """One turn, as :func:`turns.played` tells it; memory and cores are those of the node's process.

    ``first_fit_ms`` is the time from the request to the first answer.
    """
    listener, node = Listener(turn, start_s, process), psutil.Process(process.pid)
    first_ms = listener.first_answer_ms()
    if turn.run == "off":
        listener.freeze()
    listener.spin(WARM_S)
    first, frames = listener.released + 1, round(turn.seconds * turn.rate_hz)
    cpu_s, wall_s = cpu_seconds(node), time.perf_counter()
    listener.spin(turn.seconds)
    cpu_s, wall_s = cpu_seconds(node) - cpu_s, time.perf_counter() - wall_s
    listener.spin(WARM_S)  # the last answers, and diagnostics
    return {
        "paced": listener.answers(first, frames),
        "flat": [],
        "released": frames,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "first_fit_ms": first_ms,
        "peak_rss_mb": status_mb("VmHWM", node.pid),
        "grown_rss_mb": None,
        "gpu_share": None,
        "peak_gpu_mb": None,
        "updates": int(listener.learning["updates_done"]) - 1,
        "replaced": int(listener.learning["updates_replaced"]),
    }


def cpu_seconds(process: psutil.Process) -> float:
    """Of all its threads so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def running(command: list[str], log: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process, interrupted at the end, and killed if it takes that for nothing."""
    # Python looks for modules where it is started first: the node's are then those of this process.
    process = subprocess.Popen(command, cwd=PACKAGES, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def node_command(turn: Turn) -> list[str]:
    """That starts the node with the run's parameters."""
    values = {"device": turn.device} | dict(parsed(TrackerConfig(), text) for text in turn.settings)
    command = [sys.executable, "-m", "recip_tracker_ros.main", "--ros-args", "-r", f"image:={TOPIC}"]
    for name, value in (values | OURS[turn.run]).items():
        command += ["-p", f"{name}:={json.dumps(value)}"]
    return command


def main() -> None:
    """Listen, or be the camera of who listens."""
    turn = asked(sys.argv[1])
    if len(sys.argv) > 2:
        with contextlib.suppress(KeyboardInterrupt):
            camera(turn, float(sys.argv[2]))
        return
    start_s = float(int(time.time()))
    camera_command = [sys.executable, str(Path(__file__).resolve()), sys.argv[1], str(start_s)]
    with tempfile.TemporaryFile() as log:
        try:
            with running(node_command(turn), log) as node, running(camera_command, log):
                rclpy.init()
                print(json.dumps(listened(turn, start_s, node)), flush=True)
        except SystemExit:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            raise
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
