"""``recip-tracker``: the tracker without ROS, from the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np

try:
    import typer
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from .sources import Source, open_source
    from .video import VideoWriter
except ImportError as error:  # pragma: no cover
    raise SystemExit(
        f"recip-tracker needs the 'cli' extra ({error}): pip install 'recip_tracker_ros[cli]'"
    ) from error

from .build import build_tracker
from .drawing import attention_overlay, draw_result, side_by_side
from .errors import ConfigError, RecipTrackerError, SourceError
from .parameter_files import read_config
from .tracker import Tracker
from .types import BoundingBox, TrackResult, TrackStatus
from .weights_command import app as weights

# Options that several commands have.
SourcePath = Annotated[Path, typer.Argument(help="A video file, a folder of images, or a ROS bag.")]
TargetBox = Annotated[str, typer.Option(help="The target in the first frame: X,Y,W,H in pixels.")]
ConfigName = Annotated[
    str | None, typer.Option(help="Parameter file, as the node reads it, or a preset: default, paper.")
]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="A parameter: name=value; repeatable.")]
BagTopic = Annotated[str | None, typer.Option(help="Image topic of a bag.")]
DeviceName = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Seed = Annotated[int | None, typer.Option(help="Seed of every random draw.")]
DatasetFolder = Annotated[Path, typer.Option(help="Folder of a benchmark, or of clips in OTB's layout.")]
DatasetFormat = Annotated[str, typer.Option("--format", help="auto, otb, got10k, lasot, uav123 or vot.")]
SequenceNames = Annotated[str, typer.Option(help="Comma separated names; all by default.")]
FrameLimit = Annotated[int | None, typer.Option(min=2, help="Frames of each sequence; all by default.")]
ResultsFolder = Annotated[Path, typer.Option(help="Result files; runs kept there are not made again.")]
WorkerCount = Annotated[int | None, typer.Option(min=1, help="Processes; one a core by default.")]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Follow one target chosen at run time.")
app.add_typer(weights, name="weights")
console = Console()


@app.callback()
def _root() -> None:
    """Follow one target chosen at run time."""


@app.command()
def track(
    source: SourcePath,
    init: TargetBox,
    output: Annotated[Path | None, typer.Option(help="Annotated video to write (.mp4).")] = None,
    boxes: Annotated[Path | None, typer.Option(help="Boxes to write, one x,y,w,h line a frame.")] = None,
    config: ConfigName = None,
    set_: Assignments = None,
    topic: BagTopic = None,
    device: DeviceName = None,
    seed: Seed = None,
) -> None:
    """Track a target through SOURCE.

    No frame is dropped and equal seeds give equal boxes: learning runs inline, whatever a parameter file
    says, unless --set update.updater=background.
    """
    try:
        box = parsed_box(init)
        check_outputs(output, boxes)
        settings = read_config(config, set_ or [], device, seed)
        stream = open_source(source, topic)
        tracker = build_tracker(settings)
        with contextlib.closing(tracker):
            results = _tracked(tracker, stream, box, output)
        if boxes is not None:
            write_boxes(boxes, results)
        console.print(_summary(results, tracker))
    except (RecipTrackerError, OSError) as error:
        raise _failed(error) from error


@app.command()
def trax(
    config: ConfigName = None,
    set_: Assignments = None,
    device: DeviceName = None,
    seed: Seed = None,
) -> None:
    """Follow targets for a TraX client such as the VOT toolkit, which starts this itself.

    Learning runs inline, as in `track`; errors go to standard error, as the rest belongs to the protocol.
    """
    try:
        from .evaluation.trax import serve  # noqa: PLC0415, no other command needs its libraries
    except ImportError as error:
        raise SystemExit(
            f"recip-tracker trax needs the 'trax' extra ({error}): pip install 'recip_tracker_ros[cli,trax]'"
        ) from error
    try:
        settings = read_config(config, set_ or [], device, seed)
        serve(lambda: build_tracker(settings))
    except RecipTrackerError as error:
        Console(stderr=True).print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error


@app.command()
def evaluate(
    dataset: DatasetFolder,
    trackers: Annotated[
        str,
        typer.Option(help="Comma separated: recip, csrt, kcf, mil, nanotrack, null, recip:name=value:..."),
    ] = "recip",
    format_: DatasetFormat = "auto",
    sequences: SequenceNames = "",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of a tracker that draws by chance.")] = 1,
    limit: FrameLimit = None,
    stress: Annotated[
        bool, typer.Option("--stress", help="With made absences, jumps and look-alikes.")
    ] = False,
    stress_seed: Annotated[int, typer.Option(min=0, help="Which ones: of their places and kinds.")] = 0,
    realtime: Annotated[
        float | None, typer.Option(min=0.1, help="Also as a stream of so many frames a second, not waiting.")
    ] = None,
    nanotrack: Annotated[Path | None, typer.Option(help="Folder of NanoTrack's two ONNX files.")] = None,
    results: ResultsFolder = Path("results"),
    report: Annotated[Path | None, typer.Option(help="Folder for index.html and its plots.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for all figures.")] = None,
    workers: WorkerCount = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
) -> None:
    """Run trackers over a benchmark, score them, and show how they compare.

    The protocol is one-pass evaluation. A run that was cut goes on where it stopped.
    """
    try:
        from .evaluation.command import Request  # noqa: PLC0415 - an extra of its own
        from .evaluation.command import evaluate as evaluated  # noqa: PLC0415
    except ImportError as error:  # pragma: no cover
        raise SystemExit(
            f"recip-tracker evaluate needs the 'evaluation' extra ({error}): "
            "pip install 'recip_tracker_ros[cli,evaluation]'"
        ) from error
    try:
        evaluated(
            Request(
                dataset=dataset,
                format=format_,
                sequences=names(sequences),
                trackers=names(trackers),
                nanotrack=nanotrack,
                seeds=seeds,
                limit=limit,
                stress_seed=stress_seed if stress else None,
                rate_hz=realtime,
                results=results,
                report=report,
                json=json,
                workers=workers,
                scheduler=scheduler,
            ),
            console,
        )
    except (RecipTrackerError, OSError) as error:
        raise _failed(error) from error


@app.command()
def ablate(
    dataset: DatasetFolder,
    tracker: Annotated[
        str, typer.Option(help="What is varied: recip:name=value:..., without a weight.")
    ] = "recip:preset=paper",
    lambdas: Annotated[str, typer.Option(help="Comma separated weights of Table 1.")] = "0,1,2,3,4,5,6,7,8",
    chosen: Annotated[float, typer.Option(help="Of them the one in Table 2.")] = 5.0,
    format_: DatasetFormat = "auto",
    sequences: SequenceNames = "",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 3,
    limit: FrameLimit = None,
    results: ResultsFolder = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder for tables.md and tables.json.")] = Path("ablation"),
    workers: WorkerCount = None,
) -> None:
    """Make the paper's Tables 1 and 2 over a benchmark, our figures beside the paper's.

    The baseline (lambda 0), attentive features and the attentive classifier are one tracker with one switch.
    """
    try:
        from .evaluation.ablation import Ablation  # noqa: PLC0415 - an extra of its own
        from .evaluation.ablation import ablate as ablated  # noqa: PLC0415
        from .evaluation.command import Request  # noqa: PLC0415
    except ImportError as error:  # pragma: no cover
        raise SystemExit(
            f"recip-tracker ablate needs the 'evaluation' extra ({error}): "
            "pip install 'recip_tracker_ros[cli,evaluation]'"
        ) from error
    try:
        request = Request(
            dataset=dataset,
            format=format_,
            sequences=names(sequences),
            trackers=(),
            nanotrack=None,
            seeds=seeds,
            limit=limit,
            stress_seed=None,
            rate_hz=None,
            results=results,
            report=None,
            json=None,
            workers=workers,
            scheduler=None,
        )
        ablated(Ablation(tracker, parsed_weights(lambdas), chosen), request, out, console)
    except (RecipTrackerError, OSError) as error:
        raise _failed(error) from error


def parsed_weights(text: str) -> tuple[float, ...]:
    """``0,1,5`` as numbers.

    Raises:
        ConfigError: anything else.
    """
    try:
        return tuple(float(part) for part in names(text))
    except ValueError:
        raise ConfigError(f"expected weights as 0,1,5, got '{text}'") from None


@app.command()
def explain(
    source: SourcePath,
    init: TargetBox,
    out: Annotated[Path, typer.Option(help="Folder for index.html, its pictures and its figures.")],
    config: Annotated[
        str | None,
        typer.Option(help="Parameter file or preset (paper); by default the paper's way at a lower price."),
    ] = None,
    set_: Assignments = None,
    topic: BagTopic = None,
    device: DeviceName = None,
    seed: Seed = None,
    frames: Annotated[
        str,
        typer.Option(help="How many frames to follow, of which four are shown; or those to show: 1,20,40."),
    ] = "60",
    iterations: Annotated[
        int, typer.Option(help="Steps of the first fit, whatever first_fit.iterations is.")
    ] = 200,
) -> None:
    """Show what the attention term does: SOURCE's target learned and followed with it and without.

    The pictures are those of the paper: attention maps over the first fit, and attention, confidence and
    boxes while tracking; beside them the course of maps and losses.
    """
    try:
        from .explaining.base import BASE  # noqa: PLC0415, no other command needs its libraries
        from .explaining.command import Request  # noqa: PLC0415
        from .explaining.command import explain as explained  # noqa: PLC0415
    except ImportError as error:  # pragma: no cover
        raise SystemExit(
            f"recip-tracker explain needs the 'evaluation' extra ({error}): "
            "pip install 'recip_tracker_ros[cli,evaluation]'"
        ) from error
    try:
        explained(
            Request(
                source=source,
                topic=topic,
                box=parsed_box(init),
                config=read_config(config, set_ or [], device, seed, BASE),
                frames=frames,
                iterations=iterations,
                out=out,
            ),
            console,
        )
    except (RecipTrackerError, OSError) as error:
        raise _failed(error) from error


def names(text: str) -> tuple[str, ...]:
    """A comma separated list, without the empty ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parsed_box(text: str) -> BoundingBox:
    """``X,Y,W,H`` as a box.

    Raises:
        BoxError: four numbers that are no box.
        ConfigError: anything else.
    """
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"expected a box as X,Y,W,H in pixels, got '{text}'") from None
    return BoundingBox(x, y, w, h)


def check_outputs(output: Path | None, boxes: Path | None) -> None:
    """Whether what is to be written can be, before an hour of tracking and not after it.

    Raises:
        ConfigError: a video that is no ``.mp4``, or a name that a folder has.
    """
    if output is not None and output.suffix.lower() != ".mp4":
        raise ConfigError(f"--output expects a .mp4 file, got '{output}'")
    for name, path in (("--output", output), ("--boxes", boxes)):
        if path is not None and path.is_dir():
            raise ConfigError(f"{name} expects a file, and '{path}' is a folder")
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"{name}: the folder '{path.parent}' does not exist")


def write_boxes(path: Path, results: list[TrackResult]) -> None:
    """One ``x,y,w,h`` line a frame."""
    lines = [f"{r.box.x:.3f},{r.box.y:.3f},{r.box.w:.3f},{r.box.h:.3f}\n" for r in results]
    path.write_text("".join(lines), encoding="utf-8")


def _failed(error: Exception) -> typer.Exit:
    console.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
    return typer.Exit(2)


def _tracked(tracker: Tracker, stream: Source, box: BoundingBox, output: Path | None) -> list[TrackResult]:
    results: list[TrackResult] = []
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(VideoWriter(output, stream.rate_hz)) if output is not None else None
        step = stack.enter_context(_progress(stream.count))
        for frame in stream.frames:
            result = tracker.update(frame) if results else tracker.init(frame, box)
            results.append(result)
            if writer is not None:
                overlay = attention_overlay(tracker.attention(frame, result.box), frame.height)
                writer.write(side_by_side(draw_result(frame.image, result), overlay))
            step(result)
    if not results:
        raise SourceError("the source has no frames")
    return results


@contextlib.contextmanager
def _progress(total: int | None) -> Iterator[Any]:
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


def main() -> None:
    """Entry point."""
    app()
