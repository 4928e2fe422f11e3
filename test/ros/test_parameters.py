"""One declaration: parameters, parameter file and code agree."""

from __future__ import annotations

import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")
import yaml

from recip_tracker_core.config import TrackerConfig
from recip_tracker_core.parameters import describe, flatten, replaced
from recip_tracker_ros import parameters

CONFIG = Path(sys.prefix) / "share" / "recip_tracker_ros" / "config"


def test_the_shipped_file_is_the_declaration():
    assert (CONFIG / "tracker.yaml").read_text(encoding="utf-8") == parameters.as_yaml()


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
