"""Where the time of a frame, a lesson and a first fit goes, and how far each stage is above its floor.

``.venv/bin/python bench/profile_frame.py [--device cuda] [--frames 200] [--json out.json]``

The default tracker follows a rendered target; its own functions are timed while it does, see
``profile_parts.py``. A stage's floor is the time of its floating point operations (matrix products,
convolutions and factorisations; counted on the network in torch, whatever computes it) or of the bytes that
it is given, gives back or holds as weights, each moved once, whichever is longer, at the fastest that a large
product and a large copy were on this device, with as many threads. A stage whose arrays are still in a
cache can be below it. The stages of a GPU are waited for, one by one, which makes a frame slower than it is.
"""

from __future__ import annotations

import contextlib
import json
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated
from unittest import mock

import torch
import typer
from frame_time import HEIGHT, SIDE, WIDTH, place, rendered, texture
from profile_parts import FIRST_FIT, FRAME, LESSON, STAGES, TRACED
from profile_peaks import Operations, Peaks, Stopwatch
from profile_tracing import REST, Lap, Tracer
from rich.console import Console
from rich.table import Table

from recip_tracker_core import BoundingBox, Frame, TrackerConfig, build_tracker, shared_parts
from recip_tracker_core.build import warm_up
from recip_tracker_core.parameters import replaced
from recip_tracker_core.shared_parts import resolve_device

WARM_FRAMES = 10  # caches are filled, and the first frames, all of which are learned from, are over
COUNTED_FRAMES = 40  # operations don't vary; as many as bring two updates of the classifier


@dataclass(frozen=True)
class Cost:
    """What one stage of a part of the program costs.

    Attributes:
        stage: its name.
        often: share of the laps in which it is.
        ms: median where it is.
        share: of all the time of that part.
        gflop, mb, floor_ms: where it is; None for what no stage is named for.
    """

    stage: str
    often: float
    ms: float
    share: float
    gflop: float | None
    mb: float | None
    floor_ms: float | None

    @property
    def above_ms(self) -> float:
        """Mean time in a lap beyond the floor."""
        return 0.0 if self.floor_ms is None else self.often * (self.ms - self.floor_ms)


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    frames: Annotated[int, typer.Option(min=40, help="Frames without learning, and as many with.")] = 200,
    fits: Annotated[int, typer.Option(min=1, help="First fits, after one that isn't counted.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of one operation.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Print what each stage takes, and what it would have to."""
    where = resolve_device(device)
    torch.set_num_threads(threads)
    peaks = Peaks.of(where)
    config = replaced(TrackerConfig(), {"device": device, "threads": threads, "update.updater": "inline"})
    console = Console()
    with console.status("taking times"):
        timed = traced(config, Tracer(Stopwatch(where)), frames, fits + 1)
    with console.status("counting operations"), Operations() as operations:
        in_torch = replaced(config, {"backbone.engine": "torch"})
        counter = Tracer(lambda: operations.total, sees_arrays=True)
        with mock.patch.object(shared_parts, "recorder", lambda _: None):  # nothing is seen of a replay
            counted = traced(in_torch, counter, COUNTED_FRAMES, 1)
    timed[FIRST_FIT] = timed[FIRST_FIT][1:]
    found = {part: costs(timed[part], counted[part], peaks) for part in (FRAME, LESSON, FIRST_FIT)}
    used = torch.cuda.get_device_name(where) if where.type == "cuda" else platform.machine()
    speeds = ", ".join(f"{kind} {speed / 1e9:.0f} GB/s" for kind, speed in peaks.bytes_per_s.items())
    console.print(
        f"{used}, {threads} thread(s), torch {torch.__version__}: {peaks.flops / 1e9:.0f} GFLOP/s, {speeds}"
    )
    for part, stages in found.items():
        console.print(table(part, stages, statistics.median(map(total, timed[part]))))
        console.print(verdict(part, stages), soft_wrap=True)
    if json_file is not None:
        parts = {part: [asdict(cost) for cost in stages] for part, stages in found.items()}
        machine = {"device": used, "threads": threads, "torch": torch.__version__}
        json_file.write_text(
            json.dumps({"machine": machine, "peaks": asdict(peaks), "parts": parts}, indent=2)
        )


def traced(config: TrackerConfig, tracer: Tracer, frames: int, fits: int) -> dict[str, list[Lap]]:
    """The laps of a tracker that fits a target so often, and follows it without and then with learning."""
    background, target = texture(0, HEIGHT, WIDTH), texture(1, SIDE, SIDE)
    with contextlib.ExitStack() as stack:
        tracker = stack.enter_context(contextlib.closing(build_tracker(config)))
        warm_up(tracker)  # records what a GPU replays, in which no stage can be waited for
        stack.enter_context(tracer.installed(TRACED))

        def follow(first: int, count: int) -> None:
            for index in range(first, first + count):
                tracker.update(Frame(rendered(background, target, index)))

        for _ in range(fits):
            tracker.init(Frame(rendered(background, target, 0)), BoundingBox(*place(0), SIDE, SIDE))
        follow(1, WARM_FRAMES)
        del tracer.laps[FRAME][:], tracer.laps[LESSON][:]
        tracker.learns = False
        follow(1 + WARM_FRAMES, frames)
        alone = tracer.laps[FRAME][:]
        tracker.learns = True
        follow(1 + WARM_FRAMES + frames, frames)
    return {**tracer.laps, FRAME: alone}


def total(lap: Lap) -> float:
    """What was counted in all stages."""
    return sum(lap.counts.values())


def costs(timed: list[Lap], counted: list[Lap], peaks: Peaks) -> list[Cost]:
    """Of each stage of a part of the program, from laps that were timed and laps that were counted."""
    whole_s = sum(map(total, timed))
    found = []
    for stage in STAGES:
        times = [lap.counts[stage] for lap in timed if stage in lap.counts]
        if times:
            share, often = sum(times) / whole_s, len(times) / len(timed)
            least = needs(stage, counted, peaks) if stage != REST else (None, None, None)
            found.append(Cost(stage, often, 1e3 * statistics.median(times), share, *least))
    return found


def needs(
    stage: str, counted: list[Lap], peaks: Peaks
) -> tuple[float, float, float] | tuple[None, None, None]:
    """GFLOP, MB and the floor in milliseconds of a stage in laps that were counted; None: it is in none."""
    laps = [lap for lap in counted if stage in lap.counts]
    if not laps:
        return None, None, None
    flops = statistics.median(lap.counts[stage] for lap in laps)
    moved = {
        kind: statistics.median(lap.moved(stage).get(kind, 0) for lap in laps) for kind in peaks.bytes_per_s
    }
    return flops / 1e9, sum(moved.values()) / 1e6, 1e3 * peaks.floor_s(flops, moved)


def table(part: str, stages: list[Cost], median_s: float) -> Table:
    """A row a stage."""
    shown = Table(title=f"{part}: {1e3 * median_s:.1f} ms in the median")
    for heading in ("stage", "in laps", "ms", "share", "GFLOP", "MB", "floor ms", "times floor"):
        is_name = heading == "stage"
        shown.add_column(heading, justify="left" if is_name else "right", no_wrap=is_name)
    for cost in stages:
        times = cost.ms / cost.floor_ms if cost.floor_ms else None
        least = map(rounded, (cost.gflop, cost.mb, cost.floor_ms, times))
        shown.add_row(cost.stage, f"{cost.often:.0%}", rounded(cost.ms), f"{cost.share:.0%}", *least)
    return shown


def rounded(value: float | None) -> str:
    """Three digits, and at most three behind the point; nothing for None."""
    if value is None:
        return ""
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0}f}"


def verdict(part: str, stages: list[Cost]) -> str:
    """Which stage has most to give."""
    most = max(stages, key=lambda cost: cost.above_ms)
    return (
        f"of {part}, '{most.stage}' is the most above its floor: {most.above_ms:.1f} ms of "
        f"{sum(cost.above_ms for cost in stages):.1f} ms that named stages are above theirs\n"
    )


if __name__ == "__main__":
    typer.run(main)
