"""What ``recip-tracker track`` does: one target through one source, watched, written and counted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..build import build_tracker
from ..config import TrackerConfig
from ..drawing import Image, attention_overlay, draw_result, side_by_side
from ..errors import ConfigError, SourceError
from ..sources import Source, open_source
from ..tracker import Tracker
from ..types import BoundingBox, Frame, TrackResult, TrackStatus
from ..video import VideoWriter

Output = Callable[[Frame, TrackResult, Image], None]
"""Takes a frame, the answer to it, and the square picture of where the classifier looks."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; the command line's options, checked where they are used.

    Attributes:
        source, topic: see :func:`~..sources.open_source`.
        box: of the target in the first frame.
        config: of the tracker.
        output: the annotated video, ``.mp4``.
        boxes: a line ``x,y,w,h`` a frame.
        rerun: log for the Rerun viewer, ``.rrd``.
        is_viewed: whether that viewer is opened.
    """

    source: Path
    topic: str | None
    box: BoundingBox
    config: TrackerConfig
    output: Path | None = None
    boxes: Path | None = None
    rerun: Path | None = None
    is_viewed: bool = False


def track(request: Request, console: Console) -> None:
    """Follow the target to the end of the source.

    Raises:
        ConfigError: a bad request.
        SourceError: a source that cannot be read, or has no frames.
        BoxError, WeightsError, LearningError: see :class:`~..tracker.Tracker`.
    """
    check_outputs(request)
    stream = open_source(request.source, request.topic)
    tracker = build_tracker(request.config)
    with contextlib.closing(tracker), _outputs(request, stream.rate_hz) as outputs:
        results = _tracked(tracker, stream, request.box, outputs, console)
    if request.boxes is not None:
        write_boxes(request.boxes, results)
    console.print(_summary(results, tracker))


def check_outputs(request: Request) -> None:
    """Whether what is to be written can be, before an hour of tracking and not after it.

    Raises:
        ConfigError: a file with another ending than its kind has, or a name that a folder has.
    """
    wanted = (
        ("--output", request.output, ".mp4"),
        ("--boxes", request.boxes, ""),
        ("--rerun", request.rerun, ".rrd"),
    )
    for name, path, suffix in wanted:
        if path is None:
            continue
        if suffix and path.suffix.lower() != suffix:
            raise ConfigError(f"{name} expects a {suffix} file, got '{path}'")
        if path.is_dir():
            raise ConfigError(f"{name} expects a file, and '{path}' is a folder")
        if not path.parent.is_dir():
            raise ConfigError(f"{name}: the folder '{path.parent}' does not exist")


def write_boxes(path: Path, results: list[TrackResult]) -> None:
    """One ``x,y,w,h`` line a frame."""
    lines = [f"{r.box.x:.3f},{r.box.y:.3f},{r.box.w:.3f},{r.box.h:.3f}\n" for r in results]
    path.write_text("".join(lines), encoding="utf-8")


@contextlib.contextmanager
def _outputs(request: Request, rate_hz: float) -> Iterator[list[Output]]:
    with contextlib.ExitStack() as stack:
        outputs: list[Output] = []
        if request.output is not None:
            outputs.append(_on_video(stack.enter_context(VideoWriter(request.output, rate_hz))))
        if request.rerun is not None or request.is_viewed:
            from ..rerun_log import RerunLog  # noqa: PLC0415 - an extra of its own

            log = stack.enter_context(RerunLog(request.rerun, is_viewed=request.is_viewed))
            outputs.append(log.write)
        yield outputs


def _on_video(writer: VideoWriter) -> Output:
    def write(frame: Frame, result: TrackResult, overlay: Image) -> None:
        writer.write(side_by_side(draw_result(frame.image, result), overlay))

    return write


def _tracked(
    tracker: Tracker, stream: Source, box: BoundingBox, outputs: list[Output], console: Console
) -> list[TrackResult]:
    results: list[TrackResult] = []
    with _progress(stream.count, console) as step:
        for frame in stream.frames:
            result = tracker.update(frame) if results else tracker.init(frame, box)
            results.append(result)
            if outputs:
                overlay = attention_overlay(tracker.attention(frame, result.box), frame.height)
                for output in outputs:
                    output(frame, result, overlay)
            step(result)
    if not results:
        raise SourceError("the source has no frames")
    return results


@contextlib.contextmanager
def _progress(total: int | None, console: Console) -> Iterator[Callable[[TrackResult], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("tracking", total=total, state="learning the target")

        def step(result: TrackResult) -> None:
            progress.update(task, advance=1, state=f"{result.status.value} {result.confidence:.2f}")

        yield step


def _summary(results: list[TrackResult], tracker: Tracker) -> Table:
    latency_ms = np.array([sum(result.timings_s.values()) for result in results[1:] or results]) * 1e3
    statistics = tracker.statistics
    statuses = {status: sum(result.status is status for result in results) for status in TrackStatus}
    table = Table("", "", show_header=False, title="recip-tracker")
    table.add_row("frames", str(len(results)))
    for status, count in statuses.items():
        table.add_row(f"  {status.value}", str(count))
    table.add_row("first fit", f"{sum(results[0].timings_s.values()):.2f} s")
    table.add_row("frames per second", f"{1e3 / latency_ms.mean():.1f}")
    table.add_row("latency median", f"{np.median(latency_ms):.1f} ms")
    table.add_row("latency p99", f"{np.percentile(latency_ms, 99):.1f} ms")
    table.add_row("updates", str(statistics.completed - 1))
    if statistics.failed:
        table.add_row("failed updates", f"{statistics.failed} (last: {escape(str(statistics.failure))})")
    return table
