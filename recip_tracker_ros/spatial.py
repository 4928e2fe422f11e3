"""From messages of a camera to directions and points, and back into messages. No node in sight.

A direction is in the optical frame that the image's header names. Where a camera has a rectification
(``R`` of its CameraInfo, stereo cameras), that frame is taken for the rectified one, as image_geometry and
stereo_image_proc do: the raw and the rectified image then give the same direction.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Vector3, Vector3Stamped
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from recip_tracker_core.pinhole import IDENTITY, Camera

from .conversions import stamp_ns, to_depth

Floats = NDArray[np.float64]


def to_camera(info: CameraInfo, *, is_rectified: bool) -> Camera:
    """The camera as it gives its images: ``binning`` and ``roi`` apply, the matrices are before them.

    Args:
        info: with the meaning that the message's definition and REP 104 give it. The rectified image of a
            window is taken for the same window of the rectified picture, which is how image_proc makes it.
        is_rectified: whether the image is: then ``P`` holds, without distortion, else ``K``, ``D`` and ``R``.

    Raises:
        CameraError: for one that is not calibrated, of an unknown distortion model, or no camera at all.
    """
    size = (info.width, info.height)
    if is_rectified:
        camera = Camera.of_matrix(np.reshape(info.p, (3, 4)), size)
    else:
        rotation = tuple(map(float, info.r)) if np.any(info.r) else IDENTITY
        distortion = tuple(map(float, info.d))
        camera = Camera.of_matrix(
            np.reshape(info.k, (3, 3)), size, info.distortion_model, distortion, rotation
        )
    roi = info.roi
    width = roi.width or info.width - roi.x_offset  # 0 means all there is
    height = roi.height or info.height - roi.y_offset
    bins = (max(info.binning_x, 1), max(info.binning_y, 1))
    return camera.windowed(roi.x_offset, roi.y_offset, width, height, bins)


class DepthRing:
    """The last depth images as they came; only the one that is asked for is decoded.

    Args:
        capacity: how many are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._messages: deque[Image] = deque(maxlen=capacity)

    def add(self, msg: Image) -> None:
        """Keep one more; the oldest goes."""
        self._messages.append(msg)

    def nearest(self, stamp: int, tolerance_ns: int) -> NDArray[np.float32] | None:
        """(H, W) metres, NaN where there is none, of the image taken nearest to a stamp in nanoseconds.

        Returns:
            None where none was taken within the tolerance, before or after.

        Raises:
            FrameError: if that image cannot be decoded.
        """
        apart = [abs(stamp_ns(msg.header) - stamp) for msg in self._messages]
        if not apart or min(apart) > tolerance_ns:
            return None
        depth, _ = to_depth(self._messages[apart.index(min(apart))])
        return depth


def to_bearing(ray: Floats, header: Header) -> Vector3Stamped:
    """A direction (3,) as a message."""
    x, y, z = map(float, ray)  # anything else in a float64 field aborts the process inside rclpy
    return Vector3Stamped(header=header, vector=Vector3(x=x, y=y, z=z))


def to_pose(point: Floats, header: Header) -> PoseStamped:
    """A point (3,), metres, as a pose that is not turned."""
    x, y, z = map(float, point)
    pose = Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=0.0, y=0.0, z=0.0, w=1.0))
    return PoseStamped(header=header, pose=pose)
