"""The README's table of topics and services, walked against the running node.

The graph is asked as a whole, never for what a node of that name has: the entry of an earlier test's node may
outlive it, and would answer in this one's place.
"""

from __future__ import annotations

import re
from importlib.metadata import metadata

import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from rcl_interfaces.srv import GetParameters
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

INPUTS = {"image", "image/compressed", "camera_info", "depth"}


def rows(heading: str) -> list[list[str]]:
    """The cells of a table of the README, by the first cell of its heading."""
    installed = metadata("recip_tracker_ros")
    text = str(installed.get_payload() or installed["Description"])
    table = text[text.index(f"| {heading} |") :].split("\n\n", maxsplit=1)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


TOPICS, SERVICES = rows("topic"), rows("service")


def full_name(cell: str) -> str:
    name = re.match(r"`([^`]+)`", cell).group(1)
    if name in INPUTS:
        return f"/{name}"
    return name.replace("~", "/tracker")


def endpoints(operator, cell: str, name: str) -> list:
    node = operator.node
    find = node.get_subscriptions_info_by_topic if "(in)" in cell else node.get_publishers_info_by_topic
    return [one for one in find(name) if one.node_name == "tracker"]


def parameter(operator, name: str):
    request = GetParameters.Request(names=[name])
    return operator.call(GetParameters, "/tracker/get_parameters", request).values[0]


@pytest.fixture
def node(operator, start_node, request):
    process = start_node(**getattr(request, "param", {}), _image="/image")
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an active node")
    return process


def test_every_topic_of_the_table_has_that_type_and_quality_of_service(node, operator):
    assert len(TOPICS) > 15
    for cell, kind, qos, _ in TOPICS:
        if "compressed" in cell:
            continue  # instead of the image
        name = full_name(cell)
        operator.wait(lambda: endpoints(operator, cell, name), name)  # noqa: B023
        for found in endpoints(operator, cell, name):
            assert (name, found.topic_type) == (name, kind)
            wanted = ReliabilityPolicy.BEST_EFFORT if "best effort" in qos else ReliabilityPolicy.RELIABLE
            assert (name, found.qos_profile.reliability) == (name, wanted)
            latched = DurabilityPolicy.TRANSIENT_LOCAL if "latched" in qos else DurabilityPolicy.VOLATILE
            assert (name, found.qos_profile.durability) == (name, latched)
        if (depth := re.search(r"keep last (\d+)", qos)) and name != "/diagnostics":
            role = "subscription" if "(in)" in cell else "publisher"
            kept = parameter(operator, f"qos_overrides.{name}.{role}.depth").integer_value
            assert (name, kept) == (name, int(depth.group(1)))


@pytest.mark.parametrize("node", [{"image_transport": "compressed"}], indirect=True)
def test_compressed_images_come_instead_of_the_image(node, operator):
    (cell, kind, _, _) = next(row for row in TOPICS if "compressed" in row[0])
    operator.wait(lambda: endpoints(operator, cell, "/image/compressed"), "the subscription")
    assert [one.topic_type for one in endpoints(operator, cell, "/image/compressed")] == [kind]
    # An earlier test's node, which had one, is known for moments after its end.
    operator.wait(lambda: not endpoints(operator, cell, "/image"), "no other subscription")


def test_every_service_of_the_table_is_there_and_the_node_has_no_other_of_that_kind(node, operator):
    table = {full_name(cell): kind for cell, kind, _ in SERVICES}

    def present() -> dict[str, str]:
        found = operator.node.get_service_names_and_types()
        return {name: kinds[0] for name, kinds in found if kinds[0].startswith("std_srvs/")}

    for name in table:
        operator.wait(lambda: name in present(), name)  # noqa: B023
    assert present() == table


def test_the_node_has_no_topic_that_the_table_has_not(node, operator):
    table = {full_name(cell) for cell, *_ in TOPICS}

    def ours() -> set[str]:
        names = {name for name, _ in operator.node.get_topic_names_and_types()}
        return {name for name in names if endpoints(operator, "(in)", name) or endpoints(operator, "", name)}

    for name in table - {"/image/compressed"}:  # instead of the image
        operator.wait(lambda: name in ours(), name)  # noqa: B023
    of_every_node = {"/rosout", "/parameter_events", "/tracker/transition_event", "/clock"}
    assert ours() - of_every_node <= table
