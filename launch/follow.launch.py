r"""Start the tracker so that nav2 follows the target: its pose goes where nav2 listens.

Every argument of ``tracker.launch.py`` is one here, too. The pose needs ``camera_info`` and ``depth``, and
tf from the camera's optical frame to nav2's: ``odom`` for the following server, ``map`` for the planner.
nav2 is yours to start, in the tracker's namespace. *Written from nav2's sources (1.3 of Jazzy, 1.5 of
Lyrical), not run with it.*

``nav2:=follow_object``, nav2's following server (package ``opennav_following``): the pose goes to
``dynamic_pose``, the default of the behaviour tree's FollowObject node, too. Lyrical's bringup starts the
server; on Jazzy it is ``ros2 run opennav_following opennav_following``, a lifecycle node
``following_server``. Then

    ros2 action send_goal /follow_object nav2_msgs/action/FollowObject "{pose_topic: dynamic_pose}"

It keeps a distance of 1 m (``desired_distance``), and avoids nothing on its way. A pose whose stamp is
older than 2 s (``detection_timeout``) is no detection: as the tracker is silent while the target is lost,
the robot then goes to the last pose for two seconds more. After that it turns to search
(``search_by_rotating``) or gives up.

``nav2:=goal_updater``, a behaviour tree with GoalUpdater (any nav2): the pose goes to ``goal_update``. The
tree is nav2's ``follow_point.xml``, which plans a path around obstacles every second, ends it 1 m before
the target, and never ends by itself:

    BT=$(ros2 pkg prefix nav2_bt_navigator)/share/nav2_bt_navigator/behavior_trees/follow_point.xml
    ros2 action send_goal /navigate_to_pose nav2_msgs/action/NavigateToPose \
        "{pose: {header: {frame_id: base_link}}, behavior_tree: $BT}"

This first goal is where the robot stands; every pose with a newer stamp replaces it. While the target is
lost, the last pose stays the goal.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.substitutions import LaunchConfiguration

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

PACKAGE = "recip_tracker_ros"

# Where nav2 takes the target's pose from. Relative: it is the tracker's namespace that counts.
POSE_TOPICS = {"follow_object": "dynamic_pose", "goal_updater": "goal_update"}


def generate_launch_description() -> LaunchDescription:
    """The tracker, its pose sent to nav2."""
    share = Path(get_package_share_directory(PACKAGE))
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "nav2",
                default_value="follow_object",
                choices=list(POSE_TOPICS),
                description="What follows: nav2's following server, or a behaviour tree with GoalUpdater.",
            ),
            OpaqueFunction(function=_address),
            IncludeLaunchDescription(str(share / "launch" / "tracker.launch.py")),
        ]
    )


def _address(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    if context.launch_configurations.get("target_pose"):  # given: nav2 is configured to listen there
        return []
    return [SetLaunchConfiguration("target_pose", POSE_TOPICS[LaunchConfiguration("nav2").perform(context)])]
