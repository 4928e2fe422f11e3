"""The layouts for RViz and Foxglove, held to the node's contract: the tables of README.md."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

CONFIG = Path(sys.prefix) / "share/recip_tracker_ros/config"

RVIZ_TYPES = {
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/Pose": "geometry_msgs/msg/PoseStamped",
}


@pytest.fixture(scope="module")
def displays() -> list[dict]:
    return yaml.safe_load((CONFIG / "tracker.rviz").read_text())["Visualization Manager"]["Displays"]


@pytest.fixture(scope="module")
def layout() -> dict:
    return json.loads((CONFIG / "tracker.foxglove.json").read_text())


# RViz


def test_rviz_shows_the_nodes_images_and_the_targets_pose(displays):
    shown = {display["Topic"]["Value"].removeprefix("/tracker/") for display in displays}
    assert shown == {"debug_image", "attention_image", "init_image", "target_pose"}


def test_each_display_fits_its_topic(displays, contract):
    for display in displays:
        topic = display["Topic"]
        promise = contract[topic["Value"]]
        assert RVIZ_TYPES[display["Class"]] == promise.type
        # A late subscriber sees what is latched only if it asks for that.
        assert (topic["Durability Policy"] == "Transient Local") == promise.is_latched
        assert topic["Reliability Policy"] == "Reliable"


# Foxglove


def panels(node: str | dict) -> Iterator[str]:
    """The panels of a layout's tree, in which a node is a panel or a split of two."""
    if isinstance(node, str):
        yield node
        return
    assert node["direction"] in {"row", "column"}
    assert 0 < node["splitPercentage"] < 100
    yield from panels(node["first"])
    yield from panels(node["second"])


def named(kind: str, config: dict) -> list[str]:
    """The topics and services that a panel of a kind reads, writes or calls."""
    if kind in {"Plot", "StateTransitions"}:
        return [path["value"] for path in config["paths"]]
    keys = {
        "Image": lambda: config["imageMode"]["imageTopic"],
        "RawMessages": lambda: config["topicPath"],
        "DiagnosticSummary": lambda: config["topicToRender"],
        "Publish": lambda: config["topicName"],
        "CallService": lambda: config["serviceName"],
    }
    return [keys[kind]()]


def test_every_panel_has_its_place_and_its_settings(layout):
    placed = list(panels(layout["layout"]))
    assert sorted(placed) == sorted(layout["configById"])


def test_every_name_in_a_panel_is_in_the_contract(layout, contract):
    for panel, config in layout["configById"].items():
        for name in named(panel.split("!")[0], config):
            assert name.split(".")[0] in contract, panel


def test_the_panels_are_what_an_operator_needs(layout):
    names = {
        name for panel, config in layout["configById"].items() for name in named(panel.split("!")[0], config)
    }
    assert names >= {
        "/tracker/debug_image",
        "/tracker/attention_image",
        "/tracker/detection.results[0].hypothesis.score",
        "/tracker/status.message",
        "/diagnostics",
    }


def test_a_panel_that_sends_has_the_type_of_what_it_sends_to(layout, contract):
    for panel, config in layout["configById"].items():
        kind = panel.split("!")[0]
        if kind == "Publish":
            assert config["datatype"] == contract[config["topicName"]].type
            assert isinstance(json.loads(config["value"]), dict)
        if kind == "CallService":
            wanted = {"std_srvs/srv/Trigger": set(), "std_srvs/srv/SetBool": {"data"}}
            assert set(json.loads(config["requestPayload"])) == wanted[contract[config["serviceName"]].type]


def test_a_path_leads_to_a_field_of_its_message(layout):
    vision, diagnostic = pytest.importorskip("vision_msgs.msg"), pytest.importorskip("diagnostic_msgs.msg")
    messages = {
        "/tracker/detection": vision.Detection2D(results=[vision.ObjectHypothesisWithPose()]),
        "/tracker/status": diagnostic.DiagnosticStatus(),
    }
    kinds = {"Plot!confidence": float, "StateTransitions!state": str}
    for panel, kind in kinds.items():
        (path,) = named(panel.split("!")[0], layout["configById"][panel])
        topic, *fields = path.split(".")
        value = messages[topic]
        for name, index in (re.fullmatch(r"(\w+)(\[0\])?", field).groups() for field in fields):
            value = getattr(value, name)[0] if index else getattr(value, name)
        assert isinstance(value, kind), path
