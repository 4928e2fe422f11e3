"""What one run of the demo does, as the processes share it: a JSON file, and the names of topics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clips import Box, Truth

CAMERA = "/camera/image"
INIT = "/tracker/init"
DETECTION = "/tracker/detection"
DETECTIONS = "/tracker/detections"
DEBUG_IMAGE = "/tracker/debug_image"
ATTENTION_IMAGE = "/tracker/attention_image"
STATUS = "/tracker/status"

FRAME_ID = "camera"


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
        clip: name of the clip.
        credit: line that must stand where its pictures are shown, or empty.
        video: path of its file.
        size: width and height of the pictures that are published.
        box: the target in the first of them, ``x, y, w, h`` in pixels.
        rate_hz: pictures a second.
        seconds: for how long at least the video is played.
        seed: of the tracker.
        device: what the tracker computes on, for people.
        out: folder of all that the run leaves.
        truth: where the target is in each picture of the video, pixels that are published; empty where it
            is not known.
    """

    clip: str
    credit: str
    video: str
    size: tuple[int, int]
    box: Box
    rate_hz: float
    seconds: float
    seed: int
    device: str
    out: str
    truth: Truth = ()

    @property
    def frame_count(self) -> int:
        """Pictures to play."""
        return math.ceil(self.seconds * self.rate_hz)

    @property
    def work(self) -> Path:
        """Folder of what moves between the processes."""
        return Path(self.out) / "work"

    @property
    def player_lines(self) -> Path:
        """What the player did, a JSON object a line."""
        return self.work / "player.jsonl"

    @property
    def recorder_lines(self) -> Path:
        """What the recorder heard, a JSON object a line."""
        return self.work / "recorder.jsonl"

    @property
    def bag(self) -> Path:
        """The bag that stays: everything but the camera's and the debug images."""
        return Path(self.out) / "bag"

    @property
    def pictures_bag(self) -> Path:
        """A bag with the debug images, removed when the video is written."""
        return self.work / "debug_images"

    def save(self) -> Path:
        """Write the plan where the other processes are told to read it."""
        path = self.work / "plan.json"
        path.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        return path


def load_plan(path: str) -> Plan:
    """The plan that another process has saved."""
    values = json.loads(Path(path).read_text(encoding="utf-8"))
    truth = tuple(box and tuple(box) for box in values["truth"])
    return Plan(**values | {"size": tuple(values["size"]), "box": tuple(values["box"]), "truth": truth})


class LineWriter:
    """Appends JSON objects to a file, each readable by others at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)

    def write(self, **values: Any) -> None:
        """Append one object."""
        self._file.write(json.dumps(values) + "\n")


class LineReader:
    """Reads a growing file of JSON objects; it need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def new(self) -> Iterator[dict[str, Any]]:
        """The objects that were completed since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)
