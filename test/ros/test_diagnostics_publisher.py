"""``/diagnostics`` over real topics: with a stand-in for diagnostic_updater, and without."""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Callable, Iterator

import pytest

rclpy = pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from recip_tracker_ros.diagnostics import SECTIONS
from recip_tracker_ros.diagnostics_publisher import TOPIC, DiagnosticsPublisher, load_updater

PATIENCE_S = 30.0
SLOW_S = 3600.0  # a beat that is not heard within a test


class StandInStat(DiagnosticStatus):
    """What a task is given to fill in."""

    def summary(self, level: bytes, message: str) -> None:
        self.level, self.message = level, message

    def add(self, key: str, value: str) -> None:
        self.values = [*self.values, KeyValue(key=key, value=value)]


class StandInUpdater:
    """Behaves as ``diagnostic_updater.Updater`` does: parameters, timer, topic, a status for each task."""

    def __init__(self, node, period: float = 1.0) -> None:
        self.node, self.tasks, self.hardware_id = node, [], ""
        self.publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.period = node.declare_parameter("diagnostic_updater.period", period).value
        if not node.has_parameter("diagnostic_updater.use_fqn"):
            node.declare_parameter("diagnostic_updater.use_fqn", False)
        self.timer = node.create_timer(self.period, self.force_update)

    def setHardwareID(self, name: str) -> None:  # noqa: N802
        self.hardware_id = name

    def add(self, name: str, task: Callable[[StandInStat], StandInStat]) -> None:
        self.tasks.append((name, task))
        self._publish([StandInStat(name=name, message="Node starting up")])

    def force_update(self) -> None:
        stats = [StandInStat(name=name, hardware_id=self.hardware_id) for name, _ in self.tasks]
        self._publish([task(stat) for stat, (_, task) in zip(stats, self.tasks, strict=True)])

    def _publish(self, stats: list[StandInStat]) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.node.get_clock().now().to_msg()
        for stat in stats:
            plain = DiagnosticStatus(level=stat.level, message=stat.message, values=stat.values)
            plain.name, plain.hardware_id = f"{self.node.get_name()}: {stat.name}", stat.hardware_id
            message.status.append(plain)
        self.publisher.publish(message)


def report() -> list[DiagnosticStatus]:
    return [
        DiagnosticStatus(
            name=section,
            level=level,
            message=f"about {section}",
            values=[KeyValue(key="rate_hz", value="29.970"), KeyValue(key="section", value=section)],
        )
        for section, level in zip(SECTIONS, (b"\x00", b"\x01", b"\x02"), strict=True)
    ]


class Monitor:
    """A node that hears ``/diagnostics``, and the node that is heard."""

    def __init__(self, overrides: list[Parameter] | None = None) -> None:
        self.node = rclpy.create_node("tracker", parameter_overrides=overrides or [])
        self.heard: list[DiagnosticArray] = []
        self._ear = rclpy.create_node("monitor")
        self._ear.create_subscription(DiagnosticArray, TOPIC, self._hear, 100)
        self._executor = SingleThreadedExecutor()
        for node in (self.node, self._ear):
            self._executor.add_node(node)

    def _hear(self, message: DiagnosticArray) -> None:
        if len(message.status) == len(SECTIONS):  # an Updater greets once for each task
            self.heard.append(message)

    def wait(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"nothing was heard in {PATIENCE_S:g} s")
            self._executor.spin_once(timeout_sec=0.05)

    def next(self, publisher: DiagnosticsPublisher) -> DiagnosticArray:
        """What is heard when it publishes: again and again, for the first ones may find no listener."""
        self.heard.clear()
        self.wait(lambda: publisher.publish() or self.heard)
        return self.heard[-1]

    def close(self) -> None:
        for node in (self.node, self._ear):
            self._executor.remove_node(node)
            node.destroy_node()


@pytest.fixture
def monitor(ros: None) -> Iterator[Monitor]:
    made = Monitor()
    yield made
    made.close()


def plain(message: DiagnosticArray) -> list[tuple[object, ...]]:
    return [
        (
            status.name,
            status.level,
            status.message,
            status.hardware_id,
            [(item.key, item.value) for item in status.values],
        )
        for status in message.status
    ]


@pytest.mark.parametrize("updater", [None, StandInUpdater], ids=["alone", "diagnostic_updater"])
def test_the_statuses_are_the_same_with_and_without_diagnostic_updater(monitor, updater):
    message = monitor.next(DiagnosticsPublisher(monitor.node, report, SLOW_S, updater))
    assert plain(message) == [
        (
            f"tracker: {section}",
            level,
            f"about {section}",
            "tracker",
            [("rate_hz", "29.970"), ("section", section)],
        )
        for section, level in zip(SECTIONS, (b"\x00", b"\x01", b"\x02"), strict=True)
    ]
    assert message.header.stamp.sec > 0


@pytest.mark.parametrize("updater", [None, StandInUpdater], ids=["alone", "diagnostic_updater"])
def test_the_beat_is_on_steady_time_and_can_be_changed(monitor, updater):
    # The node's own clock stands still at 0: sim time is set, and nobody publishes /clock.
    monitor.node.set_parameters([Parameter("use_sim_time", value=True)])
    publisher = DiagnosticsPublisher(monitor.node, report, SLOW_S, updater)
    publisher.beat(0.05)
    monitor.wait(lambda: len(monitor.heard) >= 3)
    assert monitor.heard[-1].header.stamp.sec == 0


@pytest.mark.parametrize("given", [True, False], ids=["given", "not given"])
def test_a_period_that_the_updater_was_given_has_precedence(ros, given):
    monitor = Monitor([Parameter("diagnostic_updater.period", value=SLOW_S)] if given else [])
    publisher = DiagnosticsPublisher(monitor.node, report, 2.0, StandInUpdater)
    assert publisher._timer.timer_period_ns == (3_600_000_000_000 if given else 2_000_000_000)
    assert (
        sum(not timer.is_canceled() for timer in monitor.node.timers) == 1
    )  # one beat, not the Updater's, too
    publisher.beat(5.0)
    assert publisher._timer.timer_period_ns == (3_600_000_000_000 if given else 5_000_000_000)
    monitor.close()


def test_each_message_says_what_is_true_then(monitor):
    now = ["first"]
    publisher = DiagnosticsPublisher(
        monitor.node,
        lambda: [DiagnosticStatus(name=section, message=now[0]) for section in SECTIONS],
        SLOW_S,
        StandInUpdater,
    )
    assert monitor.next(publisher).status[2].message == "first"
    now[0] = "second"
    monitor.wait(lambda: publisher.publish() or monitor.heard[-1].status[2].message == "second")


def test_a_report_that_fails_leaves_the_node_alive_and_the_next_one_is_heard(monitor):
    failures = [RuntimeError("the device is gone")]

    def failing() -> list[DiagnosticStatus]:
        if failures:
            raise failures.pop()
        return report()

    publisher = DiagnosticsPublisher(monitor.node, failing, SLOW_S)
    publisher.publish()
    assert monitor.next(publisher).status


def test_the_package_is_used_where_it_is_installed(monkeypatch):
    package = types.ModuleType("diagnostic_updater")
    package.Updater = StandInUpdater
    monkeypatch.setitem(sys.modules, "diagnostic_updater", package)
    assert load_updater() is StandInUpdater
    monkeypatch.setitem(sys.modules, "diagnostic_updater", None)  # as where it is not
    assert load_updater() is None
