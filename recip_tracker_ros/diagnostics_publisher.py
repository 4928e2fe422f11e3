"""``/diagnostics``: by ``diagnostic_updater`` where that package is installed, else alone."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Header

from .diagnostics import SECTIONS

TOPIC = "/diagnostics"


def load_updater() -> Any | None:
    """The class ``diagnostic_updater.Updater``, or None where that package is not installed."""
    try:
        return importlib.import_module("diagnostic_updater").Updater
    except ImportError:
        return None


class DiagnosticsPublisher:
    """Publishes what ``report`` gives, in a steady beat and on demand.

    One for the node's life: an Updater declares parameters, so there cannot be a second one. The beat is
    ours either way, on steady time. An Updater's own timer stands still where use_sim_time is set and no
    clock runs, and that is when somebody wants to read this.

    Args:
        node: that has the topic.
        report: gives one status for each of :data:`~.diagnostics.SECTIONS`; called when one is due.
        period_s: between two.
        updater: see :func:`load_updater`.
    """

    def __init__(
        self,
        node: Node,
        report: Callable[[], Sequence[DiagnosticStatus]],
        period_s: float,
        updater: Any | None = None,
    ) -> None:
        self._node, self._report = node, report
        self._statuses: dict[str, DiagnosticStatus] = {}
        self._is_period_given = False
        if updater is None:
            self._publisher = node.create_publisher(DiagnosticArray, TOPIC, 1)
            self._send: Callable[[], None] = self._send_alone
        else:
            self._send, period_s = self._adopt(updater(node, period_s), period_s)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(period_s, self.publish, clock=steady)

    def beat(self, period_s: float) -> None:
        """Change the period; where ``diagnostic_updater.period`` was given at the start, that stays."""
        if not self._is_period_given:
            self._timer.timer_period_ns = round(period_s * 1e9)
            self._timer.reset()  # or the old period is waited for once more

    def publish(self) -> None:
        """Publish what is true now."""
        try:
            self._statuses = {status.name: status for status in self._report()}
            self._send()
        except Exception:  # no report is worth a node
            if self._node.context.ok():
                self._node.get_logger().error(traceback.format_exc(), throttle_duration_sec=60.0)

    def _adopt(self, updater: Any, period_s: float) -> tuple[Callable[[], None], float]:
        """Have an Updater send: the call that makes it, and the period that its parameters ask for."""
        updater.timer.cancel()
        updater.setHardwareID(self._node.get_name())
        for section in SECTIONS:
            updater.add(section, partial(self._fill, section))
        self._is_period_given = updater.period != period_s
        return updater.force_update, updater.period

    def _fill(self, section: str, stat: Any) -> Any:
        status = self._statuses[section]
        stat.summary(status.level, status.message)
        for item in status.values:
            stat.add(item.key, item.value)
        return stat

    def _send_alone(self) -> None:
        name = self._node.get_name()
        statuses = list(self._statuses.values())
        for status in statuses:
            status.name, status.hardware_id = f"{name}: {status.name}", name
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._publisher.publish(DiagnosticArray(header=header, status=statuses))
