"""All that is owed on a GPU, in one run: measures and tests one after the other, and says what is kept.

``.venv/bin/python bench/gpu_report.py [--device cuda] [--into gpu-report] [--only gpu,tests] [--quick]``

Each part is a process of its own, and the next is run whether or not it fails. What it prints and its figures
go to the folder, all figures together to ``report.json``. Ends with exit code 1 when a promise is missed or a
part gave no figures. Of another device than CUDA's, and with ``--quick`` (small settings, to see that every
part runs), nothing is promised but that tests pass. Needs the extras ``cli``, ``evaluation`` and ``test``;
with ``ros`` (rclpy) the stream is also played through the node.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree as ET

import torch
import typer
from figures import Comparison, machine
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recip_tracker_core.commands.options import refusals
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.shared_parts import resolve_device

HERE = Path(__file__).resolve().parent
PATIENCE_S = 3600.0  # of a part: the longest is expected to take some minutes
WIDTH = 120  # columns of what a part prints
P99_RATIO = 1.5  # with learning beside, over without

Read = Callable[[Path], list[Comparison]]
"""The figures of a part, with what is promised of them, from the file that it has written."""


@dataclass(frozen=True)
class Part:
    """What is run.

    Attributes:
        name: of the part, and of its files.
        command: of Python: a script of this folder or ``-m`` and a module, and its arguments.
        quick: arguments beside these where it is only to be seen that it runs.
        writes: the option that says where the figures go.
        read: them.
        suffix: of their file.
    """

    name: str
    command: tuple[str, ...]
    quick: tuple[str, ...]
    read: Read
    writes: str = "--json"
    suffix: str = ".json"


@dataclass(frozen=True)
class Outcome:
    """What became of a part.

    Attributes:
        part: its name.
        figures: with what is promised of them; none where it wrote none.
        failure: why it is not to be relied on, or nothing.
        took_s: seconds.
    """

    part: str
    figures: tuple[Comparison, ...]
    failure: str
    took_s: float

    @property
    def is_kept(self) -> bool:
        """Whether it ran, and nothing that is promised of it is missed."""
        return not self.failure and all(one.is_kept for one in self.figures)


def of_gpu(file: Path) -> list[Comparison]:
    """Frames a second, first fit, update, memory."""
    return [Comparison(**one) for one in loaded(file)["figures"]]


def of_realtime(file: Path) -> list[Comparison]:
    """What learning beside adds to the 99th percentile, alone and, where it was played, through the node."""
    told = loaded(file)
    places = {"runs": "in one process", "ros": "through the node"}
    return [
        Comparison(
            f"p99 with learning beside over without, {where}",
            told[group]["background"]["p99_ms"] / told[group]["off"]["p99_ms"],
            most=P99_RATIO,
        )
        for group, where in places.items()
        if group in told
    ]


def of_profile(file: Path) -> list[Comparison]:
    """What a frame, a lesson and a first fit take, whose stages are each waited for."""
    return [
        Comparison(f"{name}, stage by stage, ms", sum(cost["often"] * cost["ms"] for cost in stages))
        for name, stages in loaded(file)["parts"].items()
    ]


def of_paper(file: Path) -> list[Comparison]:
    """Frames, updates and the first fit of the paper's preset."""
    runs = loaded(file)["runs"]
    return [
        Comparison("a frame of the paper's preset, learning off, ms", runs["off"]["frame"]["median_ms"]),
        Comparison("the same, learning beside, ms", runs["background"]["frame"]["median_ms"]),
        Comparison("its update, ms", runs["inline"]["update"]["median_ms"]),
        Comparison("its first fit, ms", runs["off"]["first fit"]["median_ms"]),
    ]


def of_learning(file: Path) -> list[Comparison]:
    """Ratios of steps and updates."""
    return [Comparison(text, ratio, most=most) for text, ratio, most in loaded(file)["promises"]]


def of_tests(file: Path) -> list[Comparison]:
    """How many tests fail."""
    suites = list(ET.parse(file).getroot().iter("testsuite"))  # noqa: S314 - pytest has just written it
    total, skipped, failed = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names)
        for names in (("tests",), ("skipped",), ("failures", "errors"))
    )
    ran = total - skipped
    return [
        Comparison(f"tests that fail, of {total} ({skipped} skipped)", failed, most=0),
        Comparison("tests that ran", ran, least=1),
    ]


def loaded(file: Path) -> Any:
    """A file of JSON."""
    return json.loads(file.read_text(encoding="utf-8"))


SMALL_MAP = ("--set", "map.region_px=128", "--set", "map.target_px=40.0", "--set", "locator.turns=2")
PARTS = (
    Part("gpu", ("gpu.py",), ("--quick", "--frames", "40", *SMALL_MAP), of_gpu),
    Part(
        "realtime",
        ("realtime.py", "--ours"),
        ("--seconds", "1", "--rounds", "1", *SMALL_MAP),
        of_realtime,
    ),
    Part("profile", ("profile_frame.py",), ("--frames", "40", "--fits", "1"), of_profile),
    Part("paper", ("frame_time.py", "--preset", "paper"), ("--quick", "--frames", "10"), of_paper),
    Part("learning", ("learning.py",), ("--quick",), of_learning),
    Part(
        "tests",
        ("-m", "pytest", str(HERE.parent / "test" / "core")),
        ("-k", "lane or recording"),
        of_tests,
        writes="--junit-xml",
        suffix=".xml",
    ),
)


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    into: Annotated[Path, typer.Option(help="Folder that is written to.")] = Path("gpu-report"),
    only: Annotated[str, typer.Option(help=f"Some of {','.join(part.name for part in PARTS)}.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Only to see that every part runs.")] = False,
) -> None:
    """Run all parts, and print each promise, its figure, and whether it is kept."""
    console = Console()
    with refusals():
        where = resolve_device(device)
        parts = chosen(only)
    into.mkdir(parents=True, exist_ok=True)
    if has_ros() and not quick:
        parts = [
            replace(part, command=(*part.command, "--ros")) if part.name == "realtime" else part
            for part in parts
        ]
    else:
        why = "--quick" if quick else "rclpy or psutil cannot be imported here"
        console.print(f"nothing is measured through the node: {why}", highlight=False)
    outcomes = run(parts, str(where), into, console, is_quick=quick)
    if where.type != "cuda" or quick:
        console.print("nothing is promised here but that tests pass: see --device, --quick", highlight=False)
        outcomes = [unpromised(outcome) for outcome in outcomes]
    show(outcomes, used(where), into, console)
    told = {"machine": machine(), "device": used(where), "quick": quick}
    told["parts"] = [asdict(outcome) | {"is_kept": outcome.is_kept} for outcome in outcomes]
    (into / "report.json").write_text(json.dumps(told, indent=2), encoding="utf-8")
    if not all(outcome.is_kept for outcome in outcomes):
        raise typer.Exit(1)


def chosen(only: str) -> list[Part]:
    """The parts of these names, comma separated; all for none.

    Raises:
        ConfigError: there is no such part.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = [part.name for part in PARTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"--only expects some of {known}, got {unknown}")
    return [part for part in PARTS if not names or part.name in names]


def has_ros() -> bool:
    """Whether what plays the stream through the node can be imported, by a process of its own."""
    command = [sys.executable, "-c", "import rclpy, psutil"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(parts: Sequence[Part], device: str, into: Path, console: Console, *, is_quick: bool) -> list[Outcome]:
    """One part after the other, with a line of progress for each."""
    outcomes = []
    for number, part in enumerate(parts, 1):
        label = f"{number}/{len(parts)} {part.name}"
        with console.status(label):
            outcomes.append(outcome_of(part, device, into, is_quick=is_quick))
        done = outcomes[-1]
        said = f"{label}: {done.failure or 'done'}, {done.took_s:.0f} s"
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    return outcomes


def outcome_of(
    part: Part, device: str, into: Path, *, is_quick: bool, patience_s: float = PATIENCE_S
) -> Outcome:
    """Run a part, and read its figures; a failure of any kind is one of its own alone."""
    figures, printed = into / f"{part.name}{part.suffix}", into / f"{part.name}.txt"
    figures.unlink(missing_ok=True)  # of an earlier run
    first, *others = part.command
    script = first if first.startswith("-") else str(HERE / first)
    command = [sys.executable, script, *others, "--device", device, part.writes, str(figures.resolve())]
    command += part.quick if is_quick else ()
    began = time.monotonic()
    code = exit_code(command, printed, patience_s)
    ended = f"stopped after {patience_s:g} s" if code is None else f"exit code {code}"
    failure, found = "", []
    try:
        found = part.read(figures)
        if code not in (0, 1):  # 1: something is missed, as the figures will tell
            failure = f"FAILED ({ended}), see {printed}"
    except (OSError, ValueError, LookupError, TypeError, ET.ParseError) as error:
        failure = f"FAILED ({ended}; {type(error).__name__}), see {printed}"
    return Outcome(part.name, tuple(found), failure, time.monotonic() - began)


def exit_code(command: Sequence[str], printed: Path, patience_s: float) -> int | None:
    """Of a command whose output goes to a file; None where it had to be stopped, with all that it started."""
    environment = os.environ | {"COLUMNS": str(WIDTH)}
    environment.pop("PYTHONSAFEPATH", None)  # a script finds its siblings beside it
    if command[1] == "-m":
        environment["PYTHONSAFEPATH"] = "1"  # tests are of the package that is installed, as all else
    with (
        printed.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            return process.wait(patience_s)
        except BaseException as error:  # an interrupt, too: no child is left behind
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise


def unpromised(outcome: Outcome) -> Outcome:
    """The same, of whose figures nothing is promised; tests are to pass anywhere."""
    if outcome.part == "tests":
        return outcome
    return replace(outcome, figures=tuple(replace(one, least=None, most=None) for one in outcome.figures))


def show(outcomes: Sequence[Outcome], device: str, into: Path, console: Console) -> None:
    """A row a figure, and what gave none."""
    shown = Table("part", "what", title=f"{device}, torch {torch.__version__}; more in {into}")
    shown.add_column("figure", justify="right")
    shown.add_column("promise")
    for outcome in outcomes:
        for one in outcome.figures:
            color = "default" if one.is_kept else "red"
            verdict = f"[{color}]{one.verdict}[/{color}]"
            shown.add_row(outcome.part, one.text, f"{one.value:.4g}", verdict)
        if outcome.failure:
            shown.add_row(outcome.part, f"[red]{escape(outcome.failure)}[/red]", "", "")
    console.print(shown)
    failed = [outcome.part for outcome in outcomes if outcome.failure]
    missed = sum(not one.is_kept for outcome in outcomes for one in outcome.figures)
    console.print(
        f"{missed} missed; " + (f"failed to run: {', '.join(failed)}" if failed else "all parts ran"),
        highlight=False,
    )


def used(device: torch.device) -> str:
    """The name of a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


if __name__ == "__main__":
    typer.run(main)
