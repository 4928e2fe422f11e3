"""The files that keep what a tracker said, in the layouts of the got10k toolkit.

That toolkit reads what is written here, and its files are read here:

====== ============================== ============================= ====================================
layout boxes, ``x,y,w,h`` a line      seconds a frame               confidence and state, a value a line
====== ============================== ============================= ====================================
otb    ``TRACKER/SEQ.txt``            ``TRACKER/times/SEQ_time.txt`` ``TRACKER/properties/SEQ_*.value``
got10k ``TRACKER/SEQ/SEQ_001.txt``    ``TRACKER/SEQ/SEQ_time.txt``   ``TRACKER/SEQ/SEQ_001_*.value``
====== ============================== ============================= ====================================

``*.value`` is how the VOT toolkit keeps properties. A ``*_run.json`` says what a result was made with; one
made with something else is made again, one of another tool has none and is taken as it is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SourceError
from .records import Record
from .sequences import Sequence

REPEATING = {"got10k", "vot"}  # formats whose tools number the repetitions of a sequence


@dataclass(frozen=True)
class Place:
    """Where the files of one run lie.

    Attributes:
        boxes: the file whose presence says that the run is complete: it is written last.
        times: seconds; with ``column`` of several repetitions, or alone.
        stem: of ``STEM_confidence.value``, ``STEM_tracked.value`` and ``STEM_run.json``.
    """

    boxes: Path
    times: Path
    stem: Path
    column: int | None = None

    def beside(self, what: str) -> Path:
        """A property's file."""
        return self.stem.with_name(f"{self.stem.name}_{what}")


def tracker_folder(tracker: str) -> str:
    """The name of a tracker's folder: what a file system may refuse becomes ``_``."""
    return re.sub(r"[^\w.=+ -]", "_", tracker)


def place(root: Path, format_: str, tracker: str, sequence: str, seed: int) -> Place:
    """The files of one run.

    Args:
        root: folder of the dataset's results.
        format_: of the dataset; it decides the layout.
        tracker: any name, see :func:`tracker_folder`.
        sequence: name.
        seed: in the got10k layout a repetition, in the otb layout a folder ``TRACKER-seedN`` from 1 on.
    """
    folder = root / tracker_folder(tracker)
    if format_ in REPEATING:
        stem = folder / sequence / f"{sequence}_{seed + 1:03d}"
        return Place(
            stem.with_name(f"{stem.name}.txt"), folder / sequence / f"{sequence}_time.txt", stem, seed
        )
    if seed:
        folder = folder.with_name(f"{folder.name}-seed{seed}")
    times = folder / "times" / f"{sequence}_time.txt"
    return Place(folder / f"{sequence}.txt", times, folder / "properties" / sequence)


def write(where: Place, record: Record, identity: Mapping[str, str]) -> None:
    """Keep a record. A cut leaves the run absent, never half of it."""
    for folder in {where.boxes.parent, where.times.parent, where.stem.parent}:
        folder.mkdir(parents=True, exist_ok=True)
    where.boxes.unlink(missing_ok=True)
    np.savetxt(where.times, _with_column(where, record.seconds), fmt="%.8f", delimiter=",")
    np.savetxt(where.beside("tracked.value"), record.tracked, fmt="%d")
    if record.has_confidence:
        np.savetxt(where.beside("confidence.value"), record.confidences, fmt="%.17g")
    else:
        where.beside("confidence.value").unlink(missing_ok=True)
    run = {"identity": dict(identity), "core_share": _or_none(record.core_share)}
    where.beside("run.json").write_text(json.dumps(run, indent=1, sort_keys=True), encoding="utf-8")
    unfinished = where.boxes.with_suffix(".part")
    np.savetxt(unfinished, record.boxes, fmt="%.3f", delimiter=",")
    unfinished.replace(where.boxes)


def read(where: Place, sequence: Sequence, identity: Mapping[str, str] | None) -> Record | None:
    """A kept record, or None when there is none that was made with ``identity`` (None: with whatever).

    Raises:
        SourceError: boxes that are no boxes, or not one a frame.
    """
    if not where.boxes.is_file():
        return None
    run = _run(where.beside("run.json"))
    if identity is not None and (run is None or run.get("identity") != dict(identity)):
        return None
    boxes = numbers(where.boxes)
    if boxes.shape != (len(sequence), 4):
        raise SourceError(
            f"'{where.boxes}' has {boxes.shape[0]} x {boxes.shape[-1]} numbers, "
            f"expected {len(sequence)} x 4: one box x,y,w,h for each frame of '{sequence.name}'"
        )
    share = None if run is None else run.get("core_share")
    return Record(
        boxes=boxes,
        confidences=_values(where.beside("confidence.value"), len(boxes), math.nan),
        tracked=_values(where.beside("tracked.value"), len(boxes), 1.0) > 0,
        seconds=_times(where, len(boxes)),
        core_share=math.nan if share is None else share,
    )


def numbers(path: Path) -> NDArray[np.float64]:
    """(N, M) numbers of a text file, separated by commas, tabs or spaces; ``nan`` is one.

    Raises:
        SourceError: if it cannot be read so.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").replace(",", " ").split("\n")
        rows = [[float(part) for part in line.split()] for line in lines if line.strip()]
        return np.array(rows, np.float64)
    except (OSError, ValueError) as error:
        raise SourceError(f"'{path}' must have one row of numbers a line: {error}") from error


def _with_column(where: Place, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    if where.column is None:
        return seconds[:, None]
    known = numbers(where.times) if where.times.is_file() else np.empty((len(seconds), 0))
    if len(known) != len(seconds):  # of another length of the sequence
        known = np.empty((len(seconds), 0))
    table = np.full((len(seconds), max(known.shape[1], where.column + 1)), np.nan)
    table[:, : known.shape[1]] = known
    table[:, where.column] = seconds
    return table


def _times(where: Place, count: int) -> NDArray[np.float64]:
    if where.times.is_file():
        table, column = numbers(where.times), where.column or 0
        if len(table) == count and table.shape[1] > column:
            return table[:, column]
    return np.full(count, np.nan)


def _values(path: Path, count: int, otherwise: float) -> NDArray[np.float64]:
    """One value a frame; VOT's files have none for the first, in which the tracker was initialised."""
    if not path.is_file():
        return np.full(count, otherwise)
    values = numbers(path).ravel()
    if len(values) == count - 1:
        values = np.concatenate([[otherwise], values])
    if len(values) != count:
        raise SourceError(f"'{path}' has {len(values)} values, expected one for each of {count} frames")
    return values


def _run(path: Path) -> dict[str, Any] | None:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return run if isinstance(run, dict) else None


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
