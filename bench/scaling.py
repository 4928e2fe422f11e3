"""How the cost of a frame grows: with candidates, target, image, memory, and the number of targets.

``.venv/bin/python bench/scaling.py [--device cuda] [--quick] [--only targets] [--json out.json]
[--picture out.png]``

The settings of a dimension take turns, and medians count; times of one run on a shared machine say
little, ratios within it more. Nothing is learned after the first frame unless a series says so. The next
frame comes when the last is answered, so what is learned beside the frames competes with them for the
processors; a turn ends when that is done. The picture needs the extra ``evaluation``. Ends with exit code 1
when a promise is missed.
"""

from __future__ import annotations

import contextlib
import json
import platform
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scaling_dimensions import FULL, QUICK, TARGETS, Dimension, Plan, Run, Seconds, Setting, dimensions

from recip_tracker_core.shared_parts import resolve_device


@dataclass(frozen=True)
class Row:
    """What one value of a series costs.

    Attributes:
        value: as it is printed.
        at: the same as a number.
        median_ms, p99_ms: of a frame, or of an update.
        tracked: share of the answers that were; the others cost what a search costs.
    """

    value: int | str
    at: float
    median_ms: float
    p99_ms: float
    tracked: float


Rows = dict[str, list[Row]]
"""By series: ``dimension`` or ``dimension: series``."""


@dataclass(frozen=True)
class Promise:
    """That a cost is at most so many times another one.

    Attributes:
        text: what is promised; ``{}`` stand for the two values.
        series: that it is about.
        most: the largest ratio that keeps it.
        value, versus: of which the costs are compared; None: the last and the first.
    """

    text: str
    series: str
    most: float
    value: int | None = None
    versus: int | None = None

    def judged(self, rows: Rows) -> dict[str, Any] | None:
        """What came of it, or None where it was not measured."""
        if len(rows.get(self.series, ())) < 2:
            return None
        series = rows[self.series]
        by_value = {row.value: row for row in series}
        value, versus = self.value or series[-1].value, self.versus or series[0].value
        ratio = by_value[value].median_ms / by_value[versus].median_ms
        text = self.text.format(value, versus)
        return {"text": text, "ratio": ratio, "most": self.most, "kept": ratio <= self.most}


GROWTH = 1.25  # of what must not grow; two equal settings differ by up to a tenth on a shared machine
PROMISES = (
    *(
        Promise(f"{{}} near targets, {way}, over {{}}", f"targets: near, {way}", 3.0, TARGETS[-1], 1)
        for way in ("learning off", "learning on")
    ),
    *(
        Promise(f"{what} after {{}} frames, over one after {{}}", f"memory: {what}", GROWTH)
        for what in ("a frame", "an update", "a classifier update")
    ),
)


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    is_quick: Annotated[bool, typer.Option("--quick", help="Few turns: for a first look.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Dimensions to measure, by name.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw them here, PNG.")] = None,
) -> None:
    """Print the cost of a frame over what it grows with, and whether what is promised is kept."""
    where, plan = resolve_device(device), QUICK if is_quick else FULL
    varied = chosen(dimensions(device, plan), only)
    found = {dimension.name: measured(dimension, plan) for dimension in varied}
    rows = {series: values for of_one in found.values() for series, values in of_one.items()}
    used = torch.cuda.get_device_name(where) if where.type == "cuda" else platform.machine()
    machine = {"device": used, "torch": torch.__version__, "threads": torch.get_num_threads()}
    console = Console()
    console.print(table(rows, f"{used}, torch {torch.__version__}, {plan.turns} turns of each value"))
    promises = judged(rows)
    for told in promises:
        word = "kept  " if told["kept"] else "MISSED"
        console.print(
            f"{word}  {told['text']}: {told['ratio']:.2f}, at most {told['most']:.2f}", soft_wrap=True
        )
    if json_file is not None:
        json_file.write_text(as_json(machine, rows, promises))
    if picture is not None:
        from scaling_picture import drawn  # noqa: PLC0415  its library is an extra

        picture.write_bytes(drawn({one.name: one.axis for one in varied}, found))
    if not all(told["kept"] for told in promises):
        raise typer.Exit(1)


def judged(rows: Rows) -> list[dict[str, Any]]:
    """What came of the promises that are about what was measured."""
    return [told for promise in PROMISES if (told := promise.judged(rows)) is not None]


def as_json(machine: dict[str, Any], rows: Rows, promises: list[dict[str, Any]]) -> str:
    """All figures."""
    measures = {series: [asdict(row) for row in values] for series, values in rows.items()}
    return json.dumps({"machine": machine, "dimensions": measures, "promises": promises}, indent=2)


def chosen(varied: list[Dimension], names: list[str] | None) -> list[Dimension]:
    """Those of these names; all without names."""
    known = [dimension.name for dimension in varied]
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"'--only' expects some of {known}, got '{name}'")
    return [dimension for dimension in varied if not names or dimension.name in names]


def measured(dimension: Dimension, plan: Plan) -> Rows:
    """The rows of a dimension, whose settings take turns."""
    samples: dict[Setting, Seconds] = {setting: defaultdict(list) for setting in dimension.settings}
    answers = {setting: np.zeros(2) for setting in dimension.settings}
    with Progress(transient=True) as progress, dimension.prepared():
        steps = len(dimension.settings) * (plan.turns + 1)
        task = progress.add_task(dimension.name, total=steps)
        with started(dimension.settings) as runs:
            progress.advance(task, len(runs))
            for number in range(plan.turns):
                for setting, run in list(runs.items())[:: -1 if number % 2 else 1]:
                    turn = run.turn(plan.frames)
                    answers[setting] += (turn.tracked, turn.answered)
                    for series, seconds in turn.seconds.items():
                        samples[setting][series].extend(seconds)
                    progress.advance(task)
    rows: Rows = defaultdict(list)
    for setting, of_setting in samples.items():
        share = float(answers[setting][0] / answers[setting][1])
        for series, seconds in of_setting.items():
            if seconds:
                rows[": ".join(filter(None, (dimension.name, setting.series, series)))].append(
                    row(setting, seconds, share)
                )
    return dict(rows)


@contextlib.contextmanager
def started(settings: tuple[Setting, ...]) -> Iterator[dict[Setting, Run]]:
    """The runs of settings, closed in the end."""
    with contextlib.ExitStack() as stack:
        yield {setting: stack.enter_context(contextlib.closing(setting.started())) for setting in settings}


def row(setting: Setting, seconds: list[float], tracked: float) -> Row:
    """What so many measurements of a setting say."""
    median, p99 = (1e3 * float(np.percentile(seconds, share)) for share in (50, 99))
    return Row(setting.value, setting.at, median, p99, tracked)


def table(rows: Rows, title: str) -> Table:
    """A line a value: medians and 99th percentiles, ms, and the former over that of the first value."""
    shown = Table(title=title)
    for heading in ("varied", "value", "ms", "p99", "growth", "tracked"):
        shown.add_column(heading, justify="left" if heading == "varied" else "right", no_wrap=True)
    for series, values in rows.items():
        for one in values:
            growth = f"{one.median_ms / values[0].median_ms:.2f}" if len(values) > 1 else ""
            times = f"{one.median_ms:.1f}", f"{one.p99_ms:.1f}"
            name = series if one is values[0] else ""
            shown.add_row(name, str(one.value), *times, growth, f"{one.tracked:.0%}")
        shown.add_section()
    return shown


if __name__ == "__main__":
    typer.run(main)
