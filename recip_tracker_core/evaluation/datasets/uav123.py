"""UAV123 (Mueller, Smith, Ghanem; ECCV 2016): the 123 short sequences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..sequences import Sequence
from .annotations import read_boxes, read_numbers
from .clips import Entry, images_in, numbered, paired
from .uav123_parts import PARTS

LAYOUT = "anno/UAV123/SEQUENCE.txt with data_seq/UAV123/FOLDER/000001.jpg and so on"

_ATTRIBUTES = (
    "scale variation",
    "aspect ratio change",
    "low resolution",
    "fast motion",
    "full occlusion",
    "partial occlusion",
    "out of view",
    "background clutter",
    "illumination variation",
    "viewpoint change",
    "camera motion",
    "similar object",
)

# bird1_2: folder, first and last image
_PARTS = {
    f"{folder}_{number}": (folder, first, last)
    for folder, parts in PARTS.items()
    for number, (first, last) in enumerate(parts, start=1)
}


def is_root(root: Path) -> bool:
    """Whether the benchmark's folder of truths is there."""
    return (root / "anno" / "UAV123").is_dir()


def entries(root: Path) -> Iterator[Entry]:
    """One for each file of truth."""
    for file in (root / "anno" / "UAV123").glob("*.txt"):
        yield Entry(file.stem, partial(_read, root / "data_seq" / "UAV123", file))


def _read(clips: Path, truth_file: Path) -> Sequence:
    name = truth_file.stem
    truth = read_boxes(truth_file)
    folder, first, last = _PARTS.get(name, (name, 1, len(truth)))
    files = numbered(images_in(clips / folder), first, last)
    return paired(name, files, truth, truth_file, _attributes(truth_file.parent / "att" / f"{name}.txt"))


def _attributes(file: Path) -> list[str]:
    """None where the benchmark's file is not there."""
    if not file.exists():
        return []
    flags = read_numbers(file, len(_ATTRIBUTES))
    return [name for name, flag in zip(_ATTRIBUTES, flags, strict=True) if flag == 1]
