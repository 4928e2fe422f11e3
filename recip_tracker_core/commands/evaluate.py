"""``recip-tracker evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    DatasetFolder,
    DatasetFormat,
    FrameLimit,
    ResultsFolder,
    SequenceNames,
    WorkerCount,
    console,
    extra,
    refusals,
)


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
    with extra("evaluation", "evaluate"):
        from ..evaluation import command  # noqa: PLC0415
        from .parsing import names  # noqa: PLC0415
    with refusals():
        request = command.Request(
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
        )
        command.evaluate(request, console)
