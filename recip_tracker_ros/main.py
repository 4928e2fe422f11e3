"""``tracker_node``: start, spin, stop."""

from __future__ import annotations

import signal
import sys

import rclpy

# Before any ROS entity exists: loading torch takes seconds in which no callback could run.
import torch  # noqa: F401
from rclpy._rclpy_pybind11 import RCLError
from rclpy.exceptions import InvalidParameterTypeException, ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.logging import get_logger

from recip_tracker_core.errors import ConfigError

from .node import TrackerNode


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop.

    Returns:
        0 after SIGINT, SIGTERM or a shutdown; 2 when a parameter, or the file of them, is wrong at the start.
    """
    # As SIGINT, so that a first fit that blocks hears of it; set before rclpy adds its own handler.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rclpy.init(args=args)
        node = TrackerNode()
    except (ConfigError, ParameterException, InvalidParameterTypeException, RCLError, RuntimeError) as error:
        get_logger("tracker").fatal(str(error))
        rclpy.try_shutdown()
        return 2
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if node.autostart and node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            node.trigger_activate()
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.close()
        executor.remove_node(node)
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
