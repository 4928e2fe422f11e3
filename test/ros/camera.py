"""A camera: publishes a clip as a process of its own, told by lines on standard input what to do.

``hold`` (as at the start): the first picture, again and again. ``play``: from the first to the last,
which is then held. ``quiet``: nothing. The end of the input ends it.

The n-th picture of the clip is stamped n * FRAME_NS from one second on, so a stamp tells the picture.
"""

from __future__ import annotations

import sys
import threading
import time
from array import array

import numpy as np
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

RATE_HZ = 10.0
FIRST_STAMP_NS = 1_000_000_000


def main() -> None:
    pictures, frame_ns = np.load(sys.argv[1]), int(sys.argv[2])
    orders = {"current": "hold", "is_open": True}

    def listen() -> None:
        for line in sys.stdin:
            orders["current"] = line.strip()
        orders["is_open"] = False

    threading.Thread(target=listen, daemon=True).start()
    rclpy.init()
    node = rclpy.create_node("camera")
    publisher = node.create_publisher(Image, "/camera/image", qos_profile_sensor_data)
    index = 0
    while orders["is_open"]:
        if orders["current"] == "hold":
            index = 0
        if orders["current"] != "quiet":
            publisher.publish(message(pictures[index], FIRST_STAMP_NS + index * frame_ns))
        if orders["current"] == "play":
            index = min(index + 1, len(pictures) - 1)
        time.sleep(1 / RATE_HZ)
    node.destroy_node()
    rclpy.try_shutdown()


def message(picture: np.ndarray, stamp_ns: int) -> Image:
    height, width, _ = picture.shape
    data = array("B")
    data.frombytes(picture.tobytes())
    msg = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=data)
    msg.header.frame_id = "camera"
    msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    return msg


if __name__ == "__main__":
    main()
