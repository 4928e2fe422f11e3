"""Transitions that the present state does not have."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from lifecycle_msgs.srv import ChangeState
from rclpy._rclpy_pybind11 import RCLError

from recip_tracker_ros.transitions import refusing


def test_an_impossible_transition_is_refused_and_does_not_end_the_node():
    def as_on_jazzy(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        raise RCLError("Failed to trigger lifecycle state machine transition: no such transition")

    told: list[str] = []
    response = refusing(as_on_jazzy, told.append)(ChangeState.Request(), ChangeState.Response(success=True))
    assert not response.success
    assert "no such transition" in told[0]


def test_a_possible_one_is_answered_as_it_is():
    answer = ChangeState.Response(success=True)
    assert refusing(lambda request, response: answer, print)(None, None) is answer
