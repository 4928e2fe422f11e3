"""Start the tracker, and RViz if asked. Every choice is an argument: ``ros2 launch ... --show-args``.

What is not given is left to the parameter file. The node activates itself; with ``autostart:=false`` somebody
else does: ``ros2 lifecycle set /tracker configure`` and ``activate``, or nav2's manager, which
``lifecycle_manager:=true`` starts beside it.
"""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from recip_tracker_ros.middleware import PROFILE_VARIABLE

PACKAGE = "recip_tracker_ros"
PRESET_FILES = {"default": "tracker.yaml", "paper": "paper.yaml"}
RESPAWN_DELAY_S = 2.0
# By default nav2's manager waits 5 s for a transition (Jazzy's for ever); the network may load longer.
TRANSITION_TIMEOUT_S = 60.0

# name: default, meaning
ARGUMENTS = {
    "image": ("/camera/image_raw", "Image topic of the camera, without the /compressed of a transport."),
    "image_transport": ("", "raw or compressed; empty leaves it to the parameter file."),
    "camera_info": ("", "CameraInfo topic; empty takes camera_info beside the image topic."),
    "depth": ("", "Topic of depth images aligned to the image; empty leaves the name depth."),
    "target_pose": ("", "Topic for the target's pose; empty leaves the name ~/target_pose."),
    "params_file": ("", "Parameter file; empty takes the preset's in config/ of this package."),
    "preset": (
        "default",
        "default (config/tracker.yaml), or paper: the method as published (config/paper.yaml).",
    ),
    "device": ("", "auto, cpu, cuda or cuda:N; empty leaves it to the parameter file."),
    "target_file": ("", "File of a saved target; empty leaves it to the parameter file."),
    "namespace": ("", "Namespace of the node."),
    "autostart": (
        "",
        "true or false: whether the node activates itself; empty leaves it to the parameter file.",
    ),
    "lifecycle_manager": ("false", "true starts nav2's lifecycle manager, which then activates the node."),
    "use_sim_time": ("", "true: time comes from /clock; false; empty leaves it to the parameter file."),
    "log_level": ("info", "debug, info, warn, error or fatal; or of one logger: tracker:=debug."),
    "respawn": ("false", "true starts the node again when it has ended by itself."),
    "rviz": ("false", "true starts RViz with the node's images and the target's pose."),
}

# Arguments that are parameters of the node, under the same name.
PARAMETERS = {
    "device": str,
    "image_transport": str,
    "target_file": str,
    "autostart": bool,
    "use_sim_time": bool,
}

RVIZ_TOPICS = ("debug_image", "attention_image", "init_image")


def generate_launch_description() -> LaunchDescription:
    """The arguments, and what follows from them."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=meaning)
        for name, (default, meaning) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    chosen = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    share = Path(get_package_share_directory(PACKAGE))
    profile = EnvironmentVariable(PROFILE_VARIABLE, default_value=str(share / "config" / "fastdds.xml"))
    actions = [SetEnvironmentVariable(PROFILE_VARIABLE, profile), _tracker(share, chosen)]
    if _is_true("lifecycle_manager", chosen["lifecycle_manager"]):
        actions.append(_lifecycle_manager(chosen))
    if _is_true("rviz", chosen["rviz"]):
        actions.append(_rviz(share, chosen))
    return actions


def _tracker(share: Path, chosen: dict[str, str]) -> Node:
    return Node(
        package=PACKAGE,
        executable="tracker_node",
        name="tracker",
        namespace=chosen["namespace"],
        parameters=[chosen["params_file"] or str(share / "config" / _file(chosen)), _overrides(chosen)],
        remappings=_topics(chosen),
        ros_arguments=["--log-level", chosen["log_level"]],
        respawn=_is_true("respawn", chosen["respawn"]),
        respawn_delay=RESPAWN_DELAY_S,
        output="screen",
    )


def _file(chosen: dict[str, str]) -> str:
    if chosen["preset"] not in PRESET_FILES:
        raise ValueError(
            f"launch argument 'preset' expects one of {sorted(PRESET_FILES)}, got '{chosen['preset']}'"
        )
    return PRESET_FILES[chosen["preset"]]


def _overrides(chosen: dict[str, str]) -> dict[str, str | bool]:
    """Parameters that were given as arguments."""
    overrides: dict[str, str | bool] = {
        name: _is_true(name, chosen[name]) if kind is bool else chosen[name]
        for name, kind in PARAMETERS.items()
        if chosen[name]
    }
    if _is_true("lifecycle_manager", chosen["lifecycle_manager"]):
        if overrides.get("autostart"):
            raise ValueError(
                "launch argument 'autostart' expects false with lifecycle_manager:=true, got 'true'"
            )
        overrides["autostart"] = False
    return overrides


def _topics(chosen: dict[str, str]) -> list[tuple[str, str]]:
    image = chosen["image"]
    folder = image[: image.rfind("/") + 1]  # as image_transport has it: camera_info stands beside the image
    topics = {
        "image": image,
        "camera_info": chosen["camera_info"] or f"{folder}camera_info",
        "depth": chosen["depth"],
        "~/target_pose": chosen["target_pose"],
    }
    return [(name, topic) for name, topic in topics.items() if topic]


def _is_true(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"launch argument '{name}' expects true or false, got '{text}'")
    return text.lower() == "true"


def _lifecycle_manager(chosen: dict[str, str]) -> Node:
    """nav2's manager for this one node, without the bond, which a node in Python doesn't have."""
    package = "nav2_lifecycle_manager"
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        raise RuntimeError(
            f"lifecycle_manager:=true, but the package {package} is not installed "
            "(apt install ros-$ROS_DISTRO-nav2-lifecycle-manager); without it the node activates itself"
        ) from None
    return Node(
        package=package,
        executable="lifecycle_manager",
        name="lifecycle_manager_tracker",
        namespace=chosen["namespace"],
        parameters=[
            {
                "node_names": ["tracker"],
                "autostart": True,
                "bond_timeout": 0.0,
                "service_timeout": TRANSITION_TIMEOUT_S,
            }
        ],
        output="screen",
    )


def _rviz(share: Path, chosen: dict[str, str]) -> LaunchDescriptionEntity:
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return LogInfo(msg="rviz:=true, but the package rviz2 is not installed; going on without it")
    # Relative names: they follow RViz into the tracker's namespace.
    remappings = [(f"/tracker/{topic}", f"tracker/{topic}") for topic in RVIZ_TOPICS]
    remappings.append(("/tracker/target_pose", chosen["target_pose"] or "tracker/target_pose"))
    return Node(
        package="rviz2",
        executable="rviz2",
        name="tracker_rviz",
        namespace=chosen["namespace"],
        arguments=["-d", str(share / "config" / "tracker.rviz")],
        parameters=[{"use_sim_time": chosen["use_sim_time"].lower() == "true"}],
        remappings=remappings,
        output="screen",
    )
