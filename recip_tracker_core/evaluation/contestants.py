"""Who is evaluated: our tracker in any configuration, OpenCV's own, and one that never moves."""

from __future__ import annotations

import ast
import contextlib
import difflib
import functools
import hashlib
import math
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch

from ..build import build_tracker
from ..config import TrackerConfig
from ..errors import BoxError, ConfigError
from ..parameter_files import read_config
from ..parameters import describe
from ..parameters import replaced as with_values
from ..tracker import Tracker
from ..types import BoundingBox, Frame, TrackStatus
from .result_files import tracker_folder

CORE = Path(__file__).resolve().parents[1]
NANOTRACK_FILES = ("nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tracker says of a frame.

    Attributes:
        box: where the target is, or was last seen.
        is_tracked: whether it claims to have the target.
        confidence: higher is surer, in the tracker's own unit; NaN where it says none.
    """

    box: BoundingBox
    is_tracked: bool
    confidence: float


class Contestant(Protocol):
    """A tracker as the evaluation sees it: one target, one frame after the other."""

    def init(self, frame: Frame, box: BoundingBox) -> None:
        """Choose the target."""
        ...

    def update(self, frame: Frame) -> Answer:
        """Follow it into the next frame."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@dataclass(frozen=True)
class Entry:
    """A line of the entry list; travels to workers.

    Attributes:
        name: as the user wrote it, for instance ``recip:updater=inline``.
        kind: ``recip``, one of OpenCV's, ``null``, or ``files`` for result files of another tool.
        config: of ``recip``; its seed is the run's.
        chose_updater: whether the user said where learning runs.
        models: folder of NanoTrack's networks.
    """

    name: str
    kind: str
    config: TrackerConfig | None = None
    chose_updater: bool = False
    models: Path | None = None

    @property
    def is_seeded(self) -> bool:
        """Whether another seed gives another result, so that several are worth running."""
        return self.kind in SEEDED

    def identity(self, seed: int, is_realtime: bool) -> dict[str, str]:
        """What a result depends on beside the images; results of another identity are not reused."""
        known = {"tracker": self.kind, "opencv": cv2.__version__, "code": code_checksum(self.kind == "recip")}
        if self.config is not None:
            config = self.configured(seed, is_realtime)
            values = {parameter.name: parameter.value for parameter in describe(config)}
            if config.backbone.weights:
                known["weights"] = file_checksum(Path(config.backbone.weights))
            known |= {"parameters": repr(values), "torch": torch.__version__}
        if self.models is not None:
            known |= {name: file_checksum(self.models / name) for name in NANOTRACK_FILES}
        if is_realtime:
            known["machine"] = platform.node()
        return known

    def configured(self, seed: int, is_realtime: bool) -> TrackerConfig:
        """The configuration of one run: deterministic in its own time, as on a robot in a stream's."""
        assert self.config is not None
        config = with_values(self.config, {"seed": seed})
        if is_realtime and not self.chose_updater:
            config = with_values(config, {"update.updater": "background"})
        return config

    def build(self, seed: int, is_realtime: bool = False) -> Contestant:
        """The tracker itself, in the process that is to run it.

        Raises:
            RecipTrackerError: what building it raises.
        """
        cv2.setNumThreads(1)  # one core each: results and times then say the same on every machine
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # NanoTrack's networks always warn
        if self.kind == "null":
            return NullTracker()
        if self.kind == "recip":
            return RecipTracker(build_tracker(self.configured(seed, is_realtime)))
        return OpenCvTracker(OPENCV[self.kind], self.models)


class RecipTracker:
    """Ours. A box that it refuses, as too small for instance, is one that it does not follow."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._refused: BoundingBox | None = None

    def init(self, frame: Frame, box: BoundingBox) -> None:
        """See :class:`Contestant`."""
        try:
            self._tracker.init(frame, box)
        except BoxError:
            self._refused = box

    def update(self, frame: Frame) -> Answer:
        """See :class:`Contestant`."""
        if self._refused is not None:
            return Answer(self._refused, False, 0.0)
        result = self._tracker.update(frame)
        return Answer(result.box, result.status is TrackStatus.TRACKED, result.confidence)

    def close(self) -> None:
        """See :class:`Contestant`."""
        self._tracker.close()


class OpenCvTracker:
    """A tracker of OpenCV's; its box stays where it was when it says that it failed, or raises.

    Raises:
        ConfigError: if this build of OpenCV has none of that name.
    """

    def __init__(self, name: str, models: Path | None = None) -> None:
        if not hasattr(cv2, f"{name}_create"):
            raise ConfigError(f"OpenCV {cv2.__version__} has no {name}: its contrib build has")
        self._create: Callable[..., Any] = getattr(cv2, f"{name}_create")
        self._has_score = name in SCORED
        self._smallest_px = SMALLEST_PX.get(name, 1)
        self._parameters = () if models is None else (_nanotrack(models),)
        self._tracker: Any = None
        self._box = BoundingBox(0, 0, 1, 1)

    def init(self, frame: Frame, box: BoundingBox) -> None:
        """See :class:`Contestant`. OpenCV takes whole pixels."""
        tracker = self._create(*self._parameters)
        low = np.rint([box.x, box.y]).astype(int)
        size = np.maximum(np.rint([box.w, box.h]), 1).astype(int)
        self._box = box
        if size.min() < self._smallest_px:
            return
        with contextlib.suppress(cv2.error):
            tracker.init(_bgr(frame), tuple(map(int, (*low, *size))))
            self._tracker = tracker

    def update(self, frame: Frame) -> Answer:
        """See :class:`Contestant`."""
        if self._tracker is None:
            return Answer(self._box, False, 0.0 if self._has_score else math.nan)
        try:
            is_tracked, values = self._tracker.update(_bgr(frame))
        except cv2.error:
            is_tracked = False
        if is_tracked:
            try:
                self._box = BoundingBox(*map(float, values))
            except BoxError:  # some answer 0, 0, 0, 0 when they have nothing
                is_tracked = False
        score = float(self._tracker.getTrackingScore()) if self._has_score else math.nan
        return Answer(self._box, bool(is_tracked), score)

    def close(self) -> None:
        """See :class:`Contestant`."""
        self._tracker = None


class NullTracker:
    """Never moves: what a pipeline gives when nothing tracks."""

    def init(self, frame: Frame, box: BoundingBox) -> None:
        """See :class:`Contestant`."""
        self._box = box

    def update(self, frame: Frame) -> Answer:
        """See :class:`Contestant`."""
        return Answer(self._box, True, math.nan)

    def close(self) -> None:
        """See :class:`Contestant`."""


# As cv2 names them; the first two are in its contrib builds only.
OPENCV = {"csrt": "TrackerCSRT", "kcf": "TrackerKCF", "mil": "TrackerMIL", "nanotrack": "TrackerNano"}
SCORED = {"TrackerNano"}  # the others answer -1 whatever they see
SMALLEST_PX = {"TrackerMIL": 4}  # with less a side, its init never returns
SEEDED = {"recip", "mil"}  # MIL draws by the time of day: its runs differ, and none can be made again
KINDS = ("recip", *OPENCV, "null")


def _nanotrack(models: Path) -> Any:
    parameters: Any = getattr(cv2, "TrackerNano_Params")()  # noqa: B009 - the stubs don't know it
    parameters.backbone, parameters.neckhead = (str(models / name) for name in NANOTRACK_FILES)
    return parameters


def entries(texts: list[str], nanotrack: Path | None, finds_results: Callable[[str], bool]) -> list[Entry]:
    """The trackers that a user named.

    Args:
        texts: ``recip``, ``csrt``, ``recip:update.interval=5:device=cuda``, ... ; of a parameter's name its
            end is enough where it is the only one (``recip:updater=inline``); ``recip:config=FILE`` reads a
            parameter file.
        nanotrack: folder with NanoTrack's two networks.
        finds_results: whether result files of a tracker of that name are there.

    Raises:
        ConfigError: no name, or one twice, an unknown tracker or parameter, networks that are absent.
    """
    if not texts:
        raise ConfigError(f"expected trackers, some of {list(KINDS)}, got none")
    for index, text in enumerate(texts):
        same = [other for other in texts[:index] if tracker_folder(other) == tracker_folder(text)]
        if same:
            raise ConfigError(f"trackers '{same[0]}' and '{text}' are the same, or would share their files")
    return [_entry(text, nanotrack, finds_results) for text in texts]


def _entry(text: str, nanotrack: Path | None, finds_results: Callable[[str], bool]) -> Entry:
    kind, *assignments = text.split(":")
    if kind == "recip":
        return _recip(text, assignments)
    if kind in KINDS and assignments:
        raise ConfigError(f"'{kind}' has no parameters, got '{text}'")
    if kind == "nanotrack":
        return Entry(text, kind, models=_checked_models(nanotrack))
    if kind in KINDS:
        return Entry(text, kind)
    if finds_results(text):
        return Entry(text, "files")
    close = difflib.get_close_matches(kind, KINDS, n=1)
    raise ConfigError(
        f"unknown tracker '{text}': expected one of {list(KINDS)}, or a tracker with result files"
        + (f"; did you mean '{close[0]}'?" if close else "")
    )


def _recip(text: str, assignments: list[str]) -> Entry:
    files = [part.removeprefix("config=") for part in assignments if part.startswith("config=")]
    if len(files) > 1:
        raise ConfigError(f"'{text}' names {len(files)} parameter files, expected one")
    given = [_full(part) for part in assignments if not part.startswith("config=")]
    config = read_config(Path(files[0]) if files else None, given, None, None)
    return Entry(text, "recip", config, any(part.startswith("update.updater=") for part in given))


def _full(assignment: str) -> str:
    """An assignment with the parameter's whole name, where its end says which."""
    name, separator, value = assignment.partition("=")
    known = [parameter.name for parameter in describe(TrackerConfig())]
    ends = [other for other in known if other.endswith(f".{name}")]
    if name in known or not ends:
        return assignment
    if len(ends) > 1:
        raise ConfigError(f"'{name}' is the end of several parameters: {ends}")
    return f"{ends[0]}{separator}{value}"


def _checked_models(folder: Path | None) -> Path:
    if folder is None:
        raise ConfigError(f"'nanotrack' needs --nanotrack DIR with {' and '.join(NANOTRACK_FILES)}")
    for name in NANOTRACK_FILES:
        if not (folder / name).is_file():
            raise ConfigError(f"--nanotrack: '{folder / name}' does not exist")
    return folder.resolve()


@functools.cache
def code_checksum(is_ours: bool) -> str:
    """SHA-256 of the code, without comments, that decides a box: of how trackers are run, and of ours."""
    running = [
        CORE / "evaluation" / f"{name}.py" for name in ("contestants", "edits", "running", "sequences")
    ]
    ours = [path for path in sorted(CORE.rglob("*.py")) if "evaluation" not in path.relative_to(CORE).parts]
    digest = hashlib.sha256()
    for path in (*running, *(ours if is_ours else ())):
        digest.update(ast.dump(ast.parse(path.read_bytes())).encode())
    return digest.hexdigest()


@functools.cache
def file_checksum(path: Path) -> str:
    """SHA-256 of a file of weights.

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"weights file '{path}' cannot be read: {error}") from error


def _bgr(frame: Frame) -> Any:
    return cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
