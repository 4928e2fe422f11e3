"""``recip-tracker ablate``."""

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
    with extra("evaluation", "ablate"):
        from ..evaluation import ablation  # noqa: PLC0415
        from ..evaluation.command import Request  # noqa: PLC0415
        from .parsing import names, parsed_weights  # noqa: PLC0415
    with refusals():
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
        varied = ablation.Ablation(tracker, parsed_weights(lambdas), chosen)
        ablation.ablate(varied, request, out, console)
