"""What is installed."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from importlib.metadata import distribution
from pathlib import Path

import pytest

SHARE = Path(sys.prefix) / "share" / "recip_tracker_ros"
ROOT = Path(__file__).parents[2]


def test_the_package_is_in_the_ament_index():
    assert (Path(sys.prefix) / "share/ament_index/resource_index/packages/recip_tracker_ros").is_file()


def test_package_xml_is_installed():
    assert (SHARE / "package.xml").is_file()


@pytest.mark.parametrize("folder", ["launch", "config"])
def test_every_file_that_ros_looks_for_is_installed(folder):
    written = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
    assert written == {path.name for path in (SHARE / folder).iterdir() if path.is_file()}
    assert written


def test_package_xml_is_an_ament_python_package_of_the_installed_version():
    root = ElementTree.parse(SHARE / "package.xml").getroot()  # noqa: S314 - our own file
    assert root.attrib["format"] == "3"
    assert root.findtext("name") == "recip_tracker_ros"
    assert root.findtext("export/build_type") == "ament_python"
    assert root.findtext("version") == distribution("recip_tracker_ros").version


def test_the_entry_points_are_there():
    names = {entry.name for entry in distribution("recip_tracker_ros").entry_points}
    assert names == {"tracker_node", "recip-tracker"}


def test_colcon_takes_the_repository_for_an_ament_python_package():
    catkin_pkg = pytest.importorskip("catkin_pkg.package")
    package = catkin_pkg.parse_package(str(SHARE / "package.xml"))
    assert package.get_build_type() == "ament_python"
