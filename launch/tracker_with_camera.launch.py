r"""Start a camera's driver and the tracker on its images: ``camera:=realsense2_camera``.

Every argument of ``tracker.launch.py`` is one here, too; topics that are not given come from the table
below. What the driver needs beyond that goes into ``camera_settings``, a YAML mapping: parameters of its
node, or arguments of its launch file.

    ros2 launch recip_tracker_ros tracker_with_camera.launch.py camera:=v4l2_camera \
        camera_settings:="{video_device: /dev/video2, image_size: [640, 480]}"
    ros2 launch recip_tracker_ros tracker_with_camera.launch.py camera:=zed_wrapper \
        camera_settings:="{camera_model: zed2i}"

The Fast DDS profile is exported to both: images leave through the driver's shared memory, not the
tracker's.

The table is from the sources of v4l2_camera (a fork of 0.7), usb_cam 0.8, camera_ros 0.7, realsense2_camera
4.56, depthai_ros_driver 2.10, orbbec_camera 2.6 and zed_wrapper 5.4; no camera was at hand to try it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    ResetLaunchConfigurations,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
)
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from recip_tracker_ros.middleware import PROFILE_VARIABLE

PACKAGE = "recip_tracker_ros"
NO_DRIVER = "none"  # it runs already


@dataclass(frozen=True)
class Driver:
    """A camera driver, by what its package starts it with, and where its images then are.

    Attributes:
        image: topic of colour images.
        camera_info: topic beside them.
        depth: topic of depth images aligned to them, or empty.
        executable: of its node, which is started in the namespace ``camera``; or
        launch_file: of its package.
        settings: parameters of that node, or arguments of that launch file.
        apt: whether ROS's package repository has it, at least for Jazzy.
    """

    image: str
    camera_info: str
    depth: str = ""
    executable: str = ""
    launch_file: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    apt: bool = True


DRIVERS = {
    "v4l2_camera": Driver(
        executable="v4l2_camera_node",
        image="/camera/image_raw",
        camera_info="/camera/camera_info",
    ),
    "usb_cam": Driver(
        executable="usb_cam_node_exe",
        image="/camera/image_raw",
        camera_info="/camera/camera_info",
    ),
    "camera_ros": Driver(
        executable="camera_node",
        image="/camera/camera/image_raw",
        camera_info="/camera/camera/camera_info",
    ),
    "realsense2_camera": Driver(
        launch_file="rs_launch.py",
        image="/camera/camera/color/image_raw",
        camera_info="/camera/camera/color/camera_info",
        depth="/camera/camera/aligned_depth_to_color/image_raw",
        settings={"align_depth.enable": True},
    ),
    "depthai_ros_driver": Driver(
        launch_file="camera.launch.py",
        image="/oak/rgb/image_raw",
        camera_info="/oak/rgb/camera_info",
        depth="/oak/stereo/image_raw",
    ),
    "orbbec_camera": Driver(
        launch_file="gemini_330_series.launch.py",
        image="/camera/color/image_raw",
        camera_info="/camera/color/camera_info",
        depth="/camera/depth/image_raw",
        settings={"depth_registration": True},
    ),
    "zed_wrapper": Driver(
        launch_file="zed_camera.launch.py",
        image="/zed/zed_node/rgb/color/rect/image",
        camera_info="/zed/zed_node/rgb/color/rect/camera_info",
        depth="/zed/zed_node/depth/depth_registered",
        apt=False,
    ),
}


def generate_launch_description() -> LaunchDescription:
    """The driver, then the tracker: what ``_start`` sets is what the tracker's file finds given."""
    share = Path(get_package_share_directory(PACKAGE))
    profile = EnvironmentVariable(PROFILE_VARIABLE, default_value=str(share / "config" / "fastdds.xml"))
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "camera",
                choices=[*DRIVERS, NO_DRIVER],
                description="Package of the camera's driver; none starts no driver.",
            ),
            DeclareLaunchArgument(
                "camera_settings",
                default_value="{}",
                description="YAML mapping: parameters of the driver's node, or arguments of its launch file.",
            ),
            SetEnvironmentVariable(PROFILE_VARIABLE, profile),
            OpaqueFunction(function=_start),
            IncludeLaunchDescription(str(share / "launch" / "tracker.launch.py")),
        ]
    )


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    package = LaunchConfiguration("camera").perform(context)
    if package == NO_DRIVER:
        return []
    driver = DRIVERS[package]
    settings = {**driver.settings, **_settings(LaunchConfiguration("camera_settings").perform(context))}
    topics = {"image": driver.image, "camera_info": driver.camera_info, "depth": driver.depth}
    return [
        _driver(package, driver, settings),
        *(
            SetLaunchConfiguration(name, topic)
            for name, topic in topics.items()
            if not context.launch_configurations.get(name)
        ),
    ]


def _settings(text: str) -> dict[str, object]:
    settings = yaml.safe_load(text)
    if not isinstance(settings, dict):
        raise ValueError(  # noqa: TRY004 - a wrong value of an argument that is text
            f"launch argument 'camera_settings' expects a YAML mapping, got '{text}'"
        )
    return settings


def _driver(package: str, driver: Driver, settings: dict[str, object]) -> LaunchDescriptionEntity:
    share = _share(package, driver.apt)
    if driver.executable:
        return Node(
            package=package,
            executable=driver.executable,
            namespace="camera",
            parameters=[settings],
            output="screen",
        )
    # Alone with its own arguments: both files may have one of the same name (namespace, log_level, ...).
    arguments = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()
    }
    include = IncludeLaunchDescription(
        str(share / "launch" / driver.launch_file), launch_arguments=arguments.items()
    )
    return GroupAction([ResetLaunchConfigurations(), include])


def _share(package: str, apt: bool) -> Path:
    try:
        return Path(get_package_share_directory(package))
    except PackageNotFoundError:
        how = f"apt install ros-$ROS_DISTRO-{package.replace('_', '-')}" if apt else "to be built from source"
        raise RuntimeError(f"camera:={package}, but the package {package} is not installed ({how})") from None
