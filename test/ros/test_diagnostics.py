"""What an operator is told: statuses and remedies."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import QoSPolicyKind, qos_policy_name_from_kind
from std_msgs.msg import Header

from recip_tracker_core.config import Health
from recip_tracker_core.errors import LearningError
from recip_tracker_core.updater import UpdateStatistics
from recip_tracker_ros.diagnostics import (
    SECTIONS,
    camera_status,
    incompatible_qos,
    learning_status,
    report,
    timing,
    tracking_status,
)
from recip_tracker_ros.health import Arrival, FrameLog, Memory, Spread, Stream
from recip_tracker_ros.state import State, Status

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
LIMITS = Health()
TRACKING = Status(State.TRACKING, target_id="7", model_version=3)
CALM = Stream(
    promised_hz=30.0,
    image_hz=29.8,
    answer_hz=29.6,
    replaced_hz=0.0,
    missing_hz=0.0,
    delivered_share=1.0,
    busy_share=0.6,
    frame_s=Spread(0.020, 0.030),
    answer_age_s=Spread(0.040, 0.050),
    image_age_s=0.015,
    is_stamped=True,
    refused=0,
    images_in_all=900,
    answers_in_all=890,
    refused_in_all=2,
)


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def camera_log(period_s: float, busy_s: float, seconds: float, every: int = 1) -> FrameLog:
    """A node that is given every so-manieth image of a camera, the newest whenever it is free."""
    log, free_s = FrameLog(0.0), 0.0
    for index in range(0, round(seconds / period_s), every):
        at_s = index * period_s
        if at_s + every * period_s <= free_s:
            continue  # a newer one comes before the node is free
        begun_s = max(at_s, free_s)
        log.add(Arrival(begun_s, busy_s, round((1000 + at_s) * 1e9), begun_s - at_s, begun_s - at_s + busy_s))
        free_s = begun_s + busy_s
    return log


# One frame


def test_the_timing_of_a_frame_has_its_header_age_sum_and_stages_in_plain_decimals():
    header = Header(stamp=Time(sec=12, nanosec=34), frame_id="optical")
    message = timing(
        header, "/tracker", "tracking", {"convert": 0.0005, "features": 1e-7, "head": 0.0102}, 0.0625
    )
    assert message.header == header
    (status,) = message.status
    assert (status.name, status.message, status.level) == ("/tracker", "tracking", OK)
    assert status.hardware_id == "/tracker"
    assert values(status) == {
        "age_ms": "62.500",
        "total_ms": "10.700",
        "convert_ms": "0.500",
        "features_ms": "0.000",
        "head_ms": "10.200",
    }


# The camera


def test_a_healthy_camera_is_ok_and_its_numbers_are_plain():
    status = camera_status(LIMITS, CALM)
    assert (status.level, status.name, status.message) == (OK, "camera", "29.8 images a second")
    assert values(status) == {
        "camera_rate_hz": "30.000",
        "image_rate_hz": "29.800",
        "missing_rate_hz": "0.000",
        "image_age_ms": "15.000",
        "images": "900",
        "images_refused": "2",
    }


def test_images_that_never_come_warn_with_the_remedy_where_the_driver_starts():
    stream = camera_log(1 / 30, 0.005, 10, every=3).measure(10.0, rate_hz=30)
    status = camera_status(replace(LIMITS, rate_hz=30.0), stream)
    assert status.level == WARN
    assert status.message.startswith("33% of the 30.0 images a second that health.rate_hz promises arrive")
    assert "export FASTDDS_DEFAULT_PROFILES_FILE=" in status.message
    assert "CAMERA DRIVER" in status.message
    assert "slower" not in tracking_status(LIMITS, stream, TRACKING).message


def test_frames_that_take_longer_than_the_camera_are_called_that_and_no_loss():
    stream = camera_log(1 / 30, 0.080, 10).measure(10.0, rate_hz=30)
    camera, tracking = camera_status(LIMITS, stream), tracking_status(LIMITS, stream, TRACKING)
    assert (camera.level, tracking.level) == (OK, OK)
    assert "FASTDDS" not in camera.message + tracking.message
    assert "the tracker is slower than the camera" in tracking.message


def test_a_camera_that_truly_runs_at_5_hz_is_nothing_to_warn_of():
    stream = camera_log(1 / 5, 0.080, 10).measure(10.0)
    statuses = report(LIMITS, stream, TRACKING, UpdateStatistics())
    assert [status.level for status in statuses] == [OK, OK, OK]
    assert "slower" not in statuses[1].message


@pytest.mark.parametrize(("share", "level"), [(0.49, WARN), (0.5, OK), (None, OK)])
def test_the_share_that_warns_is_a_live_limit(share, level):
    stream = replace(CALM, delivered_share=share)
    assert camera_status(LIMITS, stream).level == level
    assert camera_status(replace(LIMITS, rate_share=0.0), stream).level == OK


CLOCKS = {
    "ahead of the clock": ({"image_age_s": -2.0}, "2.00 s ahead", "use_sim_time"),
    "a recording": ({"image_age_s": 7200.0}, "2.0 hours before", "use_sim_time"),
    "no stamps": ({"is_stamped": False, "image_age_s": 9e9}, "same stamp", "the driver"),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_an_age_that_cannot_be_is_a_clock_and_not_a_slow_tracker(name):
    change, told, remedy = CLOCKS[name]
    stream = replace(CALM, answer_age_s=Spread(7200.0, 7200.0), **change)
    status = camera_status(LIMITS, stream)
    assert status.level == WARN
    assert told in status.message
    assert remedy in status.message
    assert tracking_status(LIMITS, stream, TRACKING).level == OK


def test_a_few_milliseconds_between_two_clocks_are_no_trouble():
    assert camera_status(LIMITS, replace(CALM, image_age_s=-0.01)).level == OK


def test_silence_is_an_error_and_stands_first():
    stream = replace(CALM, refused=3)
    status = camera_status(LIMITS, stream, silence="no image on /image for 2.0 s: why")
    assert status.level == ERROR
    assert status.message.startswith("no image on /image for 2.0 s: why; 3 of the last images cannot be read")
    assert camera_status(LIMITS, stream).level == WARN


def test_a_node_that_is_not_active_says_so_and_has_no_rates():
    camera, tracking, _ = report(LIMITS, None, Status(State.IDLE), UpdateStatistics())
    assert (camera.level, camera.message, list(camera.values)) == (OK, "not active", [])
    assert (tracking.level, tracking.message) == (OK, "idle")


# Answers


def test_answers_in_time_are_ok_and_their_numbers_are_plain():
    status = tracking_status(LIMITS, CALM, TRACKING)
    assert (status.level, status.name, status.message) == (OK, "tracking", "tracking")
    assert values(status) == {
        "state": "tracking",
        "target_id": "7",
        "answer_rate_hz": "29.600",
        "replaced_rate_hz": "0.000",
        "busy_percent": "60.000",
        "answers": "890",
        "frame_median_ms": "20.000",
        "frame_p99_ms": "30.000",
        "answer_age_median_ms": "40.000",
        "answer_age_p99_ms": "50.000",
    }


LEVELS = {
    "old": (
        {"answer_age_s": Spread(0.3, 0.3)},
        WARN,
        "answers are 300 ms old",
        "health.age_warn_s is 200 ms",
    ),
    "very old": ({"answer_age_s": Spread(1.5, 9.0)}, ERROR, "1500 ms old", "health.age_error_s is 1000 ms"),
    "slow": ({"frame_s": Spread(0.01, 0.2)}, WARN, "takes 200 ms", "health.frame_warn_s is 100 ms"),
    "very slow": ({"frame_s": Spread(0.01, 0.7)}, ERROR, "takes 700 ms", "health.frame_error_s is 500 ms"),
    "old at times": ({"answer_age_s": Spread(0.1, 9.0)}, OK, "tracking", ""),
    "slow but seldom": ({"frame_s": Spread(0.099, 0.1)}, OK, "tracking", ""),
}


@pytest.mark.parametrize("name", LEVELS)
def test_ages_and_frame_times_above_a_limit_name_it(name):
    change, level, told, limit = LEVELS[name]
    status = tracking_status(LIMITS, replace(CALM, **change), TRACKING)
    assert status.level == level
    assert told in status.message
    assert limit in status.message
    relaxed = replace(LIMITS, age_warn_s=60.0, age_error_s=60.0, frame_warn_s=60.0, frame_error_s=60.0)
    assert tracking_status(relaxed, replace(CALM, **change), TRACKING).level == OK


def test_a_tracker_that_is_too_slow_is_told_beside_its_state_whatever_else_is():
    stream = replace(CALM, replaced_hz=17.5, image_hz=12.5, frame_s=Spread(0.08, 0.12))
    status = tracking_status(LIMITS, stream, TRACKING)
    assert status.message.startswith("tracking; the tracker is slower than the camera")
    assert "health.frame_warn_s" in status.message


def test_a_lost_target_is_told_and_is_no_fault_of_the_node():
    status = tracking_status(LIMITS, CALM, replace(TRACKING, state=State.LOST))
    assert (status.level, status.message) == (OK, "lost")


def test_numbers_that_nobody_knows_are_left_out():
    stream = replace(
        CALM, promised_hz=None, replaced_hz=None, missing_hz=None, frame_s=None, answer_age_s=None
    )
    known = values(camera_status(LIMITS, stream)) | values(tracking_status(LIMITS, stream, TRACKING))
    assert not known.keys() & {"camera_rate_hz", "missing_rate_hz", "replaced_rate_hz", "frame_p99_ms"}
    assert all(known.values())


# Learning


def test_learning_tells_its_counts_and_the_memory():
    statistics = UpdateStatistics(completed=12, replaced=3, failed=0)
    memory = Memory(
        process=500_000_000, device_allocated=1_500_000, device_reserved=2_000_000, device_free=10**9
    )
    status = learning_status(TRACKING, statistics, True, memory)
    assert (status.level, status.name, status.message) == (OK, "learning", "learning")
    assert values(status) == {
        "model_version": "3",
        "updates_done": "12",
        "updates_replaced": "3",
        "updates_failed": "0",
        "is_learning": "1",
        "process_mb": "500.000",
        "device_allocated_mb": "1.500",
        "device_reserved_mb": "2.000",
        "device_free_mb": "1000.000",
    }
    assert learning_status(TRACKING, statistics, False, Memory()).message == "at rest"


def test_a_failed_update_warns_with_its_reason_until_one_succeeds():
    failed = UpdateStatistics(completed=12, failed=1, failure=LearningError("the loss is not finite"))
    status = learning_status(TRACKING, failed, False, Memory())
    assert status.level == WARN
    assert "the loss is not finite" in status.message
    assert values(status)["last_failure"] == "the loss is not finite"
    assert learning_status(TRACKING, replace(failed, failure=None), False, Memory()).level == OK


def test_a_report_has_one_status_for_each_section():
    statuses = report(LIMITS, CALM, TRACKING, UpdateStatistics(), is_learning=True, silence="quiet")
    assert tuple(status.name for status in statuses) == SECTIONS
    assert (statuses[0].level, statuses[0].message, statuses[2].message) == (ERROR, "quiet", "learning")


# Quality of service

QOS = {
    "reliability of an input": (
        (QoSPolicyKind.RELIABILITY, "subscription"),
        "a publisher of /t is best_effort, and this node asks for reliable",
        "qos_overrides./t.subscription.reliability: best_effort",
    ),
    "durability of an input": (
        (QoSPolicyKind.DURABILITY, "subscription"),
        "a publisher of /t is volatile, and this node asks for transient_local",
        "qos_overrides./t.subscription.durability: volatile",
    ),
    "reliability of an output": (
        (QoSPolicyKind.RELIABILITY, "publisher"),
        "a subscription of /t asks for reliable, and this node is best_effort",
        "qos_overrides./t.publisher.reliability: reliable",
    ),
    "another": ((QoSPolicyKind.DEADLINE, "subscription"), "deadline on /t", "ros2 topic info -v /t"),
}


@pytest.mark.parametrize("name", QOS)
def test_an_incompatible_offer_is_told_with_its_remedy(name):
    (kind, role), told, remedy = QOS[name]
    sentence = incompatible_qos("/t", qos_policy_name_from_kind(kind), role)
    assert told in sentence
    assert remedy in sentence
