"""``recip-tracker evaluate`` from end to end, through its workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("distributed")
pytest.importorskip("sklearn")

from recip_tracker_core.cli import app
from recip_tracker_core.evaluation.command import jobs_of, kept, repetitions_kept
from recip_tracker_core.evaluation.entries import Entry
from recip_tracker_core.evaluation.sequences import Sequence

pytestmark = pytest.mark.slow

OURS = (
    "recip:first_fit.iterations=10:first_fit.positives=100:first_fit.negatives=300:map.region_px=160:"
    "map.target_px=48:locator.grid=3:refiner.grid=3:classifier.hidden=32"
)
PROMISED = {
    *("auc", "dp20", "os50", "fps", "auc_std", "auroc", "ece", "absent_called_tracked", "refound"),
    "sequences",
}


@pytest.fixture
def dataset(rendered_sequence: Callable[..., Sequence]) -> Path:
    """Two clips, one in which the target is hidden for a while."""
    rendered_sequence("second", frames=12, seed=1, hidden=range(4, 7))
    return rendered_sequence("first", frames=8).files[0].parents[2]


@pytest.fixture
def run(dataset: Path, tmp_path: Path, device) -> Callable[..., Result]:
    """``run(*arguments)``: evaluate the two clips, with everything that is written under tmp_path."""

    def invoked(*arguments: str) -> Result:
        always = ["--dataset", str(dataset), "--results", str(tmp_path / "kept"), "--workers", "1"]
        written = ["--json", str(tmp_path / "all.json")]
        return CliRunner().invoke(app, ["evaluate", *always, *written, *arguments], env={"COLUMNS": "200"})

    return invoked


def figures(tmp_path: Path) -> dict[str, Any]:
    """The JSON without speeds, which no run has the same."""
    summary = json.loads((tmp_path / "all.json").read_text())
    for tracker in summary["trackers"].values():
        for values in (tracker, *tracker["sequences"].values()):
            values.pop("fps")
    return summary


def test_one_command_gives_figures_a_page_and_files_and_goes_on_where_it_was_cut(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    arguments = ("--trackers", f"{OURS},csrt,null", "--seeds", "2")
    result = run(*arguments, "--report", str(tmp_path / "page"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "page" / "index.html").stat().st_size > 10_000
    summary = json.loads((tmp_path / "all.json").read_text())
    assert set(summary["trackers"]) == {OURS, "csrt", "null"}
    ours, null = summary["trackers"][OURS], summary["trackers"]["null"]
    assert set(ours) >= PROMISED
    assert set(ours["sequences"]["first"]) >= {"auc", "dp20", "fps", "frames"}
    assert ours["sequences"]["second"]["frames"] == 12
    assert ours["auc"] > 0.5 > null["auc"]
    assert ours["auc_std"] is not None
    assert null["absent_called_tracked"] == 1.0

    whole = figures(tmp_path)
    boxes = sorted((tmp_path / "kept" / "dataset").glob("*/first.txt"))
    assert len(boxes) == 4  # two seeds, and one run of each of the others
    boxes[0].unlink()
    again = run(*arguments, "--workers", "2")
    assert again.exit_code == 0, again.output
    assert "7 of 8 runs are kept" in again.output
    assert figures(tmp_path) == whole


def test_results_of_another_tool_are_scored_beside_a_stream_that_does_not_wait(
    run: Callable[..., Result], dataset: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "kept" / "dataset-limit6" / "Theirs"
    folder.mkdir(parents=True)
    for name in ("first", "second"):
        truth = np.loadtxt(dataset / name / "groundtruth_rect.txt", delimiter=",")[:6]
        truth[np.isnan(truth)] = 1
        np.savetxt(folder / f"{name}.txt", truth, delimiter=",")
    result = run("--trackers", "Theirs,null", "--limit", "6", "--realtime", "50")
    assert result.exit_code == 0, result.output
    trackers = json.loads((tmp_path / "all.json").read_text())["trackers"]
    # Success is overlap above a threshold, and of 21 the last is 1; the 2 absent of 6 frames are misses.
    assert trackers["Theirs"]["sequences"]["first"]["auc"] == pytest.approx(20 / 21)
    assert trackers["Theirs"]["sequences"]["second"]["auc"] == pytest.approx(20 / 21 * 4 / 6)
    assert trackers["Theirs"]["fps"] is None
    assert trackers["Theirs"]["realtime"] is None
    assert trackers["null"]["realtime"]["rate_hz"] == 50
    assert trackers["null"]["realtime"]["auc"] == trackers["null"]["auc"]


def test_a_dataset_of_the_same_name_with_other_images_is_run_anew(
    run: Callable[..., Result], dataset: Path, tmp_path: Path
) -> None:
    assert run("--trackers", "null").exit_code == 0
    images = dataset / "first" / "img"
    images.joinpath("0003.png").write_bytes(images.joinpath("0004.png").read_bytes() + b" ")
    again = run("--trackers", "null")
    assert "1 of 2 runs are kept" in again.output


def test_every_repetition_of_another_tool_counts_and_an_absent_one_is_missed_at_once(
    rendered_sequence: Callable[..., Sequence], tmp_path: Path
) -> None:
    sequence = rendered_sequence(frames=3)
    folder = tmp_path / "Theirs" / "clip"
    folder.mkdir(parents=True)
    assert repetitions_kept(tmp_path, "got10k", "Theirs", "clip") == 1
    for number in (1, 2, 3):
        np.savetxt(folder / f"clip_{number:03d}.txt", sequence.truth, delimiter=",")
    count = repetitions_kept(tmp_path, "got10k", "Theirs", "clip")
    theirs = Entry("Theirs", "files")
    jobs = jobs_of([theirs], (sequence,), 1, None, lambda *_: count)
    assert [run.seed for run in kept(jobs, "got10k", tmp_path)["Theirs"]] == [0, 1, 2]


def test_a_result_that_is_absent_is_missed_before_anything_runs(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "kept" / "dataset" / "Theirs").mkdir(parents=True)
    result = run("--trackers", "null,Theirs")
    assert result.exit_code == 2
    assert "no result of 'Theirs' on 'first'" in result.output
    assert not (tmp_path / "kept" / "dataset" / "null").exists()


def test_a_run_that_fails_is_named_and_the_others_are_kept(
    run: Callable[..., Result], dataset: Path, tmp_path: Path
) -> None:
    (dataset / "first" / "img" / "0003.png").write_bytes(b"no image")
    result = run("--trackers", "null")
    assert result.exit_code == 2
    assert "1 of 2 runs failed" in result.output
    assert "0003.png" in result.output
    assert (tmp_path / "kept" / "dataset" / "null" / "second.txt").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--trackers", "csrtt"), "did you mean 'csrt'"),
        (("--trackers", "../null"), "unknown tracker '../null'"),
        (("--trackers", "null", "--sequences", "frist"), "frist"),
        (("--trackers", "null", "--format", "tlp"), "tlp"),
        (("--trackers", "null", "--json", "/nowhere/all.json"), "/nowhere/all.json"),
        (("--trackers", "null", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler answers"),
        (("--trackers", "null", "--seeds", "0"), "--seeds"),
        (("--trackers", ","), "expected trackers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_before_anything_runs(
    run: Callable[..., Result], arguments: tuple[str, ...], says: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.output
