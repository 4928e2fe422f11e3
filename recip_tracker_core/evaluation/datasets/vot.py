"""VOT (Kristan et al.; TPAMI 2016), the challenges whose truth is rectangles or polygons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ...errors import SourceError
from ..sequences import Sequence, Truth
from .annotations import ABSENT, Row, parse_truth, read_lines
from .clips import Entry, images_in, paired

LAYOUT = "list.txt with SEQUENCE/groundtruth.txt and SEQUENCE/color/00000001.jpg and so on"


def is_root(root: Path) -> bool:
    """Whether there is a list; ask the other benchmarks first."""
    return (root / "list.txt").exists()


def entries(root: Path) -> Iterator[Entry]:
    """The folders that the list names."""
    for name in read_lines(root / "list.txt") if is_root(root) else ():
        yield Entry(name, partial(_read, name, root / name))


def _read(name: str, folder: Path) -> Sequence:
    truth_file = folder / "groundtruth.txt"
    return paired(name, _images(folder), _truth(truth_file), truth_file, _attributes(folder))


def _truth(file: Path) -> Truth:
    lines = read_lines(file)
    if any(line.startswith("m") for line in lines):
        raise SourceError(f"'{file}' has masks, which are not read: expected x,y,w,h or polygons")
    return parse_truth(lines, file, _bounds)


def _bounds(numbers: Row) -> Row:
    """The box of a rectangle, of a polygon x1,y1,x2,y2,..., or of a code that stands for no region."""
    if len(numbers) == 1:
        return ABSENT
    if len(numbers) == 4:
        return numbers
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError("x,y,w,h, the corners of a polygon, or a code")
    left, top = min(numbers[::2]), min(numbers[1::2])
    return left, top, max(numbers[::2]) - left, max(numbers[1::2]) - top


def _images(folder: Path) -> list[Path]:
    """Of the color channel, where the file ``sequence`` says it is, or else the two usual places."""
    pattern = _metadata(folder).get("channels.color")
    if pattern is None:
        return images_in(folder / "color" if (folder / "color").is_dir() else folder)
    channel = folder / pattern.replace("\\", "/")
    if not channel.suffix:
        return images_in(channel)
    name = re.compile(re.sub(r"%0?\d*d", r"\\d+", re.escape(channel.name)))
    return [file for file in images_in(channel.parent) if name.fullmatch(file.name)]


def _metadata(folder: Path) -> dict[str, str]:
    file = folder / "sequence"
    pairs = (line.partition("=") for line in (read_lines(file) if file.exists() else ()))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _attributes(folder: Path) -> list[str]:
    """What a tag file says of a frame at least."""
    files = sorted(file for file in folder.iterdir() if file.suffix in {".tag", ".label"})
    return [file.stem.replace("_", " ") for file in files if "1" in read_lines(file)]
