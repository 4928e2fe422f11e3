"""The format: what is written is read again to the last bit, and anything else is refused by name."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import pickle
import resource
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from recip_tracker_core.errors import TargetFileError
from recip_tracker_core.target_files import (
    HEADER,
    MOST_BYTES,
    Arrays,
    Maker,
    TargetSnapshot,
    Wanted,
    read_target,
)

MAKER = Maker("toy", "network", "abc", {"grid": 3, "stages": ("s4", "s8")})
ROWS = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
Edit = Callable[[dict[str, np.ndarray]], object]


class Toy:
    """Targets that are a few rows and how many they are."""

    def __init__(self, maker: Maker = MAKER) -> None:
        self.maker = maker
        self.wanted = {
            "rows": Wanted((range(1, 6), 3)),
            "count": Wanted((1,), np.int64, 0, 9),
            "pixels": Wanted((2,), np.uint8),
        }

    def pack(self, target: np.ndarray) -> Arrays:
        return {
            "rows": target,
            "count": np.array([len(target)]),
            "pixels": np.array([0, 255], np.uint8),
        }

    def unpack(self, arrays: Arrays) -> np.ndarray:
        if int(arrays["count"][0]) != len(arrays["rows"]):
            raise TargetFileError(f"has {len(arrays['rows'])} rows, expected {arrays['count'][0]}")
        return arrays["rows"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "target.npz"
    TargetSnapshot(Toy(), ROWS).write(path)
    return path


def header_of(path: Path) -> dict:
    with np.load(path, allow_pickle=False) as archive:
        return json.loads(archive[HEADER].tobytes())


def edited(path: Path, edit: Edit) -> None:
    """Write the file again with its members changed."""
    with np.load(path, allow_pickle=False) as archive:
        members = dict(archive)
    edit(members)
    np.savez(path, **members)


def with_header(path: Path, data: bytes) -> None:
    edited(path, lambda members: members.update({HEADER: np.frombuffer(data, np.uint8)}))


def refused(path: Path, *said: str, toy: Toy | None = None) -> None:
    """The file is refused by an error that names it and says all that."""
    with pytest.raises(TargetFileError) as caught:
        read_target(path, toy or Toy())
    for text in (str(path), *said):
        assert text in str(caught.value)


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_written_is_read_again_to_the_last_bit_and_in_its_order(tmp_path: Path, order: str) -> None:
    path, rows = tmp_path / "any name", np.array(ROWS, order=order)
    TargetSnapshot(Toy(), rows).write(path)
    found = read_target(path, Toy())
    assert (found == ROWS).all()
    assert found.strides == rows.strides
    assert found.flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == ["any name"]


def test_numpy_alone_opens_a_file_and_its_header_says_what_it_is(file: Path) -> None:
    with np.load(file, allow_pickle=False) as archive:
        assert archive["rows"][3, 2] == 1.375  # 11 / 8
    assert header_of(file) == {
        "format": "recip_tracker target",
        "version": 1,
        "package": header_of(file)["package"],
        "kind": "toy",
        "backbone": "network",
        "weights": "abc",
        "settings": {"grid": 3, "stages": ["s4", "s8"]},
    }


def test_a_file_of_another_package_version_is_read(file: Path) -> None:
    with_header(file, json.dumps({**header_of(file), "package": "0.0.1"}).encode())
    assert (read_target(file, Toy()) == ROWS).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "does not exist", id="none"),
        pytest.param(b"", "of another format", id="an-empty-one"),
        pytest.param(b"text " * 100, "of another format", id="text"),
        pytest.param(pickle.dumps({"rows": ROWS}), "of another format", id="a-pickle"),
        pytest.param(b"PK\x05\x06", "of another format", id="the-beginning-of-an-end"),
        pytest.param(b"PK\x05\x06" + bytes(18), "no 'header'", id="an-empty-archive"),
    ],
)
def test_what_is_no_target_file_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "other"
    if content is not None:
        path.write_bytes(content)
    refused(path, said)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "is no file")


def test_an_archive_of_other_arrays_is_refused_by_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, weights=ROWS)
    refused(path, "is no target file", "weights.npy")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        pytest.param("format", "recipe", "is no target file", id="format"),
        pytest.param("version", 2, "is of version 2, written by package", id="a-newer-version"),
        pytest.param("version", None, "is of version None", id="no-version"),
        pytest.param("kind", "gaussian", "has 'gaussian' for 'kind', expected 'toy'", id="kind"),
        pytest.param("backbone", "vgg_m", "has 'vgg_m' for 'backbone', expected 'network'", id="backbone"),
        pytest.param("weights", "abd", "has 'abd' for 'weights', expected 'abc'", id="weights"),
        pytest.param(
            "settings",
            {"grid": 4, "stages": ["s4", "s8"]},
            "has 4 for 'settings.grid', expected 3",
            id="grid",
        ),
        pytest.param(
            "settings", {"grid": 3, "stages": ["s8"]}, "has ['s8'] for 'settings.stages'", id="stages"
        ),
        pytest.param("settings", {"grid": 3}, "has 'nothing' for 'settings.stages'", id="less"),
        pytest.param("colour", "red", "has 'red' for 'colour', expected 'nothing'", id="more"),
        pytest.param("settings", 7, "expected", id="no-settings"),
    ],
)
def test_a_header_that_says_anything_else_is_refused(file: Path, key: str, value: object, said: str) -> None:
    with_header(file, json.dumps({**header_of(file), key: value}).encode())
    refused(file, said)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{", id="cut"),
        pytest.param(b"[1]", id="a-list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"[" * 60_000, id="deep"),
        pytest.param(b'{"format": "recip_tracker target", "version": NaN}', id="nan"),
    ],
)
def test_a_header_that_is_none_is_refused(file: Path, data: bytes) -> None:
    with_header(file, data)
    refused(file)


def test_a_header_that_is_too_long_is_refused_unread(file: Path) -> None:
    with_header(file, json.dumps(header_of(file)).encode().ljust(1 << 16))
    assert (read_target(file, Toy()) == ROWS).all()
    with_header(file, json.dumps(header_of(file)).encode().ljust((1 << 16) + 1))
    refused(file, "has (65537,)", "expected (1..65536) of uint8")


def test_what_a_file_says_of_itself_takes_no_more_than_a_line_of_the_error(file: Path) -> None:
    with_header(file, json.dumps({**header_of(file), "kind": "k" * 50_000}).encode())
    with pytest.raises(TargetFileError) as caught:
        read_target(file, Toy())
    assert len(str(caught.value)) < 400


def rows(values: object) -> Edit:
    return lambda members: members.update(rows=np.asarray(values))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(lambda members: members.pop("rows"), "['rows.npy'] are missing", id="missing"),
        pytest.param(lambda members: members.update(more=ROWS), "['more.npy'] are not known", id="unknown"),
        pytest.param(rows(ROWS[0]), "(3,) of dtype('float32') for 'rows', expected (1..5, 3)", id="flat"),
        pytest.param(rows(ROWS.T), "has (3, 4)", id="turned"),
        pytest.param(rows(np.zeros((6, 3), np.float32)), "has (6, 3)", id="too-many"),
        pytest.param(rows(np.zeros((0, 3), np.float32)), "has (0, 3)", id="none"),
        pytest.param(rows(ROWS.astype(np.float64)), "dtype('float64')", id="double"),
        pytest.param(rows(ROWS.astype(">f4")), "dtype('>f4')", id="other-byte-order"),
        pytest.param(rows(ROWS.astype([("x", np.float32)])), "'x'", id="a-record"),
        pytest.param(rows(ROWS.astype(object)), "dtype('O')", id="a-pickle"),
        pytest.param(rows(np.where(ROWS > 1, np.nan, ROWS)), "values from nan to nan", id="nan"),
        pytest.param(rows(np.where(ROWS > 1, np.inf, ROWS)), "from 0 to inf", id="infinite"),
        pytest.param(rows(np.float32(-2e9) * ROWS), "finite ones from -1e+09", id="huge"),
        pytest.param(
            lambda members: members.update(count=np.array([10])),
            "has values from 10 to 10 for 'count', expected finite ones from 0 to 9",
            id="out-of-bounds",
        ),
        pytest.param(
            lambda members: members.update(count=np.array([3])), "has 4 rows, expected 3", id="not-together"
        ),
    ],
)
def test_an_array_that_is_not_as_wanted_is_refused(file: Path, edit: Edit, said: str) -> None:
    edited(file, edit)
    refused(file, said)


def test_a_file_that_is_cut_off_anywhere_is_refused(file: Path) -> None:
    data = file.read_bytes()
    for length in range(len(data)):
        file.write_bytes(data[:length])
        refused(file, "it is cut off")


def test_a_byte_that_is_changed_is_noticed_or_changes_nothing(file: Path) -> None:
    data, noticed = file.read_bytes(), 0
    for place in range(len(data)):
        file.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :])
        try:
            assert (read_target(file, Toy()) == ROWS).all()
        except TargetFileError:
            noticed += 1
    assert noticed > len(data) / 2  # of a zip archive's own fields many are not used


def in_rows(data: bytes) -> int:
    """The place of the values of the rows in a file."""
    return data.index(ROWS.tobytes())


def test_a_value_that_is_changed_fails_its_checksum(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[in_rows(data) + 4] ^= 1
    file.write_bytes(data)
    refused(file, "is damaged", "CRC")


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Fails where Python and numpy take more than a megabyte."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def npy(shape: object, dtype: str = "<f4", data: bytes = b"") -> bytes:
    """An array's file that may claim anything."""
    claim = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(claim).to_bytes(2, "little") + claim + data


def archived(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        pytest.param(npy("(4, 3)"), "has 0 bytes for 'rows'", id="without-data"),
        pytest.param(npy("(4, 3)", data=bytes(49)), "has 49 bytes", id="with-a-byte-too-many"),
        pytest.param(npy("(1000000000000, 3)"), "has (1000000000000, 3)", id="huge"),
        pytest.param(npy("(-4, 3)"), "has (-4, 3)", id="negative"),
        pytest.param(npy("(4, 3)", "|V2000000000"), "V2000000000", id="a-huge-type"),
        pytest.param(npy("(4, 3)", "|O", pickle.dumps(ROWS)), "dtype('O')", id="a-pickle"),
        pytest.param(npy("4"), "is damaged", id="no-shape"),
        pytest.param(npy("(" * 400), "is damaged", id="deep"),
        pytest.param(b"\x93NUMPY\x03\x00" + bytes(60), "another version", id="a-newer-array"),
        pytest.param(b"\x93NUMPY\x01\x00\xff\xff", "is damaged", id="a-long-header"),
        pytest.param(b"no array", "is damaged", id="no-array"),
    ],
)
def test_an_array_that_claims_what_is_not_there_is_refused_unread(
    file: Path, claim: bytes, said: str
) -> None:
    archived(file, {**members_of(file), "rows": claim})
    with little_memory():
        refused(file, said)


def test_a_zip_bomb_is_refused_unread(file: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members_of(file).items():
            archive.writestr(f"{name}.npy", data)
        with archive.open("more.npy", "w") as member:
            for _ in range(1000):
                member.write(bytes(1 << 16))
    file.write_bytes(bomb.getvalue())
    with little_memory():
        refused(file, "compressed members")


def test_members_that_claim_more_than_the_file_has_are_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    entry = data.rindex(b"rows.npy") - 46  # in the directory; 46 bytes come before a name
    assert data[entry : entry + 4] == b"PK\x01\x02"
    data[entry + 20 : entry + 28] = (1 << 30).to_bytes(4, "little") * 2  # both sizes
    file.write_bytes(data)
    with little_memory():
        refused(file, "claims to hold 1073", f"but has {len(data)} itself")


def test_a_member_that_is_there_twice_is_refused(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("rows.npy", members_of(file)["rows"])
    refused(file, "has 5 arrays, expected 4")


def test_a_directory_of_many_members_is_refused_unread(file: Path) -> None:
    archived(file, {str(number): b"" for number in range(2000)})
    with little_memory():
        refused(file, "has a directory of", "expected 65536 bytes at most")


def test_an_archive_with_a_comment_or_a_larger_directory_is_refused(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-2] + b"\x04\x00text")
    refused(file)
    file.write_bytes(data[:-2] + b"\x04\x00")
    refused(file, "a comment")
    file.write_bytes(data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:])
    refused(file, "a larger one")


def test_a_file_that_is_too_large_is_refused_unread(file: Path) -> None:
    os.truncate(file, MOST_BYTES + 1)  # with holes: it takes no space
    with little_memory():
        refused(file, "has 2147483648 bytes, expected 2147483647 at most")


@pytest.mark.skipif(
    sys.platform != "linux", reason="a file that cannot be read, whoever reads it, is there only"
)
def test_an_error_that_reading_meets_is_told() -> None:
    refused(Path("/proc/self/mem"), "cannot be read: ")


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 100 bytes, as on a disk that is full: not even the report of the tests."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "target.npz"
    path.write_bytes(b"what was there")
    told = rf"target file '{path}' cannot be written: .*large"
    with small_files(), pytest.raises(TargetFileError, match=told):
        TargetSnapshot(Toy(), ROWS).write(path)
    assert path.read_bytes() == b"what was there"
    assert [path.name for path in tmp_path.iterdir()] == ["target.npz"]


def test_a_folder_that_does_not_exist_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "target.npz"
    with pytest.raises(TargetFileError, match=rf"target file '{path}' cannot be written: .*No such"):
        TargetSnapshot(Toy(), ROWS).write(path)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        pytest.param(ROWS * np.float32(np.nan), "values from nan", id="nan"),
        pytest.param(ROWS.astype(np.float64), "float64", id="double"),
        pytest.param(ROWS[:0], r"\(0, 3\)", id="none"),
    ],
)
def test_what_could_not_be_read_is_not_written(file: Path, target: np.ndarray, said: str) -> None:
    before = file.read_bytes()
    with pytest.raises(TargetFileError, match=said):
        TargetSnapshot(Toy(), target).write(file)
    assert file.read_bytes() == before


def test_a_file_replaces_the_one_before(file: Path) -> None:
    TargetSnapshot(Toy(), ROWS[:2]).write(file)
    assert len(read_target(file, Toy())) == 2


def test_another_maker_refuses_it(file: Path) -> None:
    refused(file, "'backbone'", toy=Toy(dataclasses.replace(MAKER, backbone="other")))
