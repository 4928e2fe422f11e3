"""A clip on disk, and how it becomes a sequence: its images by number, each with its truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import SourceError
from ...images import IMAGE_SUFFIXES, image_files
from ..sequences import Sequence, Truth


@dataclass(frozen=True)
class Entry:
    """A sequence that is there, and how to read it."""

    name: str
    read: Callable[[], Sequence]


def subfolders(folder: Path) -> list[Path]:
    """In the order of their names, hidden ones left out."""
    return sorted(item for item in folder.iterdir() if item.is_dir() and not item.name.startswith("."))


def images_in(folder: Path) -> list[Path]:
    """At least one, in the order of their numbers.

    Raises:
        SourceError: if the folder is absent or has no images.
    """
    files = image_files(folder) if folder.is_dir() else []
    if not files:
        raise SourceError(f"'{folder}' is absent or has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return files


def numbered(files: Iterable[Path], first: int, last: int) -> list[Path]:
    """Those whose number, the last in their names, is in the range, both ends included."""

    def number(file: Path) -> int:
        found = re.findall(r"\d+", file.stem)
        return int(found[-1]) if found else -1

    return [file for file in files if first <= number(file) <= last]


def paired(
    name: str, files: list[Path], truth: Truth, truth_file: Path, attributes: Iterable[str] = ()
) -> Sequence:
    """The sequence of these images and this truth.

    Raises:
        SourceError: if they differ in number, or the first truth is no box.
    """
    if len(files) != len(truth):
        raise SourceError(
            f"'{truth_file}' has {len(truth)} boxes and sequence '{name}' has {len(files)} images, "
            "expected as many of both"
        )
    return Sequence(name, tuple(files), truth, tuple(attributes))
