"""Frames from files: a video, a folder of images, or a ROS bag, read offline with no frame dropped.

Used by the command line only: PyAV and rosbags come with its extra.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from .compressed_images import decoded, rgb_from_compressed
from .errors import FrameError, SourceError
from .images import IMAGE_SUFFIXES, Pixels, image_files, rgb_from_buffer, to_rgb
from .types import Frame

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
FOLDER_RATE_HZ = 30.0  # a folder does not say


@dataclass(frozen=True)
class Source:
    """A finite stream of frames.

    Attributes:
        frames: in order; read once.
        count: how many there are, or None where the file does not say.
        rate_hz: frames a second when it was taken.
    """

    frames: Iterator[Frame]
    count: int | None
    rate_hz: float


def open_source(path: Path, topic: str | None = None) -> Source:
    """The frames of a video file, a folder of images, or a ROS bag.

    Args:
        path: the file or folder; a folder with ``metadata.yaml``, or a ``.mcap`` or ``.bag`` file, is a bag.
        topic: of the bag; may be left out where the bag has one image topic.

    Raises:
        SourceError: if it is absent or nothing of the kind.
    """
    if not path.exists():
        raise SourceError(f"'{path}' does not exist")
    is_bag = (path.is_dir() and (path / "metadata.yaml").exists()) or path.suffix in {".mcap", ".bag", ".db3"}
    if topic is not None and not is_bag:
        raise SourceError(f"a topic ('{topic}') goes with a ROS bag, which '{path}' is not")
    if is_bag:
        return _open_bag(path, topic)
    return _open_folder(path) if path.is_dir() else _open_video(path)


def _open_video(path: Path) -> Source:
    try:
        container = av.open(str(path))
        stream = container.streams.video[0]
    except (av.FFmpegError, IndexError) as error:
        raise SourceError(f"'{path}' is no video that can be read: {error}") from error

    def frames() -> Iterator[Frame]:
        with container:
            for index, picture in enumerate(container.decode(stream)):
                stamp_ns = round((picture.time or 0.0) * 1e9)
                yield Frame(picture.to_ndarray(format="rgb24"), stamp_ns, index)  # type: ignore[arg-type]

    return Source(frames(), stream.frames or None, float(stream.average_rate or FOLDER_RATE_HZ))


def _open_folder(path: Path) -> Source:
    files = image_files(path)
    if not files:
        raise SourceError(f"the folder '{path}' has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")

    def frames() -> Iterator[Frame]:
        for index, file in enumerate(files):
            stamp_ns = round(index / FOLDER_RATE_HZ * 1e9)
            yield Frame(_from_file(file), stamp_ns, index)

    return Source(frames(), len(files), FOLDER_RATE_HZ)


def _open_bag(path: Path, topic: str | None) -> Source:
    reader = AnyReader([path], default_typestore=get_typestore(Stores.LATEST))
    try:
        reader.open()
    except Exception as error:  # rosbags has many; all mean the same to the user
        raise SourceError(f"'{path}' is no ROS bag that can be read: {error}") from error
    images = [item for item in reader.connections if item.msgtype in IMAGE_TYPES]
    topics = sorted({item.topic for item in images})
    if topic is None and len(topics) == 1:
        topic = topics[0]
    if topic not in topics:
        reader.close()
        raise SourceError(f"topic '{topic}' is not among the image topics of '{path}': {topics}")
    chosen = [item for item in images if item.topic == topic]
    count = sum(item.msgcount for item in chosen)

    def frames() -> Iterator[Frame]:
        with contextlib.closing(reader):
            for index, (item, stamp_ns, raw) in enumerate(reader.messages(chosen)):
                yield Frame(
                    _from_message(reader.deserialize(raw, item.msgtype), item.msgtype), stamp_ns, index
                )

    duration_s = (reader.end_time - reader.start_time) * 1e-9
    return Source(frames(), count, count / duration_s if count > 1 and duration_s > 0 else FOLDER_RATE_HZ)


def _from_message(message: Any, kind: str) -> Pixels:
    if kind.endswith("CompressedImage"):
        return rgb_from_compressed(message.data, message.format)
    layout = message.height, message.width, message.encoding, message.step, bool(message.is_bigendian)
    return rgb_from_buffer(message.data, *layout)


def _from_file(file: Path) -> Pixels:
    try:  # in colour, which turns a photograph upright
        return to_rgb(decoded(np.fromfile(file, np.uint8), f"'{file}'", cv2.IMREAD_COLOR), "bgr8")
    except FrameError as error:
        raise SourceError(str(error)) from error
