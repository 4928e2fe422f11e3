"""What is installed, and that files which name each other agree."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml

SHARE = Path(sys.prefix) / "share" / "recip_tracker_ros"


def test_the_package_is_in_the_ament_index():
    assert (Path(sys.prefix) / "share/ament_index/resource_index/packages/recip_tracker_ros").is_file()


@pytest.mark.parametrize(
    "name",
    [
        "package.xml",
        "launch/tracker.launch.py",
        "config/tracker.yaml",
        "config/tracker.rviz",
        "config/fastdds.xml",
    ],
)
def test_a_file_that_ros_looks_for_is_installed(name):
    assert (SHARE / name).is_file()


def test_package_xml_is_an_ament_python_package_of_the_installed_version():
    root = ElementTree.parse(SHARE / "package.xml").getroot()  # noqa: S314 - our own file
    assert root.attrib["format"] == "3"
    assert root.findtext("name") == "recip_tracker_ros"
    assert root.findtext("export/build_type") == "ament_python"
    assert root.findtext("version") == distribution("recip_tracker_ros").version


def test_the_entry_points_are_there():
    names = {entry.name for entry in distribution("recip_tracker_ros").entry_points}
    assert names == {"tracker_node", "recip-tracker"}


def test_rviz_shows_topics_that_the_node_publishes():
    pytest.importorskip("rclpy")
    pytest.importorskip("vision_msgs")
    from recip_tracker_ros import outputs  # noqa: PLC0415 - needs ROS

    displays = yaml.safe_load((SHARE / "config/tracker.rviz").read_text())["Visualization Manager"][
        "Displays"
    ]
    shown = {display["Topic"]["Value"] for display in displays}
    source = Path(outputs.__file__).read_text()
    published = {f"/tracker/{name}" for name in re.findall(r'publisher\(Image, "~/(\w+)"', source)}
    assert shown == published


def test_colcon_takes_the_repository_for_an_ament_python_package():
    catkin_pkg = pytest.importorskip("catkin_pkg.package")
    package = catkin_pkg.parse_package(str(SHARE / "package.xml"))
    assert package.get_build_type() == "ament_python"
