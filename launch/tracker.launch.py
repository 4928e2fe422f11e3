"""Start the tracker, and RViz if asked. Every choice is an argument: ``ros2 launch ... --show-args``."""

import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

PACKAGE = "recip_tracker_ros"
PROFILE_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
PRESET_FILES = {"default": "tracker.yaml", "paper": "paper.yaml"}

# name: default, meaning
ARGUMENTS = {
    "image": ("/camera/image_raw", "Image topic of the camera."),
    "params_file": ("", "Parameter file; empty takes the preset's in config/ of this package."),
    "preset": (
        "default",
        "default (config/tracker.yaml), or paper: the method as published (config/paper.yaml).",
    ),
    "device": ("", "auto, cpu, cuda or cuda:N; empty leaves it to the parameter file."),
    "namespace": ("", "Namespace of the node."),
    "autostart": (
        "",
        "true or false: whether the node activates itself; empty leaves it to the parameter file.",
    ),
    "rviz": ("false", "true starts RViz with the debug and attention images."),
}


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
    actions: list[LaunchDescriptionEntity] = []
    if not os.environ.get(PROFILE_VARIABLE):
        actions.append(SetEnvironmentVariable(PROFILE_VARIABLE, str(share / "config" / "fastdds.xml")))
    actions.append(
        Node(
            package=PACKAGE,
            executable="tracker_node",
            name="tracker",
            namespace=chosen["namespace"],
            parameters=[chosen["params_file"] or str(share / "config" / _file(chosen)), _overrides(chosen)],
            remappings=[("image", chosen["image"])],
            output="screen",
        )
    )
    return actions + (_rviz(share, chosen["namespace"]) if _is_true("rviz", chosen["rviz"]) else [])


def _file(chosen: dict[str, str]) -> str:
    if chosen["preset"] not in PRESET_FILES:
        raise ValueError(
            f"launch argument 'preset' expects one of {sorted(PRESET_FILES)}, got '{chosen['preset']}'"
        )
    return PRESET_FILES[chosen["preset"]]


def _overrides(chosen: dict[str, str]) -> dict[str, str | bool]:
    """Parameters that were given as arguments."""
    overrides: dict[str, str | bool] = {}
    if chosen["device"]:
        overrides["device"] = chosen["device"]
    if chosen["autostart"]:
        overrides["autostart"] = _is_true("autostart", chosen["autostart"])
    return overrides


def _is_true(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"launch argument '{name}' expects true or false, got '{text}'")
    return text.lower() == "true"


def _rviz(share: Path, namespace: str) -> list[LaunchDescriptionEntity]:
    try:
        get_package_share_directory("rviz2")
    except PackageNotFoundError:
        return [LogInfo(msg="rviz:=true, but the package rviz2 is not installed; going on without it")]
    topics = ("debug_image", "attention_image")
    prefix = f"/{namespace.strip('/')}" if namespace.strip("/") else ""
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            name="tracker_rviz",
            arguments=["-d", str(share / "config" / "tracker.rviz")],
            remappings=[(f"/tracker/{topic}", f"{prefix}/tracker/{topic}") for topic in topics],
            output="screen",
        )
    ]
