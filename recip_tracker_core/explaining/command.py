"""``recip-tracker explain``: the pictures of the paper, of one target, in a folder."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..config import TrackerConfig
from ..errors import ConfigError, SourceError
from ..parameters import replaced
from ..sources import open_source
from ..tracker import visible_target
from ..types import BoundingBox
from .page import figures_of, page_of
from .plots import draw_pictures
from .run import check_explained, explained

SHOWN = 4  # frames, where nobody says which
MOST_SHOWN = 12  # that still make a picture
LEAST_ITERATIONS = 4  # of which each quarter is shown
TASKS = {"with": "first fit with the term", "without": "first fit without", "frames": "frames"}


@dataclass(frozen=True)
class Request:
    """What the user asked for; the command line's options, checked where they are used.

    Attributes:
        source, topic: see :func:`~..sources.open_source`.
        box: of the target in the first frame.
        config: with the attention term.
        frames: how many are followed, or a list of those that are shown.
        iterations: steps of the first fit.
        out: folder to write.
    """

    source: Path
    topic: str | None
    box: BoundingBox
    config: TrackerConfig
    frames: str
    iterations: int
    out: Path


def explain(request: Request, console: Console) -> None:
    """Learn with the attention term and without, and write what there is to see.

    Raises:
        ConfigError: a bad request.
        SourceError: a source that cannot be read, or is too short.
        BoxError, WeightsError, LearningError: see :class:`~..tracker.Tracker`.
    """
    check_explained(request.config)
    if request.iterations < LEAST_ITERATIONS:
        raise ConfigError(
            f"--iterations expects at least {LEAST_ITERATIONS}, as attention is shown after each quarter, "
            f"got {request.iterations}"
        )
    config = replaced(request.config, {"first_fit.iterations": request.iterations})
    count, shown = chosen_frames(request)
    if request.out.exists() and not request.out.is_dir():
        raise ConfigError(f"--out expects a folder, and '{request.out}' is a file")
    request.out.mkdir(parents=True, exist_ok=True)
    totals = {"with": request.iterations, "without": request.iterations, "frames": count}
    with bars(console) as progress:
        tasks = {name: progress.add_task(TASKS[name], total=total) for name, total in totals.items()}
        explanation = explained(
            config,
            itertools.islice(open_source(request.source, request.topic).frames, count),
            request.box,
            shown,
            lambda name: progress.advance(tasks[name]),
        )
    figures = figures_of(explanation, config, short_name(request.source))
    pictures = draw_pictures(explanation)
    files = {f"{name}.png": png for name, png in pictures.items()}
    files["explain.json"] = (json.dumps(figures, indent=2, allow_nan=False) + "\n").encode()
    files["index.html"] = page_of(figures, pictures, config).encode()
    for name, content in files.items():
        write(request.out / name, content)
    console.print(f"page: {escape(str(request.out / 'index.html'))}", soft_wrap=True)


def chosen_frames(request: Request) -> tuple[int, tuple[int, ...]]:
    """How many frames are followed, and which of them are shown.

    Raises:
        ConfigError: text that is no number or list, or a frame that the source has not.
        BoxError: a box that is not in the first frame.
        SourceError: a source of one frame.
    """
    wanted = parsed_frames(request.frames)
    limit = wanted if isinstance(wanted, int) else wanted[-1] + 1
    count = 0
    for frame in itertools.islice(open_source(request.source, request.topic).frames, limit):
        if count == 0:
            visible_target(request.box, frame)
        count += 1
    if count < 2:
        raise SourceError(
            f"'{request.source}' has {count} frame{'' if count == 1 else 's'}, expected at least 2"
        )
    if isinstance(wanted, int):
        return count, tuple(np.unique(np.linspace(1, count - 1, SHOWN).round().astype(int)).tolist())
    if wanted[-1] >= count:
        raise ConfigError(
            f"--frames expects frames up to {count - 1}, the last of '{request.source}', got {wanted[-1]}"
        )
    return count, wanted


def short_name(path: Path) -> str:
    """The end of a path: many a folder of images has a name that tells nothing."""
    return "/".join(path.resolve().parts[-2:])


def parsed_frames(text: str) -> int | tuple[int, ...]:
    """``60`` as how many frames are followed; ``1,20,40`` as those that are shown, in order.

    Raises:
        ConfigError: anything else.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and "," not in text and numbers[0] >= 2:
        return numbers[0]
    if 2 <= len(numbers) <= MOST_SHOWN and min(numbers) >= 1 and len(set(numbers)) == len(numbers):
        return tuple(sorted(numbers))
    raise ConfigError(
        "--frames expects how many frames to follow, at least 2, or a list of 2 to "
        f"{MOST_SHOWN} different ones to show, from 1, such as 1,20,40; got '{text}'"
    )


def write(path: Path, content: bytes) -> None:
    """A file that is there as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def bars(console: Console) -> Progress:
    """Of each first fit, and of the frames."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)
