"""The page of an explanation, and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..config import TrackerConfig
from ..evaluation.pages import rendered
from ..geometry import iou
from ..parameters import Parameter, describe
from ..types import TrackResult, TrackStatus
from .plots import PANELS, SPREAD, spread
from .run import SIDES, Explanation

TEMPLATE = Path(__file__).parent / "page.html.j2"
UNREAD = {"map", "ridge", "locator", "refiner", "rivals", "gate", "confidence", "recovery"}  # by this tracker


def figures_of(explanation: Explanation, config: TrackerConfig, name: str) -> dict[str, Any]:
    """All that the pictures show, as numbers."""
    stories = explanation.stories
    return {
        "source": name,
        "configuration": {parameter.name: parameter.value for parameter in read_parameters(config)},
        "shown": [moment.frame.index for moment in explanation.moments],
        "courses": {side: dict(stories[side].courses) for side in SIDES},
        "spread_of_the_pictures": {
            side: {str(stop): spread(picture) for stop, picture in sorted(stories[side].attention.items())}
            for side in SIDES
        },
        "frames": {side: [answer(result) for result in stories[side].results] for side in SIDES},
    }


def answer(result: TrackResult) -> dict[str, Any]:
    """What a tracker said of a frame."""
    box = [round(float(value), 3) for value in result.box.as_array()]
    return {"box": box, "status": result.status.value, "confidence": result.confidence}


def read_parameters(config: TrackerConfig) -> list[Parameter]:
    """The parameters that the paper's tracker reads."""
    return [parameter for parameter in describe(config) if parameter.name.split(".")[0] not in UNREAD]


def ends(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each course: its mean over the last quarter of the first fit, and what is wanted of it."""
    rows = []
    for name, title, wish in (panel for row in PANELS for panel in row):
        courses = {side: figures["courses"][side][name] for side in SIDES}
        means = {side: float(np.mean(course[-(-len(course) * 3 // 4) :])) for side, course in courses.items()}
        rows.append({"title": title, "wish": wish, **means})
    return rows


def tracks(figures: dict[str, Any]) -> dict[str, Any]:
    """How both sides fared behind the first frame, and the mean overlap of their boxes."""
    found = {side: figures["frames"][side][1:] for side in SIDES}
    boxes = {side: np.array([one["box"] for one in found[side]]) for side in SIDES}
    tracked = {side: sum(one["status"] == TrackStatus.TRACKED.value for one in found[side]) for side in SIDES}
    return {
        "frames": len(boxes["with"]),
        "tracked": tracked,
        "overlap": float(iou(boxes["with"], boxes["without"]).mean()),
    }


def page_of(figures: dict[str, Any], pictures: dict[str, bytes], config: TrackerConfig) -> str:
    """One file that needs nothing else."""
    return rendered(
        TEMPLATE,
        figures=figures,
        pictures=pictures,
        parameters=read_parameters(config),
        defaults={parameter.name: parameter.value for parameter in describe(TrackerConfig())},
        ends=ends(figures),
        tracks=tracks(figures),
        spread=SPREAD,
    )
