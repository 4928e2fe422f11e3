"""Benchmarks on disk, each in the layout that it is published in."""

from __future__ import annotations

import difflib
from collections import Counter, abc
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...errors import ConfigError, SourceError
from ..sequences import Sequence
from . import got10k, lasot, otb, uav123, vot
from .clips import Entry

__all__ = ["FORMATS", "Dataset", "open_dataset"]

FORMATS = ("otb", "got10k", "lasot", "uav123", "vot")


@dataclass(frozen=True)
class Dataset:
    """Sequences to evaluate on.

    Attributes:
        name: for people.
        format: one of :data:`FORMATS`.
        sequences: at least one; their names differ.
    """

    name: str
    format: str
    sequences: tuple[Sequence, ...]


class Layout(Protocol):
    """What each module beside this one knows of its benchmark."""

    LAYOUT: str  # for people

    def is_root(self, root: Path) -> bool:
        """Whether the folder looks like this benchmark."""
        ...

    def entries(self, root: Path) -> abc.Iterable[Entry]:
        """Its sequences, none of them read yet."""
        ...


# In the order in which a folder is recognised: first what no other layout can be taken for.
_LAYOUTS: dict[str, Layout] = {"uav123": uav123, "got10k": got10k, "otb": otb, "lasot": lasot, "vot": vot}


def open_dataset(root: Path, format: str = "auto", names: abc.Sequence[str] = ()) -> Dataset:
    """Read a benchmark: all of it in the order of names, or some sequences in the order given.

    Args:
        root: the folder as it is published, or one ``otb`` sequence.
        format: one of :data:`FORMATS`, or ``auto``, which recognises it from the folder.
        names: of the sequences wanted; the others are not read.

    Raises:
        ConfigError: for an unknown format, and a name that is unknown or given twice.
        SourceError: if the folder is absent or holds no sequences, or a file of a wanted sequence is absent
            or cannot be read, or there is not one line of truth an image.
    """
    if format not in ("auto", *FORMATS):
        raise ConfigError(f"unknown dataset format '{format}', expected 'auto' or one of {FORMATS}")
    if not root.is_dir():
        raise SourceError(f"the dataset '{root}' is absent or no folder")
    found = _recognised(root) if format == "auto" else format
    readers = _readers(root, found)
    chosen = _chosen(names, readers) if names else sorted(readers)
    return Dataset(root.resolve().name, found, tuple(readers[name]() for name in chosen))


def _recognised(root: Path) -> str:
    for name, layout in _LAYOUTS.items():
        if layout.is_root(root):
            return name
    raise SourceError(
        f"'{root}' holds no sequences in a known layout ({', '.join(FORMATS)}); the simplest is {otb.LAYOUT}"
    )


def _readers(root: Path, format: str) -> dict[str, abc.Callable[[], Sequence]]:
    layout = _LAYOUTS[format]
    entries = list(layout.entries(root))
    if not entries:
        raise SourceError(f"'{root}' holds no sequences in the layout of {format}: {layout.LAYOUT}")
    ((name, count),) = Counter(entry.name for entry in entries).most_common(1)
    if count > 1:
        raise SourceError(f"'{root}' holds {count} sequences named '{name}', expected names that differ")
    return {entry.name: entry.read for entry in entries}


def _chosen(names: abc.Sequence[str], known: abc.Collection[str]) -> abc.Sequence[str]:
    for name, count in Counter(names).items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f", did you mean '{close[0]}'?" if close else f", expected one of {sorted(known)}"
            raise ConfigError(f"unknown sequence '{name}'{hint}")
        if count > 1:
            raise ConfigError(f"sequence '{name}' is named {count} times, expected once")
    return names
