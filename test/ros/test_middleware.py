"""What the middleware is told."""

from __future__ import annotations

import pytest

from recip_tracker_ros.middleware import profile_variable


@pytest.mark.parametrize(
    ("distro", "variable"),
    [
        ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"),
        ("lyrical", "FASTDDS_DEFAULT_PROFILES_FILE"),
        ("", "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_the_profile_is_named_by_the_variable_that_its_fast_dds_reads(distro, variable):
    assert profile_variable(distro) == variable
