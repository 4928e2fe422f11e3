"""``ros2 launch recip_tracker_ros follow.launch.py``; nav2 itself is not there."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("arguments", "topic"),
    [
        ({}, "dynamic_pose"),  # the default of nav2's FollowObject node
        ({"nav2": "goal_updater"}, "goal_update"),  # the default of its GoalUpdater node
        ({"nav2": "goal_updater", "target_pose": "/mine"}, "/mine"),
    ],
    ids=["follow_object", "goal_updater", "given"],
)
def test_the_pose_goes_where_nav2_listens(launch, arguments, topic):
    tracker = launch("follow", depth="/depth/image", **arguments).only("tracker_node")
    assert tracker.remappings["~/target_pose"] == topic
    assert tracker.remappings["depth"] == "/depth/image"


def test_another_way_to_follow_is_refused(launch):
    launched = launch("follow", nav2="move_base")
    assert "move_base" in launched.output
    assert launched.status == 1
    assert launched.started == []
