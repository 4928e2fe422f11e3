"""``recip-tracker track``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Assignments,
    BagTopic,
    ConfigName,
    DeviceName,
    Seed,
    SourcePath,
    TargetBox,
    console,
    extra,
    refusals,
)


def track(
    source: SourcePath,
    init: TargetBox,
    output: Annotated[Path | None, typer.Option(help="Annotated video to write (.mp4).")] = None,
    boxes: Annotated[Path | None, typer.Option(help="Boxes to write, one x,y,w,h line a frame.")] = None,
    rerun: Annotated[Path | None, typer.Option(help="Log to write for the Rerun viewer (.rrd).")] = None,
    view: Annotated[bool, typer.Option("--view", help="Watch in the Rerun viewer.")] = False,
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
    with extra("cli", "track"):
        from ..parameter_files import read_config  # noqa: PLC0415
        from . import track_run  # noqa: PLC0415
        from .parsing import parsed_box  # noqa: PLC0415
    if rerun is not None or view:
        with extra("viz", "track --view" if view else "track --rerun"):
            from .. import rerun_log  # noqa: F401, PLC0415 - absent, it is said before a target is learned
    with refusals():
        request = track_run.Request(
            source=source,
            topic=topic,
            box=parsed_box(init),
            config=read_config(config, set_ or [], device, seed),
            output=output,
            boxes=boxes,
            rerun=rerun,
            is_viewed=view,
        )
        track_run.track(request, console)
