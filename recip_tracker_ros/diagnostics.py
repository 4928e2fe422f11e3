"""What an operator is told: what :mod:`.health` measured as messages, and remedies in words.

Pure functions; no node in sight.

A status names its section alone (:data:`SECTIONS`); the publisher puts the node's name before it.
Numbers are plain decimals, so that a plot can read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from recip_tracker_core.config import Health
from recip_tracker_core.updater import UpdateStatistics

from .camera_watchdog import DDS_REMEDY
from .health import Memory, Spread, Stream
from .state import Status

SECTIONS = ("camera", "tracking", "learning")

AHEAD_S = 0.05  # images from the future by more than this: clocks of two machines, set apart
OTHER_CLOCK_S = 3600.0  # no image is that old: its stamp is of another clock

CLOCK_REMEDY = (
    "camera and node have different clocks: set use_sim_time on both or on neither (with it, somebody must "
    "publish /clock, as 'ros2 bag play --clock' does), and synchronise the clocks of two machines"
)

WEAK_AND_STRONG = {"reliability": ("best_effort", "reliable"), "durability": ("volatile", "transient_local")}

Complaint = tuple[bytes, str]
"""A level, and a sentence; with its remedy where the level is above OK."""


def timing(
    header: Header, name: str, state: str, timings_s: Mapping[str, float], age_s: float
) -> DiagnosticArray:
    """How long one frame took.

    Args:
        header: of the image.
        name: of the node.
        state: that its answer has, in words.
        timings_s: seconds by stage; stages don't overlap, their sum is ``total_ms``.
        age_s: the node's clock at publishing minus the image's stamp.
    """
    milliseconds = {"age": age_s * 1e3, "total": sum(timings_s.values()) * 1e3}
    milliseconds |= {stage: elapsed_s * 1e3 for stage, elapsed_s in timings_s.items()}
    values = {f"{stage}_ms": f"{value:.3f}" for stage, value in milliseconds.items()}
    return DiagnosticArray(header=header, status=[_status(name, state, [], values, hardware_id=name)])


def report(
    limits: Health,
    stream: Stream | None,
    status: Status,
    statistics: UpdateStatistics,
    *,
    is_learning: bool = False,
    silence: str = "",
    memory: Memory | None = None,
) -> list[DiagnosticStatus]:
    """One status for each of :data:`SECTIONS`.

    Args:
        limits: as they are now.
        stream: what was measured; None while the node is not active.
        status: what ``~/status`` says now.
        statistics: of the updates.
        is_learning: whether a fit or an update is running.
        silence: what :attr:`CameraWatchdog.trouble` says.
        memory: what is in use; None leaves it out.
    """
    return [
        camera_status(limits, stream, silence),
        tracking_status(limits, stream, status),
        learning_status(status, statistics, is_learning, memory or Memory()),
    ]


def camera_status(limits: Health, stream: Stream | None, silence: str = "") -> DiagnosticStatus:
    """How images come in, and what to do where they don't."""
    if stream is None:
        return _status("camera", "not active", [], {})
    complaints = [(DiagnosticStatus.ERROR, silence)] if silence else []
    complaints += _clock_complaints(stream) + _loss_complaints(limits, stream)
    if stream.refused:
        refused = f"{stream.refused} of the last images cannot be read: ~/status says why"
        complaints.append((DiagnosticStatus.WARN, refused))
    values = {
        "camera_rate_hz": _number(stream.promised_hz),
        "image_rate_hz": _number(stream.image_hz),
        "missing_rate_hz": _number(stream.missing_hz),
        "image_age_ms": _number(stream.image_age_s, 1e3),
        "images": str(stream.images_in_all),
        "images_refused": str(stream.refused_in_all),
    }
    calm = f"{stream.image_hz:.1f} images a second" if stream.image_hz else "no image yet"
    return _status("camera", calm, complaints, values)


def tracking_status(limits: Health, stream: Stream | None, status: Status) -> DiagnosticStatus:
    """Whether answers are in time. That a target is lost is its business, not the node's health."""
    state = status.state.value
    values = {"state": state, "target_id": status.target_id}
    if stream is None:
        return _status("tracking", state, [], values)
    complaints = [(DiagnosticStatus.OK, state)]
    if stream.is_slower_than_camera:
        slower = "the tracker is slower than the camera and takes the newest image each time"
        complaints.append((DiagnosticStatus.OK, slower))
    if stream.answer_age_s is not None and not _clock_complaints(stream):
        was_old = f"the images are {1e3 * (stream.image_age_s or 0):.0f} ms old when they come"
        age = f"answers are {1e3 * stream.answer_age_s.median:.0f} ms old ({was_old})"
        bounds = (limits.age_warn_s, limits.age_error_s)
        complaints += _above(stream.answer_age_s.median, bounds, age, "health.age")
    if stream.frame_s is not None:
        slow = f"one frame in a hundred takes {1e3 * stream.frame_s.p99:.0f} ms or more"
        bounds = (limits.frame_warn_s, limits.frame_error_s)
        complaints += _above(stream.frame_s.p99, bounds, slow, "health.frame")
    values |= {
        "answer_rate_hz": _number(stream.answer_hz),
        "replaced_rate_hz": _number(stream.replaced_hz),
        "busy_percent": _number(stream.busy_share, 100),
        "answers": str(stream.answers_in_all),
        **_milliseconds("frame", stream.frame_s),
        **_milliseconds("answer_age", stream.answer_age_s),
    }
    return _status("tracking", state, complaints, values)


def learning_status(
    status: Status, statistics: UpdateStatistics, is_learning: bool, memory: Memory
) -> DiagnosticStatus:
    """What became of fits and updates, and the memory that is in use."""
    failure = "" if statistics.failure is None else str(statistics.failure)
    told = f"the last update failed, and the last good model stays: {failure}"
    values = {
        "model_version": str(status.model_version),
        "updates_done": str(statistics.completed),
        "updates_replaced": str(statistics.replaced),
        "updates_failed": str(statistics.failed),
        "last_failure": failure,
        "is_learning": "1" if is_learning else "0",
        "process_mb": _number(memory.process, 1e-6),
        "device_allocated_mb": _number(memory.device_allocated, 1e-6),
        "device_reserved_mb": _number(memory.device_reserved, 1e-6),
        "device_free_mb": _number(memory.device_free, 1e-6),
    }
    complaints = [(DiagnosticStatus.WARN, told)] if statistics.failure is not None else []
    return _status("learning", "learning" if is_learning else "at rest", complaints, values)


def incompatible_qos(topic: str, policy: str, role: str = "subscription") -> str:
    """What it means that a quality of service does not fit, and its remedy.

    Args:
        topic: by its full name.
        policy: that does not fit, by its name in ``rclpy.qos.QoSPolicyKind``.
        role: of this node on that topic, 'publisher' or 'subscription'.
    """
    name = policy.lower()
    weak, strong = WEAK_AND_STRONG.get(name, ("", ""))
    if not weak:
        return f"{name} on {topic} does not fit: compare both ends by 'ros2 topic info -v {topic}'"
    override = f"qos_overrides.{topic}.{role}.{name}"
    if role == "publisher":
        told = f"a subscription of {topic} asks for {strong}, and this node is {weak}"
        return f"{told}: set {override}: {strong} here, or {name} {weak} there"
    told = f"a publisher of {topic} is {weak}, and this node asks for {strong}"
    return f"{told}: set {override}: {weak} here, or {name} {strong} there"


def _clock_complaints(stream: Stream) -> list[Complaint]:
    age_s = stream.image_age_s
    if age_s is None:
        return []
    if not stream.is_stamped:
        told = "all images have the same stamp: ages mean nothing until the driver stamps its images"
    elif age_s < -AHEAD_S:
        told = f"images are stamped {-age_s:.2f} s ahead of the node's clock: {CLOCK_REMEDY}"
    elif age_s > OTHER_CLOCK_S:
        told = f"images are stamped {age_s / 3600:.1f} hours before the node's clock: {CLOCK_REMEDY}"
    else:
        return []
    return [(DiagnosticStatus.WARN, told)]


def _loss_complaints(limits: Health, stream: Stream) -> list[Complaint]:
    share, promised_hz = stream.delivered_share, stream.promised_hz
    if share is None or promised_hz is None or share >= limits.rate_share:
        return []
    source = "health.rate_hz promises" if limits.rate_hz > 0 else "their stamps promise"
    arrive = f"{share:.0%} of the {promised_hz:.1f} images a second that {source} arrive"
    return [(DiagnosticStatus.WARN, f"{arrive}, while the node waits for them; {DDS_REMEDY}")]


def _above(value_s: float, limits_s: tuple[float, float], sentence: str, name: str) -> list[Complaint]:
    """A complaint where a value is above its limits to warn and for an error; ``name`` is theirs."""
    for level, limit_s, end in (
        (DiagnosticStatus.ERROR, limits_s[1], "error"),
        (DiagnosticStatus.WARN, limits_s[0], "warn"),
    ):
        if value_s > limit_s:
            return [(level, f"{sentence}, the limit {name}_{end}_s is {1e3 * limit_s:.0f} ms")]
    return []


def _milliseconds(name: str, spread: Spread | None) -> dict[str, str]:
    median, p99 = (spread.median, spread.p99) if spread is not None else (None, None)
    return {f"{name}_median_ms": _number(median, 1e3), f"{name}_p99_ms": _number(p99, 1e3)}


def _number(value: float | None, scale: float = 1.0) -> str:
    """A plain decimal, or nothing where nothing is known."""
    return "" if value is None else f"{value * scale:.3f}"


def _status(
    name: str, calm: str, complaints: Sequence[Complaint], values: Mapping[str, str], hardware_id: str = ""
) -> DiagnosticStatus:
    """The worst level and all sentences, or ``calm`` where there are none; empty values are left out."""
    return DiagnosticStatus(
        level=max((level for level, _ in complaints), default=DiagnosticStatus.OK),
        name=name,
        message="; ".join(sentence for _, sentence in complaints) or calm,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=value) for key, value in values.items() if value],
    )
