"""How the tracker keeps up with a camera: alone, beside OpenCV's, and through the node; and for how long.

``.venv/bin/python bench/realtime.py [--ros] [--ours] [--before DIR] [--nanotrack DIR] [--json F]``
``.venv/bin/python bench/realtime.py --minutes 60 [--json F] [--picture out.png]``

A rendered stream is played to each run in a process of its own. Runs take turns, so that whatever else the
machine does is done to all of them. In the first two thirds of a turn the stream does not wait: the tracker
takes the newest frame when it is free, and those overtaken are dropped. In the rest the next frame comes when
the last is answered, for ``fps``. Our runs are ``off`` (learning off after the first fit), ``inline`` and
``background``, with ``--before`` also another checkout's core; ``--ours`` leaves OpenCV's trackers out. One
thread an operation, unless ``--set threads=N`` says otherwise. ``--minutes`` plays ``background`` alone, with
the target given anew each minute. Ends with exit code 1 when what is promised is missed. Needs the extras
``cli`` and ``evaluation``; ``--ros`` needs ``ros``, too.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from endurance import slope_per_hour
from figures import KEPT, Figures, commit, comparisons, hit_share, machine, pooled
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from streams import Scene
from turns import Turn

from recip_tracker_core.commands.options import refusals
from recip_tracker_core.config import TrackerConfig
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.parameters import parsed, replaced
from recip_tracker_core.shared_parts import resolve_device

HERE = Path(__file__).resolve().parent
LEAST_MINUTES = 3.0  # of the long mode: trends begin after two
ROS_RUNS = ("off", "inline", "background")
# Of a run: its name in the table, how it is written, and by what it is multiplied.
ROWS: tuple[tuple[str, str, str, float], ...] = (
    ("fps, flat out", "fps", ".1f", 1),
    ("median, ms", "median_ms", ".1f", 1),
    ("p95, ms", "p95_ms", ".1f", 1),
    ("p99, ms", "p99_ms", ".1f", 1),
    ("longest, ms", "max_ms", ".1f", 1),
    ("jitter, ms", "jitter_ms", ".1f", 1),
    ("dropped, %", "dropped", ".1f", 100),
    ("age, median, ms", "age_median_ms", ".1f", 1),
    ("age, p99, ms", "age_p99_ms", ".1f", 1),
    ("cores", "cpu_share", ".2f", 1),
    ("GPU, %", "gpu_share", ".0f", 100),
    ("memory, MB", "peak_rss_mb", ".0f", 1),
    ("  grown, MB", "grown_rss_mb", ".0f", 1),
    ("GPU memory, MB", "peak_gpu_mb", ".0f", 1),
    ("first fit, ms", "first_fit_ms", ".0f", 1),
    ("updates", "updates", "d", 1),
    ("  replaced", "replaced", "d", 1),
)

console = Console()


def main(
    size: Annotated[str, typer.Option(help="Of the images, WIDTHxHEIGHT.")] = "640x480",
    rate: Annotated[float, typer.Option(min=1, help="Images a second.")] = 30.0,
    seconds: Annotated[float, typer.Option(min=1, help="Of each run in each round.")] = 15.0,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that each run takes.")] = 3,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter of ours: name=value; repeatable.")
    ] = None,
    nanotrack: Annotated[Path | None, typer.Option(help="Folder of NanoTrack's networks.")] = None,
    ros: Annotated[bool, typer.Option("--ros", help="Also through the node.")] = False,
    ours: Annotated[bool, typer.Option("--ours", help="Without OpenCV's trackers.")] = False,
    before: Annotated[Path | None, typer.Option(help="Another checkout, for comparison.")] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Long mode: of one run.")] = 0.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw them here, a PNG file.")] = None,
) -> None:
    """Print how each run keeps up with the stream."""
    with refusals():
        turn = Turn("background", parsed_size(size), rate, seconds, device, tuple(settings or ()))
        turn = replace(turn, minutes=minutes)
        check(turn, before, nanotrack, is_ros=ros)
        check_files(json_file, picture)
    if minutes > 0:
        found, is_kept = {"long": endure(turn, picture)}, True
    else:
        turns = in_process(turn, before, nanotrack, is_alone=ours) + (through_node(turn) if ros else [])
        found, is_kept = compare(turns, rounds, picture)
    if json_file is not None:
        played = {
            name: value for name, value in asdict(turn).items() if name not in {"run", "nanotrack", "root"}
        }
        played |= {"rounds": rounds, "before": commit(before) if before is not None else None}
        json_file.write_text(json.dumps({"machine": machine(), "settings": played} | found, indent=2))
    if not is_kept:
        raise typer.Exit(1)


def parsed_size(text: str) -> tuple[int, int]:
    """``640x480`` as width and height.

    Raises:
        ConfigError: it is no size.
    """
    try:
        width, height = map(int, text.split("x"))
    except ValueError:
        raise ConfigError(f"--size expects WIDTHxHEIGHT, got '{text}'") from None
    if min(width, height) < 64:
        raise ConfigError(f"--size expects at least 64 pixels a side, got '{text}'")
    return width, height


def check(turn: Turn, before: Path | None, nanotrack: Path | None, *, is_ros: bool) -> None:
    """What cannot work is refused before the first turn.

    Raises:
        ConfigError: says what is wrong.
    """
    resolve_device(turn.device)
    replaced(TrackerConfig(), dict(parsed(TrackerConfig(), text) for text in turn.settings))
    if 0 < turn.minutes < LEAST_MINUTES:
        raise ConfigError(f"--minutes expects at least {LEAST_MINUTES:g}, got {turn.minutes:g}")
    absent = [name for name in ("rclpy", "psutil") if is_ros and importlib.util.find_spec(name) is None]
    if absent:
        raise ConfigError(f"--ros needs {' and '.join(absent)}: see the extras 'ros' and 'evaluation'")
    if before is not None and not (before / "recip_tracker_core").is_dir():
        raise ConfigError(f"--before expects a checkout of the project, got '{before}'")
    if nanotrack is not None:
        from recip_tracker_core.evaluation.entries import entries  # noqa: PLC0415 - loads torch

        entries(["nanotrack"], nanotrack, lambda _: False)


def check_files(json_file: Path | None, picture: Path | None) -> None:
    """The same of what is to be written.

    Raises:
        ConfigError: says what is wrong.
    """
    for file in (json_file, picture):
        if file is not None and not file.resolve().parent.is_dir():
            raise ConfigError(f"the folder of '{file}' does not exist")
    if picture is not None and importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("--picture needs matplotlib: see the extra 'evaluation'")


def in_process(
    turn: Turn, before: Path | None, nanotrack: Path | None, *, is_alone: bool
) -> list[tuple[str, Turn]]:
    """A turn of each run without ROS, with the script that plays it."""
    others = () if is_alone else ("csrt", "kcf")
    turns = [replace(turn, run=run) for run in ("off", "inline", "background", *others)]
    if nanotrack is not None:
        turns.append(replace(turn, run="nanotrack", nanotrack=str(nanotrack.resolve())))
    if before is not None:
        turns.append(replace(turn, run="before", root=str(before.resolve())))
    return [("turns.py", one) for one in turns]


def through_node(turn: Turn) -> list[tuple[str, Turn]]:
    """The same through the node."""
    return [("ros_turns.py", replace(turn, run=run)) for run in ROS_RUNS]


def compare(turns: list[tuple[str, Turn]], rounds: int, picture: Path | None) -> tuple[dict[str, Any], bool]:
    """Play all turns, round by round; the figures of each run, and whether all promises are kept."""
    kept: dict[tuple[str, str], list[dict[str, Any]]] = {(script, turn.run): [] for script, turn in turns}
    with progress() as bar:
        task = bar.add_task("", total=rounds * len(turns))
        for script, turn in rounds * turns:
            where = "the node, " if script == "ros_turns.py" else ""
            bar.update(task, description=f"{where}{turn.run}")
            kept[script, turn.run] += lines_of(script, turn)
            bar.advance(task)
    scene = Scene(*turns[0][1].size)
    found: dict[str, dict[str, Any]] = {"runs": {}}
    for (script, run), results in kept.items():
        group = found.setdefault("ros" if script == "ros_turns.py" else "runs", {})
        group[run] = pooled(results, scene)
    is_kept = show(found, turns[0][1])
    if picture is not None:
        draw(kept, turns[0][1], picture)
    return found, is_kept


def show(found: dict[str, dict[str, Any]], turn: Turn) -> bool:
    """Tables and comparisons, on the terminal; whether all promises are kept."""
    width, height = turn.size
    stream = f"{width} x {height} at {turn.rate_hz:g} Hz"
    console.print(table(found["runs"], f"{stream}, in one process"))
    if "ros" in found:
        console.print(table(found["ros"], f"{stream}, through the node"))
    compared = comparisons(found["runs"])
    for one in compared:
        color = "default" if one.is_kept else "red"
        console.print(f"[{color}]{one.text}: {one.value:.3g} ({one.verdict})[/{color}]", highlight=False)
    return all(one.is_kept for one in compared)


def table(runs: dict[str, Figures], title: str) -> Table:
    """A row a figure, a column a run; figures that no run has are left out."""
    shown = Table("", title=title, box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for name in runs:
        shown.add_column(name, justify="right", no_wrap=True)
    for label, figure, form, factor in ROWS:
        values = [run[figure] for run in runs.values()]
        if any(value is not None for value in values):
            shown.add_row(label, *("" if value is None else f"{factor * value:{form}}" for value in values))
    shares = [run["hit"] for run in runs.values()]
    shown.add_row(
        "on target, %", *(f"{100 * s:.1f}" if s >= KEPT else f"[red]LOST {100 * s:.0f}" for s in shares)
    )
    return shown


def endure(turn: Turn, picture: Path | None) -> dict[str, Any]:
    """The long mode: windows, and by what times and memory grow in an hour."""
    windows = []
    with progress() as bar:
        task = bar.add_task("background", total=60 * turn.minutes)
        for window in lines_of("turns.py", turn):
            windows.append(window)
            bar.update(task, completed=window["at_s"])
    answers = (
        {"box": box, "index": index}
        for window in windows
        for box, index in zip(window.pop("boxes"), window.pop("indices"), strict=True)
    )
    hit = hit_share(answers, Scene(*turn.size))
    trends = {name: slope_per_hour(windows, name) for name in ("median_ms", "rss_mb")}
    told = {name: f"{slope:+.1f} ± {error:.1f}" for name, (slope, error) in trends.items()}
    console.print(
        f"{turn.minutes:g} minutes of background: median {told['median_ms']} ms an hour, memory "
        f"{told['rss_mb']} MB an hour, {windows[-1]['updates']} updates, {hit:.1%} of answers on the target",
        highlight=False,
    )
    if picture is not None:
        from pictures import draw_endurance  # noqa: PLC0415 - needs matplotlib

        draw_endurance(windows, told, picture)
    slopes = {f"{name}_per_hour": slope for name, (slope, _) in trends.items()}
    errors = {f"{name}_per_hour_error": error for name, (_, error) in trends.items()}
    return slopes | errors | {"hit": hit, "windows": windows}


def draw(kept: dict[tuple[str, str], list[dict[str, Any]]], turn: Turn, picture: Path) -> None:
    """Processing times of all frames of the paced phase."""
    from pictures import draw_times  # noqa: PLC0415 - needs matplotlib

    groups: dict[str, dict[str, list[float]]] = {}
    for (script, run), results in kept.items():
        title = "through the node" if script == "ros_turns.py" else "in one process"
        took_ms = [answer["took_ms"] for result in results for answer in result["paced"]]
        groups.setdefault(title, {})[run] = took_ms
    draw_times(groups, 1e3 / turn.rate_hz, picture)


def lines_of(script: str, turn: Turn) -> Iterator[dict[str, Any]]:
    """What a worker prints, as it prints it; its core is that of the turn's root."""
    environment = dict(os.environ)
    environment.pop("PYTHONSAFEPATH", None)  # a worker finds its siblings beside it
    if turn.root:
        environment["PYTHONPATH"] = turn.root
    command = [sys.executable, str(HERE / script), json.dumps(asdict(turn))]
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors) as process:
            assert process.stdout is not None
            yield from map(json.loads, process.stdout)
        if process.returncode != 0:
            errors.seek(0)
            console.print(f"[red]error:[/red] {turn.run} failed:\n{escape(errors.read())}", highlight=False)
            raise typer.Exit(2)


def progress() -> Progress:
    """A bar on standard error, so that the tables can be piped."""
    return Progress(
        TextColumn("{task.description:>22}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


if __name__ == "__main__":
    typer.run(main)
