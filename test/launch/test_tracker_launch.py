"""``ros2 launch recip_tracker_ros tracker.launch.py``: where launch is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

launch = pytest.importorskip("launch")
pytest.importorskip("launch_ros")
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch_ros.actions import Node

FILE = Path(sys.prefix) / "share/recip_tracker_ros/launch/tracker.launch.py"


@pytest.fixture
def context(monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", sys.prefix)
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE", raising=False)
    return launch.LaunchContext()


@pytest.fixture
def module():
    spec = importlib.util.spec_from_file_location("tracker_launch", FILE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def started(module, context, **arguments):
    for entity in module.generate_launch_description().entities:
        if isinstance(entity, DeclareLaunchArgument):
            value = arguments.pop(entity.name, None)
            context.launch_configurations[entity.name] = (
                value
                if value is not None
                else "".join(part.perform(context) for part in entity.default_value)
            )
    assert not arguments
    return module._start(context)


def test_every_choice_is_an_argument(module):
    names = {
        entity.name
        for entity in module.generate_launch_description().entities
        if isinstance(entity, DeclareLaunchArgument)
    }
    assert names == {"image", "params_file", "preset", "device", "namespace", "autostart", "rviz"}


def test_the_profile_is_set_only_where_none_is(module, context, monkeypatch):
    assert any(isinstance(action, SetEnvironmentVariable) for action in started(module, context))
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "mine.xml")
    assert not any(isinstance(action, SetEnvironmentVariable) for action in started(module, context))


def test_rviz_is_left_out_where_it_is_not_installed(module, context):
    nodes = [action for action in started(module, context, rviz="true") if isinstance(action, Node)]
    assert len(nodes) == 1


def test_a_wrong_truth_value_is_named(module, context):
    with pytest.raises(ValueError, match="'autostart' expects true or false, got 'perhaps'"):
        started(module, context, autostart="perhaps")


@pytest.mark.parametrize(("preset", "file"), [("default", "tracker.yaml"), ("paper", "paper.yaml")])
def test_a_preset_is_a_parameter_file_of_this_package(module, context, preset, file):
    chosen = {name: default for name, (default, _) in module.ARGUMENTS.items()} | {"preset": preset}
    assert module._file(chosen) == file
    assert (FILE.parents[1] / "config" / file).is_file()
    with pytest.raises(ValueError, match=r"'preset' expects one of \['default', 'paper'\], got 'papre'"):
        started(module, context, preset="papre")
