"""Transitions that are asked for and not possible: refused, on every distribution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy._rclpy_pybind11 import RCLError
from rclpy.lifecycle import LifecycleNode

Answer = Callable[[Any, Any], Any]


def refuse_what_is_impossible(node: LifecycleNode) -> None:
    """Have ``~/change_state`` answer a transition that the present state does not have.

    Jazzy's rclpy (7.1) lets it raise, and that would end the process: a manager that configures a node which
    has activated itself is enough. Later ones answer by themselves.
    """
    service = getattr(node, "_service_change_state", None)  # no other way leads to it
    if service is not None:
        service.callback = refusing(service.callback, node.get_logger().error)


def refusing(answer: Answer, log: Callable[[str], object]) -> Answer:
    """The same, but False in place of an error of the state machine."""

    def answered(request: Any, response: Any) -> Any:
        try:
            return answer(request, response)
        except RCLError as error:
            log(f"transition refused: {error}")
            response.success = False
            return response

    return answered
