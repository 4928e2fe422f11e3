"""What an init costs the stream: the image callback while a target is learned, and when the answers begin.

``.venv/bin/python bench/init_latency.py [--size 640x480] [--rate 30] [--inits 5] [--age 1.5]``

The real node in this process, a camera in another one. Every init is stamped ``--age`` seconds back. For each
it prints the image callbacks from the request to the first answer (median and longest), how long that
took, and the age of that answer. Needs the extra ``ros``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import Annotated

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "77")
os.environ.setdefault(
    "FASTDDS_DEFAULT_PROFILES_FILE", str(Path(__file__).parents[1] / "config" / "fastdds.xml")
)

import cv2
import numpy as np
import rclpy
import typer
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2D

SIDE_PX = 80


def picture(background: np.ndarray, target: np.ndarray, seconds: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The target on its ellipse, one round in eight seconds."""
    height, width = background.shape[:2]
    angle = 2 * np.pi * seconds / 8
    x = round((width - SIDE_PX) * (0.5 + 0.3 * np.cos(angle)))
    y = round((height - SIDE_PX) * (0.5 + 0.3 * np.sin(angle)))
    image = background.copy()
    image[y : y + SIDE_PX, x : x + SIDE_PX] = target
    return image, (x, y)


def textures(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    coarse = generator.integers(40, 160, (height // 12, width // 12, 3), np.uint8)
    fine = generator.integers(90, 255, (SIDE_PX // 8, SIDE_PX // 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height)), cv2.resize(fine, (SIDE_PX, SIDE_PX))


def camera(width: int, height: int, rate_hz: float) -> None:
    rclpy.init()
    node = rclpy.create_node("camera")
    publisher = node.create_publisher(Image, "/camera/image", qos_profile_sensor_data)
    background, target = textures(width, height)
    due_s = time.time()
    while rclpy.ok():
        image, _ = picture(background, target, due_s)
        data = array("B")
        data.frombytes(image.tobytes())
        msg = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=data)
        msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(round(due_s * 1e9), 10**9)
        publisher.publish(msg)
        due_s += 1 / rate_hz
        time.sleep(max(0.0, due_s - time.time()))


def request(name: str, stamp_s: float, width: int, height: int) -> Detection2D:
    _, (x, y) = picture(np.zeros((height, width, 3), np.uint8), np.zeros((SIDE_PX, SIDE_PX, 3)), stamp_s)
    msg = Detection2D(id=name)
    msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(round(stamp_s * 1e9), 10**9)
    msg.bbox.center.position.x, msg.bbox.center.position.y = x + SIDE_PX / 2, y + SIDE_PX / 2
    msg.bbox.size_x = msg.bbox.size_y = float(SIDE_PX)
    return msg


def measured(inits: int, age_s: float, width: int, height: int) -> None:
    from recip_tracker_ros.node import TrackerNode  # noqa: PLC0415 - after the arguments are read

    rclpy.init(args=["--ros-args", "-r", "image:=/camera/image"])
    callbacks: list[tuple[float, float]] = []
    answers: list[tuple[float, int]] = []

    class Timed(TrackerNode):
        def _on_image(self, msg: Image) -> None:
            began = time.perf_counter()
            super()._on_image(msg)
            callbacks.append((began, time.perf_counter() - began))

    def answers_of(msg: Detection2D) -> None:
        if msg.id == wanted:
            answers.append((time.time(), msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec))

    wanted = ""
    node, peer = Timed(), rclpy.create_node("operator")
    peer.create_subscription(
        Detection2D,
        "/tracker/detection",
        answers_of,
        10,
    )
    publisher = peer.create_publisher(Detection2D, "/tracker/init", 10)
    executor = SingleThreadedExecutor()
    for one in (node, peer):
        executor.add_node(one)
    node.trigger_configure()
    node.trigger_activate()

    def spin(until) -> None:
        end = time.time() + 30
        while not until() and time.time() < end:
            executor.spin_once(timeout_sec=0.1)

    spin(lambda: callbacks and time.perf_counter() - callbacks[0][0] > age_s + 1)
    print("init  callbacks  median ms  longest ms  first answer after s  its age ms")
    for index in range(inits):
        del callbacks[:], answers[:]
        sent_s = time.time()
        wanted = f"target {index}"
        publisher.publish(request(wanted, sent_s - age_s - 0.1, width, height))
        began = time.perf_counter()
        spin(lambda: answers)
        told_s, stamp = answers[0]
        during = [1e3 * busy for at, busy in callbacks if at >= began][:-1] or [0.0]
        # The answer itself comes in a callback or right after one: the last one is left out.
        print(
            f"{index:4}  {len(during):9}  {statistics.median(during):9.2f}  {max(during):10.2f}"
            f"  {told_s - sent_s:20.2f}  {1e3 * (told_s - stamp / 1e9):10.0f}"
        )
        spin(lambda: len(answers) > 30)
    node.close()
    rclpy.try_shutdown()


def main(
    size: Annotated[str, typer.Option(help="Of the images, WIDTHxHEIGHT.")] = "640x480",
    rate: Annotated[float, typer.Option(min=1, help="Images a second.")] = 30.0,
    inits: Annotated[int, typer.Option(min=1)] = 5,
    age: Annotated[float, typer.Option(min=0, max=2.5, help="Of the frame that is meant, seconds.")] = 0.0,
    is_camera: Annotated[bool, typer.Option("--camera", hidden=True)] = False,
) -> None:
    """Print image callbacks while a target is learned, and when its answers begin."""
    width, height = map(int, size.split("x"))
    if is_camera:
        camera(width, height, rate)
        return
    process = subprocess.Popen([sys.executable, __file__, "--camera", "--size", size, "--rate", str(rate)])
    try:
        measured(inits, age, width, height)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    typer.run(main)
