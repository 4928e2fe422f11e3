"""A learned target in a file: a JSON header and named arrays, and nothing that runs.

The container is numpy's ``.npz``, uncompressed and without pickles: numpy and the standard library alone read
it (safetensors is an extra here, and what ``torch.load`` reads is a pickle), each member has a checksum, and
all that it claims to hold can be compared with the file's size before anything of it is read.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .backbones.checked_files import write_whole
from .errors import TargetFileError
from .parameters import flatten

Target = TypeVar("Target")
Arrays = Mapping[str, NDArray[Any]]

FORMAT, VERSION = "recip_tracker target", 1
HEADER = "header"
LARGEST = 1e9  # of any number: none that was learned comes near, and products of three stay finite in float32
MOST_BYTES = (1 << 31) - 1  # above, zip needs its larger directory; the paper's tracker fills a third of that
MOST_HEADER_BYTES = MOST_DIRECTORY_BYTES = 1 << 16
END = struct.Struct("<4s4H2LH")  # of a zip archive: .., the directory's bytes and place, the comment's bytes
LOCATOR_BYTES = 20  # before that, where there is a larger directory


@dataclass(frozen=True, slots=True)
class Maker:
    """What a file and the tracker that reads it must have in common.

    Attributes:
        kind: of tracker.
        backbone: name of the frozen network.
        weights: SHA-256 of its weights.
        settings: values of the configuration by name, those that decide what the arrays mean.
    """

    kind: str
    backbone: str
    weights: str
    settings: Mapping[str, object]

    def header(self) -> dict[str, Any]:
        """The header that its files have, as JSON gives it back."""
        header = {"format": FORMAT, "version": VERSION, "package": _package(), **asdict(self)}
        return dict(json.loads(json.dumps(header, allow_nan=False)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an array must be.

    Attributes:
        shape: length of each dimension, or the lengths that it may have.
        dtype: of numpy.
        low, high: inclusive bounds of its values, which must be finite.
    """

    shape: tuple[int | range, ...]
    dtype: type[np.generic] = np.float32
    low: float = -LARGEST
    high: float = LARGEST

    def check_form(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """TargetFileError for another shape or type."""
        fits = len(shape) == len(self.shape) and all(
            side in wanted if isinstance(wanted, range) else side == wanted
            for side, wanted in zip(shape, self.shape, strict=True)
        )
        if not fits or dtype != self.dtype:
            sides = [
                f"{side[0]}..{side[-1]}" if isinstance(side, range) else str(side) for side in self.shape
            ]
            raise TargetFileError(
                f"has {_shown(shape)} of {_shown(dtype)} for '{name}', "
                f"expected ({', '.join(sides)}) of {np.dtype(self.dtype)}"
            )

    def check_values(self, name: str, array: NDArray[Any]) -> None:
        """TargetFileError for a value that is not finite or out of bounds."""
        # Written so that NaN, which fails every comparison, is out of bounds.
        if array.size and not (array.min() >= self.low and array.max() <= self.high):
            raise TargetFileError(
                f"has values from {array.min():g} to {array.max():g} for '{name}', "
                f"expected finite ones from {self.low:g} to {self.high:g}"
            )


class TargetFormat(Protocol[Target]):
    """What targets of one kind of tracker are in a file.

    Attributes:
        maker: that its files are of.
        wanted: all the arrays that a file has, by name.
    """

    maker: Maker
    wanted: Mapping[str, Wanted]

    def pack(self, target: Target) -> Arrays:
        """A target as those arrays."""
        ...

    def unpack(self, arrays: Arrays) -> Target:
        """The target that they stand for.

        Raises:
            TargetFileError: each is as wanted, but they do not fit together.
        """
        ...


@dataclass(frozen=True, eq=False, slots=True)
class TargetSnapshot(Generic[Target]):
    """What is known of a target at one moment: taken at once, and written whenever there is time for it.

    Attributes:
        format: of its file.
        target: made of values that nobody changes.
    """

    format: TargetFormat[Target]
    target: Target

    def write(self, path: Path) -> None:
        """Write the file; until it is complete, and if that fails, what was there stays.

        For any thread, but not for two at once with one path.

        Raises:
            TargetFileError: it cannot be written, or could not be read again.
        """
        with _named(path, "written"):
            arrays = self.format.pack(self.target)
            for name, wanted in self.format.wanted.items():
                wanted.check_form(name, arrays[name].shape, arrays[name].dtype)
                wanted.check_values(name, arrays[name])
            header = np.frombuffer(json.dumps(self.format.maker.header()).encode(), np.uint8)
            members: dict[str, Any] = {HEADER: header, **arrays}
            stream = io.BytesIO()
            np.savez(stream, **members)
            if stream.tell() > MOST_BYTES:
                raise TargetFileError(f"would have {stream.tell()} bytes, expected {MOST_BYTES} at most")
            write_whole(path, stream.getvalue())


def read_target(path: Path, expected: TargetFormat[Target]) -> Target:
    """What a file holds, once all of it is as expected. No more memory is taken than the file has bytes.

    Raises:
        TargetFileError: no such file, one that cannot be read, or that is anything else than expected.
    """
    with _named(path, "read"):
        if not path.is_file():
            raise TargetFileError("is no file" if path.exists() else "does not exist")
        return expected.unpack(_arrays(path, expected.maker, expected.wanted))


@contextlib.contextmanager
def _named(path: Path, done: str) -> Iterator[None]:
    """What goes wrong inside says what is the matter with the file; here that gets the file's name."""
    try:
        yield
    except TargetFileError as error:
        raise TargetFileError(f"target file '{path}' {error}") from error.__cause__
    except OSError as error:
        raise TargetFileError(f"target file '{path}' cannot be {done}: {error}") from error


def _arrays(path: Path, maker: Maker, wanted: Mapping[str, Wanted]) -> Arrays:
    try:
        with path.open("rb") as stream:
            size = _checked_size(stream)
            with zipfile.ZipFile(stream) as archive:
                _check_members(archive, size)
                _check_header(archive, maker)
                _check_names(archive, wanted)
                return {name: _array(archive, name, wanted[name]) for name in wanted}
    except (TargetFileError, OSError):
        raise
    except Exception as error:  # zipfile and numpy raise many kinds; all mean the same to the user
        raise TargetFileError(f"is damaged: {type(error).__name__}: {_shown(error)}") from error


def _checked_size(stream: BinaryIO) -> int:
    """Bytes of a file that ends as a zip archive with a small directory and without a comment."""
    size = stream.seek(0, os.SEEK_END)
    if size > MOST_BYTES:
        raise TargetFileError(f"has {size} bytes, expected {MOST_BYTES} at most")
    stream.seek(max(size - END.size - LOCATOR_BYTES, 0))
    locator, end = (tail := stream.read())[: -END.size], tail[-END.size :]
    if len(end) < END.size or not end.startswith(b"PK\x05\x06"):
        raise TargetFileError("does not end as a target file does: it is cut off, or of another format")
    *_, directory_bytes, _, comment_bytes = END.unpack(end)
    if directory_bytes > MOST_DIRECTORY_BYTES or comment_bytes or locator.startswith(b"PK\x06\x07"):
        raise TargetFileError(
            f"has a directory of {directory_bytes} bytes, a larger one or a comment, "
            f"expected {MOST_DIRECTORY_BYTES} bytes at most and none of those"
        )
    return size


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Whether what the members claim can be there."""
    members = archive.infolist()
    compressed = [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]
    if compressed:
        raise TargetFileError(f"has compressed members, expected none: {_shown(compressed)}")
    claimed = sum(member.file_size for member in members)
    if claimed > size:
        raise TargetFileError(f"claims to hold {claimed} bytes, but has {size} itself")


def _check_header(archive: zipfile.ZipFile, maker: Maker) -> None:
    """Whether the file is of the maker; of the same version, no header has more in it or less."""
    if f"{HEADER}.npy" not in archive.namelist():
        raise TargetFileError(f"is no target file: it holds {_shown(archive.namelist())} and no '{HEADER}'")
    data = _array(archive, HEADER, Wanted((range(1, MOST_HEADER_BYTES + 1),), np.uint8))
    header, expected = json.loads(data.tobytes()), maker.header()
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise TargetFileError(f"is no target file: its header is {_shown(header)}")
    if header.get("version") != VERSION:
        version, package = (_shown(header.get(name)) for name in ("version", "package"))
        raise TargetFileError(
            f"is of version {version}, written by package {package}, "
            f"expected version {VERSION}, which package '{expected['package']}' reads"
        )
    found, expected = flatten(header), flatten(expected)
    for name in {**expected, **found}:
        value, asked = (header.get(name, "nothing") for header in (found, expected))
        if value != asked and name != "package":
            raise TargetFileError(f"has {_shown(value)} for '{name}', expected {asked!r}")


def _check_names(archive: zipfile.ZipFile, wanted: Mapping[str, Wanted]) -> None:
    found, expected = archive.namelist(), [f"{name}.npy" for name in (HEADER, *wanted)]
    if sorted(found) != sorted(expected):
        missing, unknown = {*expected} - {*found}, {*found} - {*expected}
        raise TargetFileError(
            f"has {len(found)} arrays, expected {len(expected)}: {_shown(sorted(missing))} are missing, "
            f"{_shown(sorted(unknown))} are not known"
        )


def _array(archive: zipfile.ZipFile, name: str, wanted: Wanted) -> NDArray[Any]:
    """An array of the archive; what it claims to be is checked before it is read."""
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise TargetFileError(f"has another version of numpy's format for '{name}', expected 1.0")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        left = member.file_size - stream.tell()
    wanted.check_form(name, shape, dtype)
    if left != math.prod(shape) * dtype.itemsize:
        raise TargetFileError(f"has {left} bytes for '{name}', which is {_shown(shape)} of {dtype}")
    with archive.open(member) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    wanted.check_values(name, array)
    return array


def _shown(found: object) -> str:
    """What a file says, for a message: no more of it than a line."""
    text = str(found) if isinstance(found, Exception) else repr(found)
    return text if len(text) <= 80 else f"{text[:80]}.."


@functools.cache
def _package() -> str:
    try:
        return metadata.version("recip_tracker_ros")
    except metadata.PackageNotFoundError:  # run from its sources
        return "unknown"
