"""What an operator may ask for: a box, or a point that is to be grown into one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D

from recip_tracker_core.errors import BoxError
from recip_tracker_core.pointing import pointed_box
from recip_tracker_core.tracker import visible_target
from recip_tracker_core.types import BoundingBox, Frame

from . import conversions

DEFAULT_CLASS = "target"


@dataclass(frozen=True, eq=False, slots=True)
class Choice:
    """What a request means on an image.

    Attributes:
        box: the target, image pixels.
        note: how it came about, where it is not just what was asked.
        mask: (H, W) which pixels a point was grown to, or None.
    """

    box: BoundingBox
    note: str = ""
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A target that is asked for.

    Attributes:
        asked: its box, or a point in it, pixels.
        stamp_ns: of the image that it was seen on; 0 means the newest.
        frame_id: of the camera; empty means whatever camera there is.
        target_id, class_id: that its detections are to have; an empty id asks for a new one.
        click_size_px: side of the box around a point; 0 grows it.
    """

    asked: BoundingBox | tuple[float, float]
    stamp_ns: int = 0
    frame_id: str = ""
    target_id: str = ""
    class_id: str = DEFAULT_CLASS
    click_size_px: float = 0.0

    @staticmethod
    def of_detection(msg: Detection2D) -> Request:
        """A box, by ``~/init``.

        Raises:
            BoxError: if it is not finite, has no area, or is turned.
        """
        classes = [item.hypothesis.class_id for item in msg.results if item.hypothesis.class_id]
        return Request(
            conversions.to_box(msg),
            conversions.stamp_ns(msg.header),
            msg.header.frame_id,
            msg.id,
            classes[0] if classes else DEFAULT_CLASS,
        )

    @staticmethod
    def of_point(point: Point, header: Header | None, click_size_px: float) -> Request:
        """A point, by ``~/init_click`` or, with a header, ``~/init_point``.

        Raises:
            BoxError: if it is not finite.
        """
        if not (math.isfinite(point.x) and math.isfinite(point.y)):
            raise BoxError(f"a point must be finite, got {point.x:g},{point.y:g}")
        header = header or Header()
        return Request(
            (point.x, point.y),
            conversions.stamp_ns(header),
            header.frame_id,
            click_size_px=click_size_px,
        )

    def check(self, frame: Frame, frame_id: str) -> None:
        """Whether it can be asked for on an image of that camera, whose name may be empty.

        Raises:
            BoxError: if it is for another camera, outside of the image, or too small.
        """
        if self.frame_id and frame_id and self.frame_id != frame_id:
            raise BoxError(f"its frame_id is '{self.frame_id}', the camera's is '{frame_id}'")
        if isinstance(self.asked, BoundingBox):
            visible_target(self.asked, frame)
            return
        x, y = self.asked
        if not (0 <= x < frame.width and 0 <= y < frame.height):
            size = f"{frame.width} x {frame.height}"
            raise BoxError(f"the point {x:g},{y:g} is not in the image, which is {size}")

    def chosen(self, frame: Frame) -> Choice:
        """What it means on an image.

        Raises:
            BoxError: if that is nothing.
        """
        if not isinstance(self.asked, BoundingBox):
            pointed = pointed_box(frame.image, *self.asked, self.click_size_px)
            how = "grown around the point" if pointed.is_grown else "a square around the point"
            return Choice(pointed.box, how, pointed.mask)
        box = self.asked.clipped(frame.width, frame.height)
        return Choice(box, "" if box == self.asked else "clipped to the image")
