"""The pictures: attention over the first fit (Fig. 2), both sides on frames (Fig. 3), course of the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ..drawing import Image, heat_overlay
from ..evaluation.looks import OTHER_COLORS, OUR_COLORS, STYLE, as_png
from ..painting import AttentionPicture
from .run import SIDES, Explanation, Moment

COLORS = {"with": OUR_COLORS[0], "without": OTHER_COLORS[0]}
LINES: dict[str, Any] = {"with": "-", "without": (0, (5, 2))}
WORDS = {"with": "with the term", "without": "without"}
TALK = STYLE | {"font.size": 13, "axes.titlesize": 13, "axes.labelsize": 13, "legend.fontsize": 13}
TILE_PX, TILE_IN = 320, 2.2
DPI = 150  # of figures as wide as a slide
LEGEND_GREY = 128  # under the colours of the legend: heat maps let the picture show through
SMOOTHED = 9  # steps that a thick line is the mean of
SPREAD = "\N{GREEK SMALL LETTER SIGMA}/\N{GREEK SMALL LETTER MU}"
PANELS = (  # of the course: each column one thing, what Eq. 3 and 4 want small on top
    (
        ("target_map_of_positives", "positives: target's map", "wanted small"),
        ("background_map_of_negatives", "negatives: background's map", "wanted small"),
        ("classification", "loss: cross entropy", ""),
    ),
    (
        ("background_map_of_positives", "positives: background's map", "wanted large"),
        ("target_map_of_negatives", "negatives: target's map", "wanted large"),
        ("regularizer", "loss: regulariser", ""),
    ),
)


def draw_pictures(explanation: Explanation) -> dict[str, bytes]:
    """PNG files by the names of their figures: ``iterations``, ``frames``, ``course``."""
    drawings = {"iterations": iterations_figure, "frames": frames_figure, "course": course_figure}
    with mpl.rc_context(TALK):
        return {name: as_png(draw(explanation), DPI) for name, draw in drawings.items()}


def iterations_figure(explanation: Explanation) -> Figure:
    """Where the target's score comes from, while the first fit goes on."""
    stops = sorted(explanation.stories["with"].attention)
    figure = Figure(figsize=(2.0 + 2.1 * (1 + len(stops)), 5.4), layout="constrained")
    grid = figure.add_gridspec(2, 1 + len(stops))
    crop = figure.add_subplot(grid[:, 0])
    show(crop, explanation.stories["with"].attention[stops[0]].pixels, "the target's crop")
    panels = []
    for row, side in enumerate(SIDES):
        for column, stop in enumerate(stops):
            picture = explanation.stories[side].attention[stop]
            panel = figure.add_subplot(grid[row, column + 1])
            show(panel, heated(picture.pixels, picture.attention), f"{stop} iterations" if row == 0 else "")
            panel.set_xlabel(f"{SPREAD} {spread(picture):.2f}")
            if column == 0:
                panel.set_ylabel(WORDS[side], color=COLORS[side], fontweight="bold", fontsize=15)
            panels.append(panel)
    add_scale(figure, panels, "attention, relative to each map's maximum")
    return figure


def frames_figure(explanation: Explanation) -> Figure:
    """Some frames: both boxes, where each side looks on its target, and how sure it is of which place."""
    moments = explanation.moments
    wide = float(np.clip(moments[0].frame.width / moments[0].frame.height, 0.6, 2.0))
    across, down = TILE_IN * (wide + 4) + 1.6, TILE_IN * 1.22 * len(moments) + 0.7
    figure = Figure(figsize=(across, down), layout="constrained")
    grid = figure.add_gridspec(len(moments), 5, width_ratios=[wide, 1, 1, 1, 1])
    panels = []
    for row, moment in enumerate(moments):
        whole = figure.add_subplot(grid[row, 0])
        show(whole, moment.frame.image, "both boxes" if row == 0 else "")
        whole.set_ylabel(f"frame {moment.frame.index}")
        boxes = {side: moment.sights[side].result.box.as_array() for side in SIDES}
        add_boxes(whole, *((boxes[side], COLORS[side], LINES[side]) for side in SIDES))
        for column, tile in enumerate(tiles_of(moment), start=1):
            panel = figure.add_subplot(grid[row, column])
            show(panel, tile.image, tile.title if row == 0 else "", tile.color)
            panel.set_xlabel(tile.below)
            if tile.box is not None:
                add_boxes(panel, (tile.box, "white", "-"))
            panels.append(panel)
    add_scale(figure, panels, "attention (relative to its maximum), confidence (probability)")
    handles = [Rectangle((0, 0), 1, 1, fill=False, ec=COLORS[side], ls=LINES[side], lw=2.5) for side in SIDES]
    figure.legend(handles, [WORDS[side] for side in SIDES], loc="outside upper left", ncols=2, frameon=False)
    return figure


@dataclass(frozen=True, eq=False, slots=True)
class Tile:
    """A square beside a frame; the box is in the image's pixels."""

    title: str
    color: str
    image: Image
    below: str
    box: NDArray[np.float32] | None = None


def tiles_of(moment: Moment) -> list[Tile]:
    """Attention of each side, then confidence of each."""
    attention, confidence = [], []
    for side in SIDES:
        seen, found, words = moment.sights[side], moment.sights[side].confidence, WORDS[side]
        heat = heated(seen.attention.pixels, seen.attention.attention)
        below = f"{SPREAD} {spread(seen.attention):.2f}"
        attention.append(Tile(f"attention\n{words}", COLORS[side], heat, below))
        box = found.box * (TILE_PX / len(found.pixels))
        heat = heated(found.pixels, found.probability)
        below = f"{seen.result.status.value} {seen.result.confidence:.2f}"
        confidence.append(Tile(f"confidence\n{words}", COLORS[side], heat, below, box))
    return [*attention, *confidence]


def course_figure(explanation: Explanation) -> Figure:
    """Spread of the samples' four maps, and both terms of the loss, at each step of the first fit."""
    figure = Figure(figsize=(13.0, 6.6), layout="constrained")
    grid: NDArray[Any] = figure.subplots(2, 3, sharex=True)
    for panel, (name, title, wish) in zip(grid.flat, (one for row in PANELS for one in row), strict=True):
        for side in SIDES:
            values = np.array(explanation.stories[side].courses[name])
            steps, color = np.arange(len(values)), COLORS[side]
            panel.plot(steps, values, color=color, lw=0.8, alpha=0.35)
            panel.plot(steps, smoothed(values), color=color, ls=LINES[side], lw=2.6, label=WORDS[side])
        panel.set_title(f"{title}\n{wish}" if wish else title)
        panel.set_ylabel(f"{SPREAD} of the map" if wish else "mean of the samples")
    spreads = grid[:, :2].ravel()
    low, high = (pick(edge for panel in spreads for edge in panel.get_ylim()) for pick in (min, max))
    for panel in spreads:
        panel.set_ylim(low, high)
    for panel in grid[1]:
        panel.set_xlabel("iteration of the first fit")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def spread(picture: AttentionPicture) -> float:
    """The relative spread, sigma / mu, of the map that a picture shows."""
    return float(picture.attention.std() / max(float(picture.attention.mean()), 1e-8))


def heated(pixels: Image, heat: NDArray[np.float32]) -> Image:
    """A tile: the picture without its own colours, so that every colour is the heat's."""
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return heat_overlay(np.asarray(grey, np.uint8), heat, TILE_PX)


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) running means, over fewer values towards both ends."""
    window = np.ones(min(SMOOTHED, len(values)))
    sums, counts = (np.convolve(one, window, mode="same") for one in (values, np.ones_like(values)))
    return np.asarray(sums / counts)


def show(panel: Axes, image: Image, title: str = "", color: str = "black") -> None:
    """An image without axes."""
    panel.imshow(image)
    panel.set_title(title, color=color)
    panel.set(xticks=[], yticks=[])
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)


def add_boxes(panel: Axes, *boxes: tuple[NDArray[np.float32], str, Any]) -> None:
    """Boxes in a colour and a kind of line, the last on top, with rims that show them on any ground."""
    looks = [("black", "-", 4.0, 0.6)] * len(boxes) + [(color, line, 2.4, 1.0) for _, color, line in boxes]
    for (box, *_), (color, line, width, alpha) in zip(boxes * 2, looks, strict=True):
        x, y, w, h = map(float, box)
        corner = (x - 0.5, y - 0.5)  # a plot's first pixel spans -0.5 to 0.5
        panel.add_patch(Rectangle(corner, w, h, fill=False, ec=color, ls=line, lw=width, alpha=alpha))


def add_scale(figure: Figure, panels: list[Axes], words: str) -> None:
    """What the colours of heat maps mean: from 0 to 1, as they look over grey."""
    ramp = np.linspace(0, 1, 256, dtype=np.float32)
    grey = np.full((256, 256, 3), LEGEND_GREY, np.uint8)
    shades = heat_overlay(grey, np.repeat(ramp[None], 256, axis=0), 256)[0] / 255
    bar = figure.colorbar(ScalarMappable(cmap=ListedColormap(shades)), ax=panels, aspect=30, pad=0.02)
    bar.set_label(words)
    bar.outline.set_visible(False)
