"""OTB (Wu, Lim, Yang; TPAMI 2015), and the layout to use for clips of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..sequences import Sequence
from .annotations import read_boxes, read_lines
from .clips import Entry, images_in, numbered, paired, subfolders

LAYOUT = "SEQUENCE/groundtruth_rect.txt (x,y,w,h a line) with SEQUENCE/img/0001.jpg and so on"

_TRUTH = re.compile(r"groundtruth_rect(\.\d+)?\.txt")

# First and last image of the clips whose truth covers a part of them, as the benchmark's sequence list says.
_RANGES = {
    "BlurCar1": (247, 988),
    "BlurCar3": (3, 359),
    "BlurCar4": (18, 397),
    "David": (300, 770),
    "Diving": (1, 215),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
}


def is_root(root: Path) -> bool:
    """Whether the folder, or one in it, has a truth with OTB's name."""
    return any(_truth_files(folder) for folder in _folders(root))


def entries(root: Path) -> Iterator[Entry]:
    """Every target of every clip; the root may itself be a clip."""
    for folder in _folders(root):
        files = _truth_files(folder)
        for file in files:
            name = _name(folder, file) if len(files) > 1 else folder.resolve().name
            yield Entry(name, partial(_read, name, folder, file))


def _folders(root: Path) -> list[Path]:
    return [root] if _truth_files(root) else subfolders(root)


def _truth_files(folder: Path) -> list[Path]:
    """One a target: an empty one beside another is none (Human4 has such)."""
    files = sorted(file for file in folder.glob("groundtruth_rect*.txt") if _TRUTH.fullmatch(file.name))
    return [file for file in files if read_lines(file)] or files


def _name(folder: Path, file: Path) -> str:
    """``Jogging-1`` of ``Jogging/groundtruth_rect.1.txt``."""
    number = file.stem.removeprefix("groundtruth_rect").replace(".", "-")
    return f"{folder.resolve().name}{number}"


def _read(name: str, folder: Path, truth_file: Path) -> Sequence:
    truth = read_boxes(truth_file)
    files = images_in(folder / "img")
    clip = folder.resolve().name
    if len(files) > len(truth) and clip in _RANGES:
        files = numbered(files, *_RANGES[clip])
    return paired(name, files, truth, truth_file, _attributes(folder / "attributes.txt"))


def _attributes(file: Path) -> list[str]:
    """Names parted by commas or lines; none where there is no such file."""
    names = ",".join(read_lines(file)).split(",") if file.exists() else []
    return [name.strip() for name in names if name.strip()]
