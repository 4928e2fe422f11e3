"""One declaration: parameters, parameter file and code agree."""

from __future__ import annotations

import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")
import yaml
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter

from recip_tracker_core.config import TrackerConfig
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.parameters import describe, flatten, replaced
from recip_tracker_core.presets import PRESETS
from recip_tracker_ros import parameters

CONFIG = Path(sys.prefix) / "share" / "recip_tracker_ros" / "config"


@pytest.mark.parametrize(("preset", "file"), [("default", "tracker.yaml"), ("paper", "paper.yaml")])
def test_a_shipped_file_is_the_declaration_of_its_preset(preset, file):
    assert (CONFIG / file).read_text(encoding="utf-8") == parameters.as_yaml(preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_as_a_file_gives_the_preset(preset):
    values = flatten(yaml.safe_load(parameters.as_yaml(preset))["/**"]["ros__parameters"])
    assert values["preset"] == preset
    core = {parameter.name for parameter in describe(TrackerConfig())}
    assert replaced(TrackerConfig(), {name: values[name] for name in core}) == PRESETS[preset]


def test_the_shipped_file_gives_the_defaults():
    values = flatten(yaml.safe_load(parameters.as_yaml())["/**"]["ros__parameters"])
    own = {parameter.name: parameter.value for parameter in parameters.all_parameters()}
    assert set(values) == set(own)
    core = {parameter.name for parameter in describe(TrackerConfig())}
    # Types count: rclpy and the core both refuse 1 for 1.0.
    assert replaced(TrackerConfig(), {name: values[name] for name in core}) == TrackerConfig()


def test_the_readme_has_the_table_of_the_declaration():
    installed = metadata("recip_tracker_ros")  # an importlib_metadata beside the library's has it as a field
    assert parameters.as_table() in (installed.get_payload() or installed["Description"])


def test_every_number_has_a_range():
    unbounded = [
        parameter.name
        for parameter in parameters.all_parameters()
        if type(parameter.value) in (int, float) and (parameter.low is None or parameter.high is None)
    ]
    assert unbounded == []


@pytest.fixture
def started(ros):
    """``started(**overrides)``: a node that was given parameters at the start."""
    nodes = []

    def made(**overrides):
        given = [Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()]
        nodes.append(LifecycleNode("tracker", parameter_overrides=given))
        parameters.declare(nodes[-1])
        return nodes[-1]

    yield made
    for node in nodes:
        node.destroy_node()


def test_what_is_not_given_at_the_start_is_the_presets(started):
    config, own = parameters.read(started(preset="paper", update__interval=7))
    assert config == replaced(PRESETS["paper"], {"update.interval": 7})
    assert own.preset == "paper"
    assert parameters.read(started())[0] == TrackerConfig()


def test_a_preset_that_does_not_exist_is_refused_and_one_that_was_taken_stays(started):
    with pytest.raises(ConfigError, match="'papre'"):
        started(preset="papre")
    (result,) = started().set_parameters([Parameter("preset", value="paper")])
    assert not result.successful
