"""``~/status``: what the node says of itself, latched, on every change."""

from __future__ import annotations

import traceback
from dataclasses import replace

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode

from recip_tracker_core.errors import RecipTrackerError

from .connections import advertised, latched
from .conversions import to_status_message
from .state import State, Status


class Announcer:
    """Publishes and logs; exists in every lifecycle state, so that every request is answered.

    Args:
        node: that has the topic.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._publisher = advertised(node, DiagnosticStatus, "~/status", latched(), is_managed=False)
        self.last: Status | None = None

    def announce(self, status: Status) -> None:
        """Publish the status where anything but its stamp has changed; log what is new."""
        last, self.last = self.last, status
        if last is not None and replace(last, stamp_ns=status.stamp_ns) == status:
            return
        self._publisher.publish(to_status_message(status, self._node.get_fully_qualified_name()))
        if last is not None and (last.state, last.reason) == (status.state, status.reason):
            return
        line = f"{status.state.value}: {status.reason}" if status.reason else status.state.value
        if status.state is State.REFUSED:  # two calls: rclpy ties a severity to a line of code
            self._node.get_logger().error(line)
        else:
            self._node.get_logger().info(line)

    def explain(self, reason: str, error: Exception | None) -> None:
        """Log the traceback of an error that nobody foresaw, once."""
        is_new = self.last is None or self.last.reason != reason
        if is_new and error is not None and not isinstance(error, RecipTrackerError):
            self._node.get_logger().error("".join(traceback.format_exception(error)))
