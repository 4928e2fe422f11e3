"""Between messages and the values of the core. Pure functions; no node in sight.

``sensor_msgs/Image`` rows may be padded (``step``). ``vision_msgs/Detection2D`` boxes have their centre
and size in pixels; the centre is taken in the core's convention (half-open: x + w / 2).
"""

from __future__ import annotations

import importlib
import math
import os
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from recip_tracker_core.compressed_images import rgb_from_compressed
from recip_tracker_core.depth_images import depth_from_buffer
from recip_tracker_core.errors import BoxError
from recip_tracker_core.images import check_layout, rgb_from_buffer, to_rgb
from recip_tracker_core.types import BoundingBox, Frame, TrackResult, TrackStatus

from .state import State, Status

# The numpy major version that apt's cv_bridge was built for. Under another one it imports, and may
# then kill the process; no check at run time can catch that.
CV_BRIDGE_NUMPY = {"jazzy": 1, "kilted": 1, "lyrical": 2}


def load_bridge() -> Any | None:
    """``cv_bridge.CvBridge()`` where it can be used safely, else None: then buffers are read here."""
    if CV_BRIDGE_NUMPY.get(os.environ.get("ROS_DISTRO", "")) != int(np.__version__.partition(".")[0]):
        return None
    try:
        return importlib.import_module("cv_bridge").CvBridge()
    except Exception:  # built for other libraries than those at hand, it may raise anything
        return None


def stamp_ns(header: Header) -> int:
    """A header's stamp, nanoseconds."""
    return int(header.stamp.sec * 1_000_000_000 + header.stamp.nanosec)


def to_frame(msg: Image | CompressedImage, index: int, bridge: Any | None = None) -> Frame:
    """An image message as a frame; no copy where the encoding is rgb8.

    Args:
        index: position in the stream.
        bridge: see :func:`load_bridge`; only ever asked for ``passthrough``, and never for compressed images.

    Raises:
        FrameError: unknown encoding, empty image, a buffer that does not fit them, or what cannot be decoded.
    """
    if isinstance(msg, CompressedImage):
        rgb = rgb_from_compressed(msg.data, msg.format)
    elif (samples := _passed_through(msg, bridge)) is not None:
        rgb = to_rgb(samples, msg.encoding)
    else:
        rgb = rgb_from_buffer(*_layout(msg))
    return Frame(rgb, stamp_ns(msg.header), index)


def to_depth(msg: Image) -> tuple[NDArray[np.float32], int]:
    """A depth image: (H, W) metres, NaN where there is none, and its stamp, nanoseconds.

    Raises:
        FrameError: an encoding that is not depth, an empty image, or a buffer that does not fit them.
    """
    return depth_from_buffer(*_layout(msg)), stamp_ns(msg.header)


def _layout(msg: Image) -> tuple[Any, int, int, str, int, bool]:
    return msg.data, msg.height, msg.width, msg.encoding, msg.step, bool(msg.is_bigendian)


def _passed_through(msg: Image, bridge: Any | None) -> NDArray[Any] | None:
    """(H, W, channels) samples as cv_bridge hands them on, or None where it cannot.

    Raises:
        FrameError: for what no reader can read.
    """
    if bridge is None:
        return None
    kind = check_layout(msg.height, msg.width, msg.encoding, msg.step, len(msg.data))
    if msg.step % kind.pixel_bytes:  # it takes a row for whole pixels and shears the image
        return None
    try:
        given = np.asarray(bridge.imgmsg_to_cv2(msg, "passthrough"))
        samples = given.reshape(msg.height, msg.width, kind.channels)
        return samples.astype(kind.sample, casting="equiv", copy=False)  # of either byte order
    except Exception:  # an encoding newer than it is, or what numpy 2 took away; it may raise anything
        return None


def to_image(rgb: NDArray[np.uint8], header: Header) -> Image:
    """(H, W, 3) RGB as an ``rgb8`` message."""
    height, width, channels = rgb.shape
    data = array("B")  # the one type that the message takes without converting every element
    data.frombytes(np.ascontiguousarray(rgb).reshape(-1).data)
    return Image(header=header, height=height, width=width, encoding="rgb8", step=width * channels, data=data)


def to_box(msg: Detection2D) -> BoundingBox:
    """The box of a detection.

    Raises:
        BoxError: if it is not finite, has no area, or is turned.
    """
    center, theta = msg.bbox.center.position, msg.bbox.center.theta
    if not (math.isfinite(theta) and abs(theta) < 1e-6):
        raise BoxError(f"a box must not be turned, got theta {theta:g} rad, expected 0")
    width, height = msg.bbox.size_x, msg.bbox.size_y
    return BoundingBox(center.x - width / 2, center.y - height / 2, width, height)


def to_detection(result: TrackResult, header: Header, target_id: str, class_id: str) -> Detection2D:
    """A result as a detection; the score is the confidence."""
    detection = Detection2D(header=header, id=target_id)
    # float(): an int in a float64 field aborts the process inside rclpy
    detection.bbox.center.position.x, detection.bbox.center.position.y = map(float, result.box.center)
    detection.bbox.size_x, detection.bbox.size_y = float(result.box.w), float(result.box.h)
    # What it is, best first; and, with no score at all, in what state it is: a detection has no other field.
    for name, score in ((class_id, result.confidence), (f"state:{State.of(result.status).value}", 0.0)):
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = name, float(score)
        detection.results.append(hypothesis)
    return detection


def to_detections(header: Header, answers: Sequence[tuple[Detection2D, TrackResult]]) -> Detection2DArray:
    """The detections of a frame: one for each target that isn't lost."""
    found = [detection for detection, result in answers if result.status is not TrackStatus.LOST]
    return Detection2DArray(header=header, detections=found)


LEVELS = {
    State.UNCERTAIN: DiagnosticStatus.WARN,
    State.LOST: DiagnosticStatus.WARN,
    State.REFUSED: DiagnosticStatus.ERROR,
}


def to_status_message(status: Status, name: str) -> DiagnosticStatus:
    """The node's state as a diagnostic: ``message`` is the state, the values say why and since when."""
    values = {
        "reason": status.reason,
        "id": status.target_id,
        "model_version": str(status.model_version),
        "updates": str(status.updates),
        "frozen": str(status.is_frozen).lower(),
        "targets": ", ".join(status.targets),
        "stamp": f"{status.stamp_ns // 1_000_000_000}.{status.stamp_ns % 1_000_000_000:09d}",
    }
    return DiagnosticStatus(
        level=LEVELS.get(status.state, DiagnosticStatus.OK),
        name=name,
        message=status.state.value,
        hardware_id=status.target_id,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
