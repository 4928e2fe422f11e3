"""What several commands have: options, and how a command ends that cannot do what it was asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ..errors import RecipTrackerError

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

console = Console()


@contextlib.contextmanager
def refusals(told: Console = console) -> Iterator[None]:
    """What cannot be done is told in one line, and ends the command with code 2."""
    try:
        yield
    except (RecipTrackerError, OSError) as error:
        told.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error


@contextlib.contextmanager
def extra(name: str, asked: str) -> Iterator[None]:
    """Libraries imported within come with an extra; where they are absent, the command ends with code 1.

    Args:
        name: of the extra.
        asked: what needs it, as the user typed it: a command, or a command and an option.
    """
    try:
        yield
    except ImportError as error:
        extras = name if name == "cli" else f"cli,{name}"
        raise SystemExit(
            f"recip-tracker {asked} needs the '{name}' extra ({error}): "
            f"pip install 'recip_tracker_ros[{extras}]'; recip-tracker doctor tells what else is missing"
        ) from error
