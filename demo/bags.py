"""ROS 2 bags by rosbags, with the message definitions that are installed beside the messages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plan import ATTENTION_IMAGE, DEBUG_IMAGE, DETECTION, DETECTIONS, INIT, STATUS
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.interfaces.typing import Typesdict
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

TYPES = {
    INIT: "vision_msgs/msg/Detection2D",
    DETECTION: "vision_msgs/msg/Detection2D",
    DETECTIONS: "vision_msgs/msg/Detection2DArray",
    STATUS: "diagnostic_msgs/msg/DiagnosticStatus",
    ATTENTION_IMAGE: "sensor_msgs/msg/Image",
    DEBUG_IMAGE: "sensor_msgs/msg/Image",
}
DEFINED_BESIDE = ("diagnostic_msgs", "vision_msgs")
FOREVER = QosTime(2147483647, 4294967295)


def share_folder(package: str) -> Path | None:
    """``share/PACKAGE`` of the ROS installation or of this Python environment, whichever has it."""
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    folders = [Path(prefix) / "share" / package for prefix in prefixes if prefix]
    return next((folder for folder in folders if folder.is_dir()), None)


def installed_types() -> Typestore:
    """The types that rosbags knows, and those whose ``.msg`` files are installed here.

    Raises:
        FileNotFoundError: if a message package is not installed.
    """
    store = get_typestore(Stores.LATEST)
    for package in DEFINED_BESIDE:
        folder = share_folder(package)
        if folder is None:
            raise FileNotFoundError(f"share/{package} is in neither AMENT_PREFIX_PATH nor {sys.prefix}")
        types: Typesdict = {}
        for file in sorted((folder / "msg").glob("*.msg")):
            types |= get_types_from_msg(file.read_text(encoding="utf-8"), f"{package}/msg/{file.stem}")
        store.register(types)
    return store


class BagWriter:
    """A bag of serialised messages as they came off the wire.

    Args:
        path: of the folder, which must not exist.
        topics: that will be in it, of those in ``TYPES``.
        types: with their definitions, so that the bag is readable where they are not installed.
    """

    def __init__(self, path: Path, topics: tuple[str, ...], types: Typestore) -> None:
        self._writer = Writer(path, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._connections: dict[str, Connection] = {
            topic: self._writer.add_connection(
                topic, TYPES[topic], typestore=types, offered_qos_profiles=[_reliable(topic == STATUS)]
            )
            for topic in topics
        }

    def write(self, topic: str, arrival_ns: int, raw: bytes) -> None:
        """Append one message."""
        self._writer.write(self._connections[topic], arrival_ns, raw)

    def close(self) -> None:
        """Complete the bag; before this it cannot be read."""
        self._writer.close()


def pixels(message: object) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of a deserialised ``rgb8`` image without padding."""
    height, width = message.height, message.width  # type: ignore[attr-defined]
    return np.asarray(message.data, np.uint8).reshape(height, width, 3)  # type: ignore[attr-defined]


def stamp_ns(message: object) -> int:
    """The header's stamp of a deserialised message."""
    stamp = message.header.stamp  # type: ignore[attr-defined]
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _reliable(is_latched: bool) -> Qos:
    durability = QosDurability.TRANSIENT_LOCAL if is_latched else QosDurability.VOLATILE
    depth = 1 if is_latched else 10
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        FOREVER,
        FOREVER,
        QosLiveliness.AUTOMATIC,
        FOREVER,
        False,
    )
