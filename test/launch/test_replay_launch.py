"""``ros2 launch recip_tracker_ros replay.launch.py``; rosbag2 itself has a stand-in."""

from __future__ import annotations

import pytest

PATIENCE_S = 30


@pytest.fixture
def player(workspace):
    """A workspace with a player of bags, and a tracker that runs until it is told to stop."""
    workspace.add("ros2bag")
    workspace.add_command("ros2", waits_for="tracker_node")
    workspace.add("recip_tracker_ros", "tracker_node", stays_s=PATIENCE_S)
    return workspace


def test_the_bag_gives_images_and_time(player, tmp_path):
    bag = tmp_path / "my bag; it's one"
    bag.mkdir()
    launched = player.launch(
        "replay", bag=str(bag), image="/cam/image", rate="0.5", start_offset="2.5", loop="true", wait="0"
    )
    assert launched.only("ros2").arguments == [
        *("bag", "play", str(bag), "--clock", "--disable-keyboard-controls"),
        *("--rate", "0.5", "--start-offset", "2.5", "--loop"),
    ]
    tracker = launched.only("tracker_node")
    assert tracker.given == {"use_sim_time": True}
    assert tracker.remappings["image"] == "/cam/image"


def test_when_the_bag_ends_everything_does(player, tmp_path):
    launched = player.launch("replay", bag=str(tmp_path), wait="0")
    assert "--loop" not in launched.only("ros2").arguments
    assert "told to stop" in launched.output
    assert launched.status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bag": "/no/such/bag"}, "'bag' expects a bag, got '/no/such/bag', which does not exist"),
        ({"bag": ".", "loop": "often"}, "'loop' expects true or false, got 'often'"),
        ({"bag": ".", "wait": "a while"}, "'wait' expects seconds, got 'a while'"),
        ({}, "'bag'"),
    ],
    ids=["bag", "loop", "wait", "not given"],
)
def test_a_wrong_value_is_named_and_nothing_starts(player, arguments, message):
    launched = player.launch("replay", **arguments)
    assert message in launched.output
    assert launched.status == 1
    assert launched.started == []


def test_a_missing_player_is_named_with_its_package(launch, tmp_path):
    launched = launch("replay", bag=str(tmp_path))
    assert "apt install ros-$ROS_DISTRO-ros2bag" in launched.output
    assert launched.started == []
