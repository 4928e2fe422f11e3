"""How far low-level segmentation gets from a click to the box that people drew, beside fixed rectangles.

``.venv/bin/python bench/pointing.py DATASET_FOLDER [--every 50] [--json out.json]``

DATASET_FOLDER holds sequences in the layout of OTB, GOT-10k, LaSOT, UAV123 or VOT. Each target is clicked on
in its middle and at eight places within a quarter of its sides from there, on first frames and on every 50th
behind them. Means over sequences; one thread of a processor, whose time is counted.

On 20 public sequences, on whose first frames the module was tuned: mean overlap .52 on first frames and .48
behind, .34 and .38 for the best square, .39 and .42 for an upright rectangle of its area (the targets are
mostly people, and behind the first frames the lead over it is within chance). One window of grabCut alone has
.48 and .46 at its best size, but finds nothing small; the most agreed on of seven windows .50 and .46. Chosen
by the same contour, centre and size: floodFill .34 and .34, MSER .41 and .37, watershed .43 and .37; none of
them adds anything to grabCut, nor do Lab, more iterations, a second pass at the box found, opening the mask,
or leaning the box towards a usual one. Boxes scored by the colours inside and around them .41, a mixture of
colour and place by EM .40, on first frames. An oracle among the windows has .64.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from recip_tracker_core import BoundingBox
from recip_tracker_core.evaluation.datasets import open_dataset
from recip_tracker_core.evaluation.sequences import Sequence
from recip_tracker_core.geometry import iou
from recip_tracker_core.pointing import pointed_box
from recip_tracker_core.quasirandom import points

Method = Callable[[NDArray[np.uint8], float, float], BoundingBox]
CLICKS = np.concatenate([np.full((1, 2), 0.5), 0.25 + points(8, 2, start=0, seed=0) / 2])  # in the true box
COLUMNS = ("overlap", "middle", "> .5", "> .3")


def main(
    dataset: Annotated[Path, typer.Argument(help="A benchmark's folder.")],
    every: Annotated[int, typer.Option(min=1, help="Which later frames are clicked on, too.")] = 50,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write each sequence's mean.")] = None,
) -> None:
    """Print one line a method, for first frames and for later ones."""
    cv2.setNumThreads(1)
    sequences = open_dataset(dataset).sequences
    results: dict[str, dict[str, dict[str, float]]] = {}
    for label, is_first in (("first frames", True), (f"every {every}th frame behind", False)):
        table = Table(title=label)
        for heading in ("box", *COLUMNS, "ms", "p95"):
            table.add_column(heading, justify="left" if heading == "box" else "right", no_wrap=True)
        clicked = [list(clicks(sequence, every, is_first=is_first)) for sequence in sequences]
        for name, method in METHODS.items():
            found = [measured(method, one) for one in track(clicked, name) if one]
            times = np.concatenate([one[1] for one in found])
            overlaps = [one[0] for one in found]
            figures = np.mean([scores(one) for one in overlaps], axis=0)
            ms = (f"{1e3 * value:.1f}" for value in (np.median(times), np.percentile(times, 95)))
            table.add_row(name, *(f"{value:.3f}" for value in figures), *ms)
            means = (round(float(one.mean()), 3) for one in overlaps)
            present = (one.name for one, of_it in zip(sequences, clicked, strict=True) if of_it)
            results.setdefault(label, {})[name] = dict(zip(present, means, strict=True))
        Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2) + "\n")


def clicks(
    sequence: Sequence, every: int, *, is_first: bool
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]]:
    """Image, (4,) true box and (9, 2) points inside the image of each frame that is clicked on."""
    frames = [0] if is_first else range(every, len(sequence), every)
    for index in frames:
        if sequence.is_present[index]:
            image, truth = sequence.frame(index).image, sequence.truth[index]
            inside = np.array(image.shape[1::-1]) - 1
            yield image, truth, np.clip(truth[:2] + CLICKS * truth[2:], 0, inside)


def measured(
    method: Method, clicked: list[tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(frames, 9) overlaps with the true box, and (frames, 9) seconds of the processor."""
    overlaps, times = [], []
    for image, truth, places in clicked:
        boxes = []
        for x, y in places:
            start = time.thread_time()
            box = method(image, float(x), float(y))
            times.append(time.thread_time() - start)
            boxes.append((box.x, box.y, box.w, box.h))
        overlaps.append(iou(np.array(boxes), truth))
    return np.array(overlaps), np.array(times)


def scores(overlaps: NDArray[np.float64]) -> tuple[float, ...]:
    """One sequence's figures, in the order of the columns."""
    return tuple(
        map(float, (overlaps.mean(), overlaps[:, 0].mean(), (overlaps > 0.5).mean(), (overlaps > 0.3).mean()))
    )


def rectangle(share: float, upright: float = 1.0) -> Method:
    """A fixed rectangle around the click.

    Args:
        share: root of its area in the image's shorter sides.
        upright: its height over its width.
    """

    def method(image: NDArray[np.uint8], x_px: float, y_px: float) -> BoundingBox:
        height, width = image.shape[:2]
        side = share * min(height, width)
        w, h = side / math.sqrt(upright), side * math.sqrt(upright)
        return BoundingBox(x_px - w / 2, y_px - h / 2, w, h).clipped(width, height)

    return method


METHODS: dict[str, Method] = {
    "pointed_box": lambda image, x_px, y_px: pointed_box(image, x_px, y_px).box,
    **{f"square of {share:g}": rectangle(share) for share in (0.1, 0.15, 0.18, 0.25)},
    "upright, 0.15": rectangle(0.15, upright=2.0),
}


if __name__ == "__main__":
    typer.run(main)
