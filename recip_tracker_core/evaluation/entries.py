"""The entry list: what a user calls a tracker, and what a result of it depends on."""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from ..build import build_tracker
from ..config import TrackerConfig
from ..errors import ConfigError
from ..parameter_files import read_config
from ..parameters import describe
from ..parameters import replaced as with_values
from ..presets import preset
from .contestants import NANOTRACK_FILES, OPENCV, Contestant, NullTracker, OpenCvTracker, RecipTracker
from .result_files import tracker_folder

CORE = Path(__file__).resolve().parents[1]
# Modules of the evaluation that a box depends on.
DECIDING = ("contestants", "doubles", "edits", "entries", "running", "sequences")
SEEDED = {"recip", "mil"}  # MIL draws by the time of day: its runs differ, and none can be made again
KINDS = ("recip", *OPENCV, "null")


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


def entries(texts: list[str], nanotrack: Path | None, finds_results: Callable[[str], bool]) -> list[Entry]:
    """The trackers that a user named.

    Args:
        texts: ``recip``, ``csrt``, ``recip:update.interval=5:device=cuda``, ... ; of a parameter's name its
            end is enough where it is the only one (``recip:updater=inline``); ``recip:config=FILE`` reads a
            parameter file, ``recip:preset=paper`` takes a preset.
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
    sources = [part for part in assignments if part.startswith(("config=", "preset="))]
    if len(sources) > 1:
        raise ConfigError(f"'{text}' names {len(sources)} presets or parameter files, expected one")
    given = [_full(part) for part in assignments if part not in sources]
    for name in (part.removeprefix("preset=") for part in sources if part.startswith("preset=")):
        preset(name)  # a file is named by config=
    config = read_config(sources[0].partition("=")[2] if sources else None, given, None, None)
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
    running = [CORE / "evaluation" / f"{name}.py" for name in DECIDING]
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
