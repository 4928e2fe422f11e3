"""``ros2 launch recip_tracker_ros tracker_with_camera.launch.py``."""

from __future__ import annotations

import json

import pytest

from recip_tracker_ros.middleware import PROFILE_VARIABLE

# A driver's own launch file, which writes down what it was given.
DRIVERS_LAUNCH_FILE = """
import json, os
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

def generate_launch_description():
    return LaunchDescription([
        DeclareLaunchArgument("namespace", default_value="the driver's own"),
        DeclareLaunchArgument("use_sim_time", default_value="false"),
        OpaqueFunction(function=write_down),
    ])

def write_down(context):
    profile = os.environ["PROFILE_VARIABLE"]
    found = {"given": dict(context.launch_configurations), "profile": profile}
    open(os.environ["RECORDS"] + ".driver", "w").write(json.dumps(found))
""".replace("PROFILE_VARIABLE", PROFILE_VARIABLE)


def with_launch_file(workspace, package, file):
    folder = workspace.add(package) / "launch"
    folder.mkdir()
    (folder / file).write_text(DRIVERS_LAUNCH_FILE)


def test_a_drivers_node_and_the_tracker_meet_on_its_topics(workspace):
    workspace.add("v4l2_camera", "v4l2_camera_node")
    launched = workspace.launch(
        "tracker_with_camera",
        camera="v4l2_camera",
        camera_settings="{video_device: /dev/video2, image_size: [320, 240]}",
    )
    driver = launched.only("v4l2_camera_node")
    assert driver.remappings["__ns"] == "/camera"
    assert driver.parameters["video_device"] == "/dev/video2"
    assert list(driver.parameters["image_size"]) == [320, 240]
    assert launched.only("tracker_node").remappings["image"] == "/camera/image_raw"


def test_a_setting_overrules_the_tables(workspace, tmp_path):
    with_launch_file(workspace, "realsense2_camera", "rs_launch.py")
    workspace.launch(
        "tracker_with_camera", camera="realsense2_camera", camera_settings="{align_depth.enable: false}"
    )
    assert json.loads((tmp_path / "records.driver").read_text())["given"]["align_depth.enable"] == "false"


def test_a_drivers_launch_file_gets_its_settings_and_nothing_of_the_trackers(workspace, tmp_path):
    with_launch_file(workspace, "realsense2_camera", "rs_launch.py")
    launched = workspace.launch(
        "tracker_with_camera",
        camera="realsense2_camera",
        camera_settings="{serial_no: _123, enable_sync: true}",
        namespace="robot1",
    )
    driver = json.loads((tmp_path / "records.driver").read_text())
    assert driver["given"] == {
        "align_depth.enable": "true",
        "serial_no": "_123",
        "enable_sync": "true",
        "namespace": "the driver's own",
        "use_sim_time": "false",
    }
    tracker = launched.only("tracker_node")
    assert tracker.remappings["__ns"] == "/robot1"
    assert tracker.remappings["image"] == "/camera/camera/color/image_raw"
    assert tracker.remappings["camera_info"] == "/camera/camera/color/camera_info"
    assert tracker.remappings["depth"] == "/camera/camera/aligned_depth_to_color/image_raw"
    assert tracker.given == {}  # the driver's use_sim_time stays the driver's


def test_the_profile_reaches_the_driver_which_is_what_sends_images(workspace, tmp_path):
    workspace.add("v4l2_camera", "v4l2_camera_node")
    launched = workspace.launch("tracker_with_camera", camera="v4l2_camera")
    assert launched.only("v4l2_camera_node").profile.endswith("config/fastdds.xml")
    assert launched.only("tracker_node").profile.endswith("config/fastdds.xml")
    with_launch_file(workspace, "realsense2_camera", "rs_launch.py")
    workspace.launch("tracker_with_camera", camera="realsense2_camera")
    assert json.loads((tmp_path / "records.driver").read_text())["profile"].endswith("config/fastdds.xml")


def test_a_topic_that_is_given_is_not_the_tables(workspace):
    workspace.add("v4l2_camera", "v4l2_camera_node")
    launched = workspace.launch("tracker_with_camera", camera="v4l2_camera", image="/rectified/image")
    tracker = launched.only("tracker_node")
    assert tracker.remappings["image"] == "/rectified/image"
    assert tracker.remappings["camera_info"] == "/camera/camera_info"
    assert "depth" not in tracker.remappings


def test_no_driver_starts_where_it_runs_already(launch):
    assert [start.name for start in launch("tracker_with_camera", camera="none").started] == ["tracker_node"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"camera": "camera_ros"}, "camera_ros is not installed (apt install ros-$ROS_DISTRO-camera-ros)"),
        ({"camera": "zed_wrapper"}, "zed_wrapper is not installed (to be built from source)"),
        ({"camera": "kinect"}, "kinect"),
        ({}, "'camera'"),
        (
            {"camera": "v4l2_camera", "camera_settings": "/dev/video2"},
            "'camera_settings' expects a YAML mapping, got '/dev/video2'",
        ),
    ],
    ids=["from apt", "not from apt", "unknown", "not given", "settings"],
)
def test_what_is_wrong_or_missing_is_named_and_nothing_starts(launch, arguments, message):
    launched = launch("tracker_with_camera", **arguments)
    assert message in launched.output
    assert launched.status == 1
    assert launched.started == []
