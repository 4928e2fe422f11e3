"""Play a bag to the tracker, in the bag's time: ``bag:=my_bag image:=/camera/image_raw``.

Every argument of ``tracker.launch.py`` is one here, too, but for ``use_sim_time``, which is true. The bag
starts ``wait`` seconds after the tracker, which loads its network first. When the bag ends, everything
does; with ``loop:=true`` it begins again instead, and its stamps with it.

Give the target on ``~/init`` while the bag plays, or name a saved one: ``target_file:=``.
"""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
    Shutdown,
    TimerAction,
)
from launch.substitutions import LaunchConfiguration

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

PACKAGE = "recip_tracker_ros"

# name: default, meaning
ARGUMENTS = {
    "bag": (None, "Bag to play: a folder, or an .mcap or .db3 file."),
    "rate": ("1.0", "How much faster than it was recorded."),
    "start_offset": ("0.0", "Seconds of the bag that are left out at its beginning."),
    "loop": ("false", "true plays it again and again."),
    "wait": ("10.0", "Seconds between the start of the tracker and that of the bag."),
}


def generate_launch_description() -> LaunchDescription:
    """The tracker, then the bag."""
    share = Path(get_package_share_directory(PACKAGE))
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=meaning)
        for name, (default, meaning) in ARGUMENTS.items()
    ]
    return LaunchDescription(
        [
            *declared,
            OpaqueFunction(function=_play),
            SetLaunchConfiguration("use_sim_time", "true"),
            IncludeLaunchDescription(str(share / "launch" / "tracker.launch.py")),
        ]
    )


def _play(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    chosen = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    bag = Path(chosen["bag"]).expanduser()
    if not bag.exists():
        raise FileNotFoundError(f"launch argument 'bag' expects a bag, got '{bag}', which does not exist")
    _check_player()
    command = ["ros2", "bag", "play", str(bag), "--clock", "--disable-keyboard-controls"]
    command += ["--rate", chosen["rate"], "--start-offset", chosen["start_offset"]]
    if _is_true("loop", chosen["loop"]):
        command.append("--loop")
    ended = Shutdown(reason="the bag has ended")
    return [
        TimerAction(
            period=_seconds("wait", chosen["wait"]),
            actions=[ExecuteProcess(cmd=command, name="bag", output="screen", on_exit=ended)],
        )
    ]


def _check_player() -> None:
    try:
        get_package_prefix("ros2bag")
    except PackageNotFoundError:
        raise RuntimeError(
            "the package ros2bag, which plays bags, is not installed (apt install ros-$ROS_DISTRO-ros2bag)"
        ) from None


def _seconds(name: str, text: str) -> float:
    try:
        return max(float(text), 0.0)
    except ValueError:
        raise ValueError(f"launch argument '{name}' expects seconds, got '{text}'") from None


def _is_true(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"launch argument '{name}' expects true or false, got '{text}'")
    return text.lower() == "true"
