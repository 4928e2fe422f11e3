"""How far a click gets: the box that is grown around it, and boxes of fixed size, against the true one.

``.venv/bin/python bench/pointing.py DATASET_FOLDER [--every 50]``

Nine clicks a frame: on the middle of the true box, and on eight places up to a quarter of its sides away; on
the first frame of each sequence (which the settings were chosen on) and on every 50th later one. Means over
sequences; time is that of one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from recip_tracker_core.evaluation.datasets import open_dataset
from recip_tracker_core.geometry import iou
from recip_tracker_core.pointing import pointed_box
from recip_tracker_core.quasirandom import points

Method = Callable[[np.ndarray, float, float], np.ndarray]


def grown(image: np.ndarray, x: float, y: float) -> np.ndarray:
    return pointed_box(image, x, y).box.as_array()


def fixed(share: float, aspect: float) -> Method:
    """A box of that share of the image's shorter side, root of its area, and height by width."""

    def box(image: np.ndarray, x: float, y: float) -> np.ndarray:
        side = share * min(image.shape[:2])
        w, h = side / np.sqrt(aspect), side * np.sqrt(aspect)
        return np.array([x - w / 2, y - h / 2, w, h], np.float32)

    return box


METHODS: dict[str, Method] = {
    "grown": grown,
    **{f"square of {share:g}": fixed(share, 1.0) for share in (0.12, 0.16, 0.2)},
    **{f"upright of {share:g}": fixed(share, 1.6) for share in (0.12, 0.16, 0.2)},
}


def clicks(truth: np.ndarray, width: int, height: int) -> Iterator[tuple[float, float]]:
    places = np.vstack([[0.5, 0.5], 0.25 + 0.5 * points(8, 2, 0, 0)])
    for x, y in truth[:2] + places * truth[2:]:
        yield float(np.clip(x, 0, width - 1)), float(np.clip(y, 0, height - 1))


def main(
    dataset: Annotated[Path, typer.Argument(help="Folder of a benchmark, or of clips in OTB's layout.")],
    every: Annotated[int, typer.Option(min=1, help="Of the later frames.")] = 50,
) -> None:
    """Print overlaps by method, on first frames and on later ones."""
    cv2.setNumThreads(1)
    sequences = open_dataset(dataset, "auto").sequences
    kept: dict[tuple[str, str], list[list[float]]] = {}
    spent_s: list[float] = []
    for sequence in track(sequences, "clicking"):
        later = [index for index in range(every, len(sequence), every) if sequence.is_present[index]]
        for part, indices in (("first", [0]), ("later", later)):
            found: dict[str, list[float]] = {name: [] for name in METHODS}
            for index in indices:
                image, truth = sequence.frame(index).image, sequence.truth[index]
                for x, y in clicks(truth, image.shape[1], image.shape[0]):
                    for name, method in METHODS.items():
                        began = time.thread_time()
                        box = method(image, x, y)
                        if name == "grown":
                            spent_s.append(time.thread_time() - began)
                        found[name].append(float(iou(box[None], truth)[0]))
            for name, overlaps in found.items():
                if overlaps:
                    kept.setdefault((part, name), []).append(overlaps)
    table = Table("frames", "method", "mean overlap", "over .5", "over .3")
    for (part, name), runs in kept.items():
        shares = [np.mean([np.mean(np.array(run) > least) for run in runs]) for least in (0.5, 0.3)]
        mean = np.mean([np.mean(run) for run in runs])
        table.add_row(part, name, f"{mean:.3f}", *(f"{share:.2f}" for share in shares))
    console = Console()
    console.print(table)
    median, p95 = np.percentile(1e3 * np.array(spent_s), [50, 95])
    console.print(f"growing takes {median:.0f} ms, {p95:.0f} ms at the 95th percentile")


if __name__ == "__main__":
    typer.run(main)
