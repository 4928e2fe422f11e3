"""ROS 2 as the node needs it; the command line needs none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from .findings import Finding, ok, problem, warning
from .python_probes import PACKAGE
from .surroundings import Surroundings

DISCOVERY_RANGES = ("SUBNET", "LOCALHOST", "SYSTEM_DEFAULT")
# From 102 to 214 the ports meet those that Linux gives to any program (docs.ros.org, The ROS_DOMAIN_ID).
MOST_DOMAIN, SAFE_DOMAINS = 232, (*range(102), *range(215, 233))
# Fast DDS 3 has a new name for its variable; up to Jazzy the new one is not read (ros2_documentation, #6098).
PROFILES, OLD_PROFILES = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"
BEFORE_FAST_DDS_3 = ("humble", "iron", "jazzy")
LEAST_SEGMENT_BYTES = 2 * 640 * 480 * 3  # one image is read while the next is written; the default has 0.5 MB


def rclpy(here: Surroundings) -> Iterator[Finding]:
    """Whether the node can be started, and whose ROS it is."""
    answer, distro = here.answers["rclpy"], here.variables.get("ROS_DISTRO")
    wheels = here.packages.get("ros-rclpy")
    if answer.failure:
        yield _no_ros(here)
    elif wheels and distro:
        remedy = "use an environment without the ros-* wheels, or a shell in which no ROS was sourced"
        yield warning("ROS 2", f"wheels (ros-rclpy {wheels}) and {distro} in one environment", remedy)
    elif wheels:
        yield ok("ROS 2", f"wheels: ros-rclpy {wheels}")
    else:
        yield ok("ROS 2", f"{distro or 'ROS_DISTRO is not set'}: {answer.values['file']}")


def middleware(here: Surroundings) -> Iterator[Finding]:
    """Which one carries messages, and whether the types at hand can be carried by it."""
    rmw = here.answers["rclpy"].values["rmw"]
    if "recip-vision-msgs" in here.packages and "fastrtps" not in rmw:
        found = f"{rmw}, which the vision_msgs of this package's wheel does not know"
        yield problem("RMW_IMPLEMENTATION", found, "export RMW_IMPLEMENTATION=rmw_fastrtps_cpp")
    else:
        told = "set" if here.variables.get("RMW_IMPLEMENTATION") else "not set"
        yield ok("RMW_IMPLEMENTATION", f"{told}: {rmw}")


def domain(here: Surroundings) -> Iterator[Finding]:
    """Whether nodes with the same number can meet."""
    text, remedy = here.variables.get("ROS_DOMAIN_ID", ""), "export ROS_DOMAIN_ID=0, or another up to 101"
    if text and not (text.isdecimal() and int(text) <= MOST_DOMAIN):
        yield problem("ROS_DOMAIN_ID", f"expected a number from 0 to {MOST_DOMAIN}, got '{text}'", remedy)
    elif text and int(text) not in SAFE_DOMAINS:
        yield warning("ROS_DOMAIN_ID", f"{text}: its ports may be taken by other programs", remedy)
    else:
        yield ok("ROS_DOMAIN_ID", f"{text or 'not set: 0'}; the camera must have the same")


def discovery(here: Surroundings) -> Iterator[Finding]:
    """Whether nodes find each other by themselves."""
    subject, text = "ROS_AUTOMATIC_DISCOVERY_RANGE", here.variables.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    remedy = f"unset {subject}, or one of {', '.join(DISCOVERY_RANGES)}"
    if text == "OFF":
        yield warning(subject, "OFF: no node finds another unless ROS_STATIC_PEERS names it", remedy)
    elif text and text not in DISCOVERY_RANGES:
        yield warning(subject, f"'{text}' is unknown to ROS: it finds nodes of this machine only", remedy)
    else:
        note = "; it finds nodes of this machine only" if text == "LOCALHOST" else ""
        yield ok(subject, f"{text or 'not set'}{note}")


def vision_msgs(here: Surroundings) -> Iterator[Finding]:
    """Whether the node's messages are there."""
    answer, distro = here.answers["vision_msgs"], here.variables.get("ROS_DISTRO")
    if answer.failure:
        from_source = "pip install ./vision_msgs_wheel, in the folder of this package's source (needs g++)"
        remedy = f"sudo apt install ros-{distro}-vision-msgs" if distro else from_source
        yield problem("vision_msgs", answer.failure, remedy)
    else:
        yield ok("vision_msgs", answer.values["file"])


def cv_bridge(here: Surroundings) -> Iterator[Finding]:
    """Whether it is of ROS 2, and built for the numpy that is here; the node does without one."""
    answer, distro = here.answers["cv_bridge"], here.variables.get("ROS_DISTRO", "")
    numpy, built_for = here.answers["numpy"].values.get("version", "0"), here.bridge_numpy.get(distro)
    if here.packages.get("cv-bridge", "").startswith("1."):
        found = f"{here.packages['cv-bridge']} is ROS 1's: it comes from PyPI"
        yield problem("cv_bridge", found, "pip uninstall cv-bridge; the node reads images without one")
    elif answer.is_absent:
        yield ok("cv_bridge", "not installed; the node reads images without one")
    elif built_for is not None and built_for != int(numpy.partition(".")[0]):
        found = f"{distro}'s is built for numpy {built_for}, and numpy is {numpy}: using it may end a process"
        yield problem("cv_bridge", found, _other_numpy(built_for))
    elif answer.failure:
        remedy = f"sudo apt install --reinstall ros-{distro or '$ROS_DISTRO'}-cv-bridge, or remove it"
        yield problem("cv_bridge", answer.failure, remedy)
    elif built_for is None:
        found = f"for which numpy it is built is not known of ROS_DISTRO '{distro}': the node does without"
        yield warning("cv_bridge", found, "source the setup.bash of the ROS 2 that it belongs to")
    else:
        yield ok("cv_bridge", f"{answer.values['file']}, built for numpy {built_for}")


def profile(here: Surroundings) -> Iterator[Finding]:
    """Whether what is started from here can send camera images over Fast DDS's shared memory."""
    rmw = here.answers["rclpy"].values.get("rmw", "")
    if "fastrtps" not in rmw:
        return
    is_old = here.variables.get("ROS_DISTRO") in BEFORE_FAST_DDS_3
    name, other = (OLD_PROFILES, PROFILES) if is_old else (PROFILES, OLD_PROFILES)
    remedy = f"where the camera driver starts: export {name}={_shipped_profile(here)}"
    path = here.variables.get(name, "")
    if not path:
        unread = f", and {other} is not read here" if here.variables.get(other) else ""
        yield warning(name, f"not set{unread}: images of 640 x 480 sent from here seldom arrive", remedy)
        return
    try:
        segment = _largest_segment(Path(path))
    except (OSError, ElementTree.ParseError, ValueError) as error:
        yield problem(name, f"'{path}' cannot be read: {error}", remedy)
        return
    if segment < LEAST_SEGMENT_BYTES:
        found = f"'{path}' has no segment of {LEAST_SEGMENT_BYTES} bytes or more, the largest has {segment}"
        yield warning(name, found, remedy)
    else:
        yield ok(name, f"{path}, with a segment of {segment / 2**20:.0f} MiB")


def _no_ros(here: Surroundings) -> Finding:
    answer, distro = here.answers["rclpy"], here.variables.get("ROS_DISTRO")
    rmw = here.variables.get("RMW_IMPLEMENTATION", "")
    if answer.is_absent and not distro:
        wheels = f"pip install '{PACKAGE}[ros]' and ./vision_msgs_wheel"
        remedy = f"source a ROS 2, or {wheels} (x86-64 and Python 3.10 to 3.13 only)"
        return warning("ROS 2", "no rclpy: the node cannot run; recip-tracker needs none", remedy)
    if rmw and rmw in answer.failure:
        return problem("ROS 2", answer.failure, f"unset RMW_IMPLEMENTATION, or install {rmw}")
    if distro:
        return problem("ROS 2", f"ROS_DISTRO is {distro}: {answer.failure}", _other_python(here.python))
    # The wheels' start-up sets both for the processes that it starts, and so for other environments.
    remedy = (
        "unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH, or pip install --force-reinstall ros-rclpy"
    )
    return problem("ROS 2", answer.failure, remedy)


def _largest_segment(path: Path) -> int:
    """Bytes; 0 where the profile has none."""
    root = ElementTree.parse(path).getroot()  # noqa: S314 - the user's own file
    sizes = [int(node.text or "0") for node in root.iter() if node.tag.endswith("segment_size")]
    return max(sizes, default=0)


def _shipped_profile(here: Surroundings) -> Path:
    paths = [prefix / "share" / PACKAGE / "config" / "fastdds.xml" for prefix in here.prefixes]
    return next((path for path in paths if path.is_file()), Path("config/fastdds.xml"))


def _other_python(version: str) -> str:
    return (
        f"ROS is built for the system's Python, and this one is {version}: source ROS, then "
        "/usr/bin/python3 -m venv --system-site-packages, and install there"
    )


def _other_numpy(major: int) -> str:
    return "pip install 'numpy<2'" if major == 1 else f"pip install 'numpy>={major},<{major + 1}'"
