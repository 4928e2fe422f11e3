"""GOT-10k (Huang, Zhao, Huang; TPAMI 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ...errors import SourceError
from ..sequences import Sequence
from .annotations import read_boxes, read_lines, read_numbers, without
from .clips import Entry, images_in, paired

LAYOUT = "list.txt or val/list.txt, with SEQUENCE/{groundtruth.txt,cover.label,absence.label,00000001.jpg}"


def is_root(root: Path) -> bool:
    """Whether the first folder of the list has GOT-10k's name, or files that only it has."""
    first = next(_listed(root), None)
    own_files = ("meta_info.ini", "cover.label")
    return first is not None and (
        first.name.startswith("GOT-10k_") or any((first / file).exists() for file in own_files)
    )


def entries(root: Path) -> Iterator[Entry]:
    """The sequences of a subset, or of the validation where the root has several."""
    for folder in _listed(root):
        yield Entry(folder.name, partial(_read, folder))


def _listed(root: Path) -> Iterator[Path]:
    for subset in (root, root / "val", root / "train", root / "test"):
        if (subset / "list.txt").exists():
            yield from (subset / name for name in read_lines(subset / "list.txt"))
            return


def _read(folder: Path) -> Sequence:
    truth_file = folder / "groundtruth.txt"
    truth = read_boxes(truth_file)
    files = images_in(folder)
    if len(truth) == 1 < len(files):
        raise SourceError(
            f"'{truth_file}' has the first box only, as GOT-10k's test subset does: it can only be judged by "
            "the benchmark's server, expected a sequence of 'val' or 'train'"
        )
    cover = read_numbers(folder / "cover.label", len(truth))  # eighths of the target in view, from 0 to 8
    absence = read_numbers(folder / "absence.label", len(truth))
    return paired(folder.name, files, without(truth, (cover == 0) | (absence == 1)), truth_file)
