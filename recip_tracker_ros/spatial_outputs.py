"""Where the target is, seen from the robot: ``~/bearing`` and ``~/target_pose``."""

from __future__ import annotations

import time

import numpy as np
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from recip_tracker_core.config import NodeConfig
from recip_tracker_core.errors import RecipTrackerError
from recip_tracker_core.pinhole import Camera, point_on
from recip_tracker_core.ranging import NoRange, Range, scaled, target_range
from recip_tracker_core.types import TrackResult, TrackStatus

from .connections import advertised, newest, reliable, subscribed
from .frame_buffer import Recent
from .spatial import DepthRing, to_bearing, to_camera, to_pose
from .targets import Target

DEPTH_IMAGES = 5  # that are kept; a depth camera's come a little after or before the images

WARNED_EVERY_S = 10.0


class SpatialOutputs:
    """Ray and point of each frame in which the target is followed, as far as the camera is known.

    Args:
        node: that has the topics.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._bearing = advertised(node, Vector3Stamped, "~/bearing", reliable(10))
        self._pose = advertised(node, PoseStamped, "~/target_pose", reliable(1))
        self._info: CameraInfo | None = None
        self._camera: tuple[CameraInfo, bool, Camera] | None = None
        self._depth = DepthRing(DEPTH_IMAGES)
        self._warned_s = float("-inf")
        self._inputs = [
            subscribed(node, CameraInfo, "camera_info", newest(), self._on_info),
            subscribed(node, Image, "depth", newest(DEPTH_IMAGES), self._depth.add),
        ]

    def publish(self, recent: Recent, result: TrackResult, target: Target, own: NodeConfig) -> None:
        """The target's direction, and its place where somebody wants it and a depth image is there."""
        if result.status is TrackStatus.LOST or self._info is None:
            return
        try:
            self._publish(recent, result, target, own)
        except RecipTrackerError as error:  # of camera or depth: the box is right all the same
            self._warn(f"no bearing or pose: {error}")

    def destroy(self) -> None:
        """Remove the topics."""
        for subscription in self._inputs:
            self._node.destroy_subscription(subscription)
        for publisher in (self._bearing, self._pose):
            self._node.destroy_lifecycle_publisher(publisher)

    def _on_info(self, msg: CameraInfo) -> None:
        self._info = msg

    def _publish(self, recent: Recent, result: TrackResult, target: Target, own: NodeConfig) -> None:
        frame, box = recent.frame, result.box
        ray = self._present_camera(own.image_is_rectified).ray(*box.center, (frame.width, frame.height))
        self._bearing.publish(to_bearing(ray, recent.header))
        if self._pose.get_subscription_count() == 0:
            return
        depth = self._depth.nearest(recent.stamp_ns, round(own.depth.tolerance_s * 1e9))
        if depth is None:
            return
        found = self._range(depth, recent, result, target)
        if isinstance(found, Range):
            self._pose.publish(to_pose(point_on(ray, found.z_m), recent.header))
        else:
            self._warn(f"no pose: {found.reason}")

    def _warn(self, text: str) -> None:
        now_s = time.monotonic()
        if now_s - self._warned_s > WARNED_EVERY_S:  # asked here: rclpy's own way takes half a millisecond
            self._warned_s = now_s
            self._node.get_logger().warning(text)

    def _present_camera(self, is_rectified: bool) -> Camera:
        """The camera that the last message describes; made anew where that has changed."""
        assert self._info is not None
        info, self._info.header = self._info, Header()
        if self._camera is None or self._camera[:2] != (info, is_rectified):
            self._camera = info, is_rectified, to_camera(info, is_rectified=is_rectified)
        return self._camera[2]

    def _range(
        self, depth: NDArray[np.float32], recent: Recent, result: TrackResult, target: Target
    ) -> Range | NoRange:
        frame, box = recent.frame, result.box
        rows, columns = depth.shape
        in_depth = scaled(box, (frame.width, frame.height), (columns, rows))
        return target_range(depth, in_depth, target.tracker.belonging(frame, box))
