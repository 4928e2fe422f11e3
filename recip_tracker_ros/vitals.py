"""How the node is doing while active: ``/diagnostics``, and a line in the log where images stay away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode
from rclpy.subscription import Subscription

from recip_tracker_core.config import Health
from recip_tracker_core.updater import UpdateStatistics

from .camera_watchdog import CameraWatchdog
from .diagnostics import report
from .diagnostics_publisher import DiagnosticsPublisher, load_updater
from .health import Arrival, FrameLog, Memory, resident_bytes
from .state import Status

LOGGED_EVERY_S = 30.0  # what is wrong with the camera, while it lasts


class Vitals:
    """Wires what is measured to the node's topic, log and clock; one for the node's life.

    Args:
        node: that is measured.
        limits: as they are now.
        state: gives status, statistics of the updates, and whether a target is being learned.
    """

    def __init__(
        self,
        node: LifecycleNode,
        limits: Health,
        state: Callable[[], tuple[Status, UpdateStatistics, bool]],
    ) -> None:
        self._node, self._state = node, state
        self._limits = limits
        self._log: FrameLog | None = None
        self._watchdog: CameraWatchdog | None = None
        self._camera: Subscription | None = None
        self._incompatible = ""
        self._publisher = DiagnosticsPublisher(node, self._report, limits.period_s, load_updater())

    @property
    def limits(self) -> Health:
        """As they are now."""
        return self._limits

    @limits.setter
    def limits(self, limits: Health) -> None:
        self._limits = limits
        self._publisher.beat(limits.period_s)

    def begin(self, camera: Subscription) -> None:
        """Images are expected from now on."""
        now_s = time.monotonic()
        self._camera = camera
        self._log, self._watchdog = FrameLog(now_s), CameraWatchdog(camera.topic_name, now_s)

    def end(self) -> None:
        """No images are expected any more."""
        self._log = self._watchdog = self._camera = None
        self._incompatible = ""

    def incompatible(self, sentence: str) -> None:
        """A publisher of the images has been found whose quality of service does not fit."""
        self._incompatible = sentence

    def saw(self, arrival: Arrival) -> None:
        """One image's callback is over."""
        if self._log is not None and self._watchdog is not None:
            self._log.add(arrival)
            self._watchdog.image(arrival.begun_s + arrival.busy_s)

    def tick(self, now_s: float) -> None:
        """Time passes; to be called several times a second."""
        if self._watchdog is None or self._camera is None:
            return
        publishers = self._node.count_publishers(self._camera.topic_name)
        notice = self._watchdog.tick(now_s, self.limits.silent_s, publishers, self._incompatible)
        if notice is None:
            return
        if notice.is_trouble:  # two calls: rclpy ties a severity to a line of code
            self._node.get_logger().warning(notice.text)
        else:
            self._node.get_logger().info(notice.text)
        self._publisher.publish()

    def _report(self) -> Sequence[DiagnosticStatus]:
        status, statistics, is_learning = self._state()
        now_s, limits = time.monotonic(), self.limits
        log = self._log
        stream = log.measure(now_s, limits.rate_hz, limits.silent_s) if log is not None else None
        trouble = self._watchdog.trouble if self._watchdog is not None else ""
        camera, *others = report(
            limits, stream, status, statistics, is_learning=is_learning, silence=trouble, memory=_memory()
        )
        if camera.level != DiagnosticStatus.OK and not trouble:  # of silence the log has been told
            self._node.get_logger().warning(camera.message, throttle_duration_sec=LOGGED_EVERY_S)
        return [camera, *others]


def _memory() -> Memory:
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return Memory(process=resident_bytes())
    free, _ = torch.cuda.mem_get_info()
    allocated, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    return Memory(resident_bytes(), allocated, reserved, free)
