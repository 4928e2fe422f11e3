"""Results on disk: nothing is lost, nothing is half there, and other tools' files are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recip_tracker_core.errors import SourceError
from recip_tracker_core.evaluation.records import Record
from recip_tracker_core.evaluation.result_files import place, read, write
from recip_tracker_core.evaluation.sequences import Sequence

WHO = {"tracker": "recip", "frames": "5"}


@pytest.fixture
def sequence(rendered_sequence: Callable[..., Sequence]) -> Sequence:
    return rendered_sequence(frames=5)


@pytest.fixture
def record(sequence: Sequence) -> Record:
    return Record(
        boxes=sequence.truth + 0.125,
        confidences=np.array([np.nan, 0.9, 1 / 3, 0.1, 0.5]),
        tracked=np.array([True, True, True, False, True]),
        seconds=np.array([1.5, 0.02, np.nan, 0.03, 0.01]),
        core_share=0.97,
    )


@pytest.mark.parametrize("format_", ["otb", "got10k"])
@pytest.mark.parametrize("seed", [0, 2])
def test_what_is_written_is_read_again(
    format_: str, seed: int, sequence: Sequence, record: Record, tmp_path: Path
) -> None:
    where = place(tmp_path, format_, "recip:updater=inline", sequence.name, seed)
    write(where, record, WHO)
    again = read(where, sequence, WHO)
    assert again is not None
    np.testing.assert_array_equal(again.boxes, record.boxes)
    np.testing.assert_array_equal(again.confidences, record.confidences)
    np.testing.assert_array_equal(again.tracked, record.tracked)
    np.testing.assert_allclose(again.seconds, record.seconds, atol=1e-8)
    assert again.core_share == record.core_share


def test_a_tracker_that_says_no_confidence_is_read_as_one(
    sequence: Sequence, record: Record, tmp_path: Path
) -> None:
    where = place(tmp_path, "otb", "csrt", sequence.name, 0)
    write(where, record, WHO)
    write(where, replace(record, confidences=np.full(5, np.nan), core_share=np.nan), WHO)
    again = read(where, sequence, WHO)
    assert again is not None
    assert not again.has_confidence
    assert np.isnan(again.core_share)


def test_a_run_made_with_something_else_is_not_reused(
    sequence: Sequence, record: Record, tmp_path: Path
) -> None:
    where = place(tmp_path, "otb", "recip", sequence.name, 0)
    write(where, record, WHO)
    assert read(where, sequence, WHO | {"parameters": "others"}) is None
    assert read(where, sequence, None) is not None


def test_a_run_that_does_not_say_what_made_it_is_not_reused(
    sequence: Sequence, record: Record, tmp_path: Path
) -> None:
    where = place(tmp_path, "otb", "recip", sequence.name, 0)
    write(where, record, WHO)
    where.beside("run.json").unlink()
    assert read(where, sequence, WHO) is None


@pytest.mark.parametrize("name", ["../out", "a/b", "..", "", "c:\\x"])
def test_a_sequence_cannot_be_named_out_of_its_folder(sequence: Sequence, name: str) -> None:
    with pytest.raises(SourceError, match="a name that a file can have"):
        replace(sequence, name=name)


def test_a_run_that_was_cut_is_absent(sequence: Sequence, record: Record, tmp_path: Path) -> None:
    where = place(tmp_path, "otb", "recip", sequence.name, 0)
    write(where, record, WHO)
    where.boxes.rename(where.boxes.with_suffix(".part"))
    assert read(where, sequence, WHO) is None


def test_the_layouts_are_those_of_the_toolkits(sequence: Sequence, record: Record, tmp_path: Path) -> None:
    write(place(tmp_path, "otb", "recip", "clip", 0), record, WHO)
    write(place(tmp_path, "otb", "recip", "clip", 1), record, WHO)
    for file in ("recip/clip.txt", "recip/times/clip_time.txt", "recip-seed1/clip.txt"):
        assert np.loadtxt(tmp_path / file, delimiter=",").shape[0] == 5, file
    write(place(tmp_path, "got10k", "recip", "clip", 1), record, WHO)
    write(place(tmp_path, "got10k", "recip", "clip", 0), record, WHO)
    assert np.loadtxt(tmp_path / "recip/clip/clip_002.txt", delimiter=",").shape == (5, 4)
    assert np.loadtxt(tmp_path / "recip/clip/clip_time.txt", delimiter=",").shape == (5, 2)


def test_boxes_of_another_tool_need_nothing_beside_them(sequence: Sequence, tmp_path: Path) -> None:
    where = place(tmp_path, "otb", "SiamFC", "clip", 0)
    where.boxes.parent.mkdir(parents=True)
    where.boxes.write_text("\n".join("1\t2\t3\t4" for _ in range(5)))
    found = read(where, sequence, None)
    assert found is not None
    np.testing.assert_array_equal(found.boxes, np.tile([1.0, 2, 3, 4], (5, 1)))
    assert found.tracked.all()
    assert not found.has_confidence
    assert np.isnan(found.seconds).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [("1,2,3,4\n1,2,3,4\n", "2 x 4 numbers, expected 5 x 4"), ("1,2,three,4\n", "row of numbers")],
    ids=["too few", "no number"],
)
def test_boxes_that_are_none_are_refused_by_name(
    sequence: Sequence, tmp_path: Path, text: str, says: str
) -> None:
    where = place(tmp_path, "otb", "SiamFC", "clip", 0)
    where.boxes.parent.mkdir(parents=True)
    where.boxes.write_text(text)
    with pytest.raises(SourceError, match=says) as caught:
        read(where, sequence, None)
    assert str(where.boxes) in str(caught.value)


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    where = place(tmp_path, "otb", "recip:config=/etc/x", "clip", 0)
    assert where.boxes.parent.parent == tmp_path
