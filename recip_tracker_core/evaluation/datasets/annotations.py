"""The text files beside a clip's images: boxes, and numbers that say more of a frame."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import SourceError
from ..sequences import Truth

Row = tuple[float, ...]
ABSENT: Row = (math.nan,) * 4


def read_lines(file: Path) -> list[str]:
    """The lines that are not blank.

    Raises:
        SourceError: if the file is absent or cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise SourceError(f"'{file}' cannot be read: {error.strerror}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_boxes(file: Path) -> Truth:
    """(N, 4) from lines ``x,y,w,h``, parted by commas or blanks; a line with nan says absent.

    The boxes are taken as they are: those of benchmarks made in MATLAB count pixels from 1, and the
    benchmarks' tools hand them to trackers so.

    Raises:
        SourceError: if the file is absent, empty, or has another line.
    """
    return parse_truth(read_lines(file), file, _rectangle)


def parse_truth(lines: Iterable[str], file: Path, region: Callable[[Row], Row]) -> Truth:
    """(N, 4) from one line a frame.

    Args:
        file: that the lines are from, for the error.
        region: the box of a line's numbers, none of which is nan; a ValueError says what was expected.

    Raises:
        SourceError: if there are no lines, or one is no region.
    """
    rows = [_box(line, file, region) for line in lines]
    if not rows:
        raise SourceError(f"'{file}' is empty, expected the target's box in each frame")
    return np.array(rows, np.float64)


def _box(line: str, file: Path, region: Callable[[Row], Row]) -> Row:
    numbers = _numbers(line, file)
    if any(map(math.isnan, numbers)):
        return ABSENT
    try:
        return region(numbers)
    except ValueError as error:
        raise SourceError(f"'{file}' has the line '{line:.60}', expected {error}") from error


def _rectangle(numbers: Row) -> Row:
    if len(numbers) != 4:
        raise ValueError("x,y,w,h")
    return numbers


def read_numbers(file: Path, count: int) -> NDArray[np.float64]:
    """(count,), one a frame, in a row or a column.

    Raises:
        SourceError: if the file is absent, or holds something else.
    """
    values = [value for line in read_lines(file) for value in _numbers(line, file)]
    if len(values) != count:
        raise SourceError(f"'{file}' has {len(values)} numbers, expected {count}")
    return np.array(values, np.float64)


def _numbers(line: str, file: Path) -> Row:
    try:
        values = tuple(float(item) for item in re.split(r"[,\s]+", line.strip(", \t")))
    except ValueError:
        values = (math.inf,)
    if any(map(math.isinf, values)):
        raise SourceError(f"'{file}' has the line '{line:.60}', expected numbers")
    return values


def without(truth: Truth, absent: NDArray[np.bool_]) -> Truth:
    """The truth with those frames absent, save the first, whose box the tracker is given."""
    later = np.arange(len(truth)) > 0
    return np.where((absent & later)[:, None], np.nan, truth)
