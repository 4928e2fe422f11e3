"""``ros2 launch recip_tracker_ros tracker.launch.py``."""

from __future__ import annotations

import pytest

from recip_tracker_ros.middleware import PROFILE_VARIABLE


def test_what_is_not_given_is_left_to_the_parameter_file(launch):
    tracker = launch("tracker").only("tracker_node")
    assert tracker.given == {}
    assert tracker.parameters["autostart"] is True  # of config/tracker.yaml
    assert tracker.remappings == {
        "__node": "tracker",
        "__ns": "/",
        "image": "/camera/image_raw",
        "camera_info": "/camera/camera_info",
    }


def test_what_is_given_overrules_the_parameter_file(launch):
    launched = launch(
        "tracker",
        device="cuda:1",
        image_transport="compressed",
        target_file="0123",
        autostart="False",
        use_sim_time="true",
    )
    assert launched.only("tracker_node").given == {
        "device": "cuda:1",
        "image_transport": "compressed",
        "target_file": "0123",  # text, not the number 83 that YAML sees in it
        "autostart": False,
        "use_sim_time": True,
    }


def test_a_topic_is_a_remapping(launch):
    launched = launch(
        "tracker",
        namespace="robot1",
        image="/front/rgb/image",
        camera_info="/front/calibration",
        depth="/front/depth",
        target_pose="goal_update",
    )
    assert launched.only("tracker_node").remappings == {
        "__node": "tracker",
        "__ns": "/robot1",
        "image": "/front/rgb/image",
        "camera_info": "/front/calibration",
        "depth": "/front/depth",
        "~/target_pose": "goal_update",
    }


@pytest.mark.parametrize(
    ("image", "camera_info"),
    [
        ("/cam/color/image_raw", "/cam/color/camera_info"),
        ("image_raw", "camera_info"),
        ("/image", "/camera_info"),
    ],
)
def test_camera_info_stands_beside_the_image(launch, image, camera_info):
    assert launch("tracker", image=image).only("tracker_node").remappings["camera_info"] == camera_info


def test_the_log_level_may_be_that_of_one_logger(launch):
    arguments = launch("tracker", log_level="tracker:=debug").only("tracker_node").arguments
    assert arguments[arguments.index("--log-level") + 1] == "tracker:=debug"


def test_a_node_that_has_ended_is_started_again_where_that_is_asked_for(launch):
    launched = launch("tracker", {"LAST_START": "2"}, respawn="true")
    assert [start.name for start in launched.started] == ["tracker_node", "tracker_node"]


@pytest.mark.parametrize(("mine", "used"), [(None, "config/fastdds.xml"), ("mine.xml", "mine.xml")])
def test_the_profile_is_set_only_where_none_is(launch, mine, used):
    environment = {PROFILE_VARIABLE: mine} if mine else {}
    assert launch("tracker", environment).only("tracker_node").profile.endswith(used)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"autostart": "perhaps"}, "'autostart' expects true or false, got 'perhaps'"),
        ({"rviz": "1"}, "'rviz' expects true or false, got '1'"),
        ({"respawn": "yes"}, "'respawn' expects true or false, got 'yes'"),
        ({"preset": "papre"}, "'preset' expects one of ['default', 'paper'], got 'papre'"),
        (
            {"autostart": "true", "lifecycle_manager": "true"},
            "'autostart' expects false with lifecycle_manager:=true, got 'true'",
        ),
    ],
    ids=["truth", "number", "yes", "preset", "two who activate"],
)
def test_a_wrong_value_is_named_and_nothing_starts(launch, arguments, message):
    launched = launch("tracker", **arguments)
    assert message in launched.output
    assert launched.status == 1
    assert launched.started == []


@pytest.mark.parametrize(("preset", "backbone"), [("default", "efficientnet_lite0"), ("paper", "vgg_m")])
def test_a_preset_is_a_parameter_file_of_this_package(launch, preset, backbone):
    parameters = launch("tracker", preset=preset).only("tracker_node").parameters
    assert parameters["backbone"]["name"] == backbone


# RViz


def test_rviz_is_left_out_where_it_is_not_installed(launch):
    launched = launch("tracker", rviz="true")
    assert [start.name for start in launched.started] == ["tracker_node"]
    assert "rviz2 is not installed; going on without it" in launched.output


def test_rviz_shows_the_trackers_topics_wherever_they_are(workspace):
    workspace.add("rviz2", "rviz2")
    rviz = workspace.launch("tracker", rviz="true", namespace="robot1", target_pose="goal_update").only(
        "rviz2"
    )
    assert rviz.remappings == {
        "__node": "tracker_rviz",
        "__ns": "/robot1",
        "/tracker/debug_image": "tracker/debug_image",
        "/tracker/attention_image": "tracker/attention_image",
        "/tracker/init_image": "tracker/init_image",
        "/tracker/target_pose": "goal_update",
    }


# nav2's lifecycle manager


def test_the_lifecycle_manager_activates_the_node_without_a_bond(workspace):
    workspace.add("nav2_lifecycle_manager", "lifecycle_manager")
    launched = workspace.launch("tracker", lifecycle_manager="true", namespace="robot1")
    manager = launched.only("lifecycle_manager")
    assert manager.remappings == {"__node": "lifecycle_manager_tracker", "__ns": "/robot1"}
    assert list(manager.parameters["node_names"]) == ["tracker"]
    assert manager.parameters["autostart"] is True
    assert manager.parameters["bond_timeout"] == 0.0
    assert launched.only("tracker_node").given == {"autostart": False}


def test_a_lifecycle_manager_that_is_not_installed_is_named_with_its_package(launch):
    launched = launch("tracker", lifecycle_manager="true")
    assert "apt install ros-$ROS_DISTRO-nav2-lifecycle-manager" in launched.output
    assert launched.started == []
