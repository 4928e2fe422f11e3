"""What a log for the Rerun viewer holds, read back by Rerun itself."""

from __future__ import annotations

import io
import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("rerun")
PIL = pytest.importorskip("PIL.Image")
RrdReader = pytest.importorskip("rerun.chunk").RrdReader  # Rerun's older releases read otherwise

from recip_tracker_core.cli import app
from recip_tracker_core.errors import ConfigError, SourceError
from recip_tracker_core.rerun_log import LEVELS, RerunLog, check_viewer
from recip_tracker_core.types import BoundingBox, Frame, TrackResult, TrackStatus

BOX = BoundingBox(10, 20, 30, 40)
RGB = np.full((48, 64, 3), (200, 100, 50), np.uint8)
OVERLAY = np.full((48, 48, 3), (10, 20, 200), np.uint8)
GREEN = 0x00C853FF  # red, green, blue, alpha of what is tracked

Logged = dict[str, list[dict[str, Any]]]


def result(
    status: TrackStatus = TrackStatus.TRACKED, score: float = 7.5, reason: str = "", took_s: float = 0.25
) -> TrackResult:
    return TrackResult(BOX, status, 0.75, score, 0, 1, {"learn": took_s}, reason)


def log(path: Path, *results: TrackResult) -> Logged:
    """The rows of each entity after frames 0, 1, ... with these results, a tenth of a second apart."""
    with RerunLog(path, is_viewed=False) as written:
        for index, each in enumerate(results):
            written.write(Frame(RGB, 100_000_000 * index, index), each, OVERLAY)
    return read(path)


def read(path: Path) -> Logged:
    rows: Logged = {}
    for chunk in RrdReader(str(path)).stream():
        batch = chunk.to_record_batch()
        for index in range(batch.num_rows):
            row = {name: batch.column(name)[index] for name in batch.schema.names}
            rows.setdefault(chunk.entity_path, []).append(row)
    return rows


def values(rows: list[dict[str, Any]], column: str) -> list[Any]:
    """What a column holds, a value a row; of one instance each."""
    return [row[column].as_py()[0] for row in rows]


def test_a_box_has_its_corners_the_colour_of_its_state_and_a_label_with_state_and_confidence(
    tmp_path: Path,
) -> None:
    (row,) = log(tmp_path / "a.rrd", result())["/camera/image/target"]
    assert row["Boxes2D:centers"].as_py() == [[25, 40]]  # 10 + 30 / 2, 20 + 40 / 2
    assert row["Boxes2D:half_sizes"].as_py() == [[15, 20]]
    assert row["Boxes2D:colors"].as_py() == [GREEN]
    assert row["Boxes2D:labels"].as_py() == ["tracked 0.75"]


@pytest.mark.parametrize(("path", "picture"), [("/camera/image", RGB), ("/attention", OVERLAY)])
def test_image_and_attention_are_jpeg_pictures_of_their_own_size_and_colours(
    tmp_path: Path, path: str, picture: np.ndarray
) -> None:
    (row,) = log(tmp_path / "a.rrd", result())[path]
    image = PIL.open(io.BytesIO(bytes(row["EncodedImage:blob"].as_py()[0])))
    assert image.format == "JPEG"
    assert np.asarray(image).shape == picture.shape
    assert np.abs(np.asarray(image).astype(int) - picture).max() <= 3


def test_confidence_score_and_the_times_of_stages_in_milliseconds_are_numbers_over_time(
    tmp_path: Path,
) -> None:
    rows = log(tmp_path / "a.rrd", result(score=math.inf, took_s=2.0), result(), result(score=-1.25))
    assert values(rows["/confidence"], "Scalars:scalars") == [0.75, 0.75, 0.75]
    assert values(rows["/score"], "Scalars:scalars") == [7.5, -1.25]  # the first has none
    assert values(rows["/first_fit_ms/learn"], "Scalars:scalars") == [2000]
    assert values(rows["/timings_ms/learn"], "Scalars:scalars") == [250, 250]


def test_every_row_is_found_by_the_index_and_by_the_stamp_of_its_frame(tmp_path: Path) -> None:
    rows = log(tmp_path / "a.rrd", result(), result(), result())
    for path in ("/camera/image", "/camera/image/target", "/attention", "/confidence"):
        assert [row["frame"].as_py() for row in rows[path]] == [0, 1, 2]
        assert [row["stamp"].value for row in rows[path]] == [0, 100_000_000, 200_000_000]


def test_a_change_of_state_is_told_once_with_its_reason_and_its_gravity(tmp_path: Path) -> None:
    lost = result(TrackStatus.LOST, reason="it left the image")
    rows = log(tmp_path / "a.rrd", result(), result(), lost, lost, result())["/state"]
    assert values(rows, "TextLog:text") == ["tracked", "lost: it left the image", "tracked"]
    assert values(rows, "TextLog:level") == ["INFO", "ERROR", "INFO"]
    assert [row["frame"].as_py() for row in rows] == [0, 2, 4]
    assert set(LEVELS) == set(TrackStatus)


def test_the_file_tells_the_viewer_how_to_lay_it_out(tmp_path: Path) -> None:
    log(tmp_path / "a.rrd", result())
    reader = RrdReader(str(tmp_path / "a.rrd"))
    (entry,) = reader.blueprints()
    origins = {
        origin
        for chunk in reader.stream(store=entry)
        if "ViewBlueprint:space_origin" in (batch := chunk.to_record_batch()).schema.names
        for origin in batch.column("ViewBlueprint:space_origin").to_pylist()[0]
    }
    assert {name.strip("/") for name in origins} == {
        "camera",
        "state",
        "attention",
        "confidence",
        "score",
        "timings_ms",
    }


def test_a_file_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no/such/a\.rrd"):
        RerunLog(tmp_path / "no/such/a.rrd", is_viewed=False)


def test_without_a_display_and_without_a_viewer_that_listens_nothing_is_viewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port}.*--rerun FILE\.rrd"):
            check_viewer({"DISPLAY": ""}, port)
        check_viewer({"DISPLAY": ":0"}, port)
        check_viewer({"WAYLAND_DISPLAY": "wayland-0"}, port)
        taken.listen()
        check_viewer({}, port)


@pytest.fixture
def run(rendered_clip: Callable[..., list], tmp_path: Path, device) -> Callable[..., Result]:
    """``run(*arguments)``: track three images."""
    clip = rendered_clip(frames=3, seed=1)
    (tmp_path / "clip").mkdir()
    for index, (image, _) in enumerate(clip):
        cv2.imwrite(str(tmp_path / "clip" / f"{index}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    always = [
        "track",
        str(tmp_path / "clip"),
        "--init",
        ",".join(map(str, clip[0][1])),
        "--device",
        str(device),
    ]
    quick = [
        "--set=first_fit.iterations=10",
        "--set=first_fit.positives=100",
        "--set=first_fit.negatives=300",
        "--set=map.region_px=160",
        "--set=map.target_px=48",
        "--set=locator.grid=3",
        "--set=refiner.grid=3",
        "--set=classifier.hidden=32",
    ]
    return lambda *arguments: CliRunner().invoke(app, [*always, *quick, *arguments], env={"COLUMNS": "200"})


@pytest.mark.slow
def test_a_track_is_logged_frame_by_frame_as_its_boxes_are_written(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    done = run("--rerun", str(tmp_path / "a.rrd"), "--boxes", str(tmp_path / "b.txt"))
    assert done.exit_code == 0, done.output
    rows = read(tmp_path / "a.rrd")["/camera/image/target"]
    x, y, w, h = np.loadtxt(tmp_path / "b.txt", delimiter=",").T
    np.testing.assert_allclose(
        values(rows, "Boxes2D:centers"), np.stack([x + w / 2, y + h / 2], 1), atol=1e-3
    )
    np.testing.assert_allclose(values(rows, "Boxes2D:half_sizes"), np.stack([w, h], 1) / 2, atol=1e-3)


@pytest.mark.parametrize(
    ("path", "named"),
    [("a.txt", "--rerun expects a .rrd file, got"), ("no/such/a.rrd", "--rerun: the folder")],
)
def test_a_log_that_cannot_be_written_ends_with_code_2_before_the_target_is_learned(
    run: Callable[..., Result], tmp_path: Path, path: str, named: str
) -> None:
    done = run("--rerun", str(tmp_path / path))
    assert done.exit_code == 2, done.output
    assert named in done.output
