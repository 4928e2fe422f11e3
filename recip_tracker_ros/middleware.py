"""What the middleware has to be told outside of the node: where Fast DDS finds its profile."""

from __future__ import annotations

import os

BEFORE_FAST_DDS_3 = ("humble", "iron", "jazzy")


def profile_variable(distro: str) -> str:
    """The environment variable that names Fast DDS's profile file; version 3 has renamed it.

    Args:
        distro: what ROS_DISTRO says; empty stands for the wheels, which have version 3.
    """
    return f"FAST{'RTPS' if distro in BEFORE_FAST_DDS_3 else 'DDS'}_DEFAULT_PROFILES_FILE"


PROFILE_VARIABLE = profile_variable(os.environ.get("ROS_DISTRO", ""))
