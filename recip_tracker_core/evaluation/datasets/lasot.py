"""LaSOT (Fan et al.; CVPR 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..sequences import Sequence
from .annotations import read_boxes, read_lines, read_numbers, without
from .clips import Entry, images_in, paired, subfolders

LAYOUT = (
    "CLASS/CLASS-N/groundtruth.txt, or CLASS-N/groundtruth.txt, with full_occlusion.txt, out_of_view.txt "
    "and img/00000001.jpg ... beside it"
)


def is_root(root: Path) -> bool:
    """Whether there is a sequence, of a class or at once."""
    return next(_found(root), None) is not None


def entries(root: Path) -> Iterator[Entry]:
    """The sequences named by ``testing_set.txt``, or all where there is no such file."""
    chosen = root / "testing_set.txt"
    for folder in _named(root, chosen) if chosen.exists() else _found(root):
        yield Entry(folder.name, partial(_read, folder))


def _named(root: Path, file: Path) -> Iterator[Path]:
    for name in read_lines(file):
        alone = root / name
        yield alone if alone.exists() else root / name.rpartition("-")[0] / name


def _found(root: Path) -> Iterator[Path]:
    for folder in subfolders(root):
        for candidate in (folder, *subfolders(folder)):
            if (candidate / "groundtruth.txt").exists() and (candidate / "img").is_dir():
                yield candidate


def _read(folder: Path) -> Sequence:
    truth_file = folder / "groundtruth.txt"
    truth = read_boxes(truth_file)
    flags = {
        attribute: read_numbers(folder / file, len(truth)) == 1
        for attribute, file in (("full occlusion", "full_occlusion.txt"), ("out of view", "out_of_view.txt"))
    }
    return paired(
        folder.name,
        images_in(folder / "img"),
        without(truth, np.logical_or(*flags.values())),
        truth_file,
        [attribute for attribute, flag in flags.items() if flag.any()],
    )
