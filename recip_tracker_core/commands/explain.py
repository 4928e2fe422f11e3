"""``recip-tracker explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Assignments, BagTopic, DeviceName, Seed, SourcePath, TargetBox, console, extra, refusals


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
    with extra("evaluation", "explain"):
        from ..explaining import command  # noqa: PLC0415
        from ..explaining.base import BASE  # noqa: PLC0415
        from ..parameter_files import read_config  # noqa: PLC0415
        from .parsing import parsed_box  # noqa: PLC0415
    with refusals():
        request = command.Request(
            source=source,
            topic=topic,
            box=parsed_box(init),
            config=read_config(config, set_ or [], device, seed, BASE),
            frames=frames,
            iterations=iterations,
            out=out,
        )
        command.explain(request, console)
