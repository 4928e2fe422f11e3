"""One command that runs all that is owed on a GPU: it goes on where a part fails, and says what is kept."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

for extra in ("typer", "rich", "matplotlib"):
    pytest.importorskip(extra)
sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

import gpu_report
import typer
from figures import Comparison
from gpu_report import (
    PARTS,
    Outcome,
    Part,
    of_gpu,
    of_learning,
    of_profile,
    of_realtime,
    of_tests,
    outcome_of,
)
from rich.console import Console
from typer.testing import CliRunner, Result

pytestmark = pytest.mark.slow

WRITES = "import json, sys; json.dump({'promises': %s}, open(sys.argv[sys.argv.index('--json') + 1], 'w'))\n"
FAILS = "print('this is why'); raise SystemExit(3)\n"


@pytest.fixture
def part(tmp_path: Path):
    """``part(name, script)``: one that reads its figures as those of ``learning.py``."""

    def made(name: str, script: str) -> Part:
        file = tmp_path / f"{name}.py"
        file.write_text(script)
        return Part(name, (str(file),), ("--quick",), of_learning)

    return made


def ended(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(gpu_report.main)
    return CliRunner().invoke(app, ["--device", "cpu", *arguments])


def test_a_part_that_fails_keeps_no_other_from_running_and_says_why(part, tmp_path: Path) -> None:
    parts = [part("broken", FAILS), part("whole", WRITES % "[['a ratio', 0.5, 1.5]]")]
    console = Console(record=True, width=1000)
    broken, whole = gpu_report.run(parts, "cpu", tmp_path, console, is_quick=False)
    assert "exit code 3" in broken.failure
    assert not broken.is_kept
    assert "this is why" in (tmp_path / "broken.txt").read_text()
    assert whole.figures == (Comparison("a ratio", 0.5, most=1.5),)
    assert whole.is_kept
    assert [line.split(":")[0] for line in console.export_text().splitlines()] == ["1/2 broken", "2/2 whole"]


def test_figures_of_an_earlier_run_are_not_those_of_one_that_fails(part, tmp_path: Path) -> None:
    assert outcome_of(part("same", WRITES % "[['a', 1, 2]]"), "cpu", tmp_path, is_quick=False).is_kept
    again = outcome_of(part("same", FAILS), "cpu", tmp_path, is_quick=False)
    assert (again.figures, again.is_kept) == ((), False)


def test_a_part_that_dies_with_its_figures_written_is_a_failure(part, tmp_path: Path) -> None:
    script = WRITES % "[['a', 1, 2]]" + "import os; os.abort()\n"
    assert "exit code -6" in outcome_of(part("aborted", script), "cpu", tmp_path, is_quick=False).failure


def test_a_part_without_an_end_is_stopped(part, tmp_path: Path) -> None:
    endless = part("endless", "import time\nwhile True:\n    time.sleep(1)\n")
    assert "stopped after" in outcome_of(endless, "cpu", tmp_path, is_quick=False, patience_s=0.2).failure


def test_a_part_is_told_its_device_and_whether_it_is_to_be_quick(part, tmp_path: Path) -> None:
    script = "import json, sys; print(json.dumps(sys.argv[1:]))\n"
    for is_quick in (False, True):
        outcome_of(part("told", script), "cuda:1", tmp_path, is_quick=is_quick)
        told = json.loads((tmp_path / "told.txt").read_text())
        assert told[told.index("--device") + 1] == "cuda:1"
        assert ("--quick" in told) is is_quick


@pytest.mark.parametrize(
    ("value", "failure", "is_kept"),
    [(1.4, "", True), (1.6, "", False), (1.4, "FAILED", False)],
    ids=["kept", "missed", "failed"],
)
def test_a_promise_is_kept_by_what_ran_within_its_bounds(value: float, failure: str, is_kept: bool) -> None:
    outcome = Outcome("realtime", (Comparison("p99", value, most=1.5),), failure, 1.0)
    assert outcome.is_kept is is_kept
    console = Console(record=True, width=100)
    gpu_report.show([outcome], "a GPU", Path("there"), console)
    said = console.export_text()
    assert ("MISSED, at most 1.5" in said) is (value > 1.5)
    assert ("failed to run: realtime" in said) is bool(failure)


def test_every_part_really_is_run_and_tests_are_promised_on_any_device(tmp_path: Path) -> None:
    done = ended("--quick", "--only", "paper,tests", "--into", str(tmp_path / "report"))
    assert done.exit_code == 0, done.output
    assert "nothing is measured through the node: --quick" in done.output
    assert "all parts ran" in done.output
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [one["part"] for one in told["parts"]] == ["paper", "tests"]
    paper, tests = (one["figures"] for one in told["parts"])
    assert all(one["value"] >= 0 and one["most"] is None for one in paper)
    assert tests[0]["most"] == tests[0]["value"] == 0
    assert {"paper.json", "paper.txt", "tests.xml", "tests.txt"} <= {
        file.name for file in (tmp_path / "report").iterdir()
    }


def test_a_promise_that_is_missed_ends_the_command_with_code_1(
    part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = WRITES % "[['failures', 1, 0]]"
    monkeypatch.setattr(gpu_report, "PARTS", (part("tests", missed), part("speed", missed)))
    done = ended("--quick", "--into", str(tmp_path / "report"))
    assert done.exit_code == 1
    assert "1 missed; all parts ran" in done.output  # on a CPU no speed is promised


def test_an_unknown_part_is_refused_with_those_there_are() -> None:
    done = ended("--only", "gpu,speed")
    assert done.exit_code == 2
    assert "['speed']" in done.output
    assert all(one.name in done.output for one in PARTS)


def written(folder: Path, told: object) -> Path:
    file = folder / "figures.json"
    file.write_text(json.dumps(told))
    return file


def test_the_99th_percentiles_are_compared_where_the_stream_was_played(tmp_path: Path) -> None:
    runs = {"off": {"p99_ms": 10.0}, "background": {"p99_ms": 16.0}, "inline": {"p99_ms": 80.0}}
    alone = of_realtime(written(tmp_path, {"runs": runs}))
    both = of_realtime(written(tmp_path, {"runs": runs, "ros": runs}))
    assert [(one.value, one.is_kept) for one in alone] == [(1.6, False)]
    assert [one.text.rpartition(", ")[2] for one in both] == ["in one process", "through the node"]


def test_stages_are_added_up_by_how_often_they_are(tmp_path: Path) -> None:
    stages = [{"often": 1.0, "ms": 3.0}, {"often": 0.1, "ms": 20.0}]
    (found,) = of_profile(written(tmp_path, {"parts": {"a lesson": stages}}))
    assert (found.value, found.is_kept) == (pytest.approx(5.0), True)


def test_promises_are_those_that_the_part_itself_has(tmp_path: Path) -> None:
    one = Comparison("frames a second", 240.0, least=250)
    (found,) = of_gpu(written(tmp_path, {"figures": [asdict(one)]}))
    assert found == one
    assert not found.is_kept


def test_a_test_that_fails_or_cannot_begin_is_counted_and_none_at_all_is_no_success(tmp_path: Path) -> None:
    file = tmp_path / "tests.xml"
    file.write_text('<testsuites><testsuite tests="9" skipped="2" failures="1" errors="1"/></testsuites>')
    failing, ran = of_tests(file)
    assert (failing.value, failing.is_kept, ran.value, ran.is_kept) == (2, False, 7, True)
    file.write_text('<testsuites><testsuite tests="2" skipped="2" failures="0" errors="0"/></testsuites>')
    assert [one.is_kept for one in of_tests(file)] == [True, False]
