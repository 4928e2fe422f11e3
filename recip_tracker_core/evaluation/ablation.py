"""``recip-tracker ablate``: Tables 1 and 2 of the paper, in its layout, ours beside its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..errors import ConfigError
from .command import Request, evaluate
from .tables import UNKNOWN

# Distance precision at 20 pixels and area under the overlap curve on OTB-2013, from the paper.
PAPER_BY_LAMBDA: Mapping[float, tuple[float, float]] = {
    0: (0.911, 0.671),
    1: (0.917, 0.688),
    2: (0.936, 0.694),
    3: (0.941, 0.704),
    4: (0.940, 0.704),
    5: (0.944, 0.704),
    6: (0.938, 0.701),
    7: (0.929, 0.695),
    8: (0.911, 0.684),
}
PAPER_BY_KIND = {
    "Baseline": (0.911, 0.671),
    "Baseline + Attentive Features": (0.932, 0.686),
    "Baseline + Attentive Classifier": (0.944, 0.704),
}
BASELINE, FEATURES, CLASSIFIER = PAPER_BY_KIND


@dataclass(frozen=True, slots=True)
class Ablation:
    """What is compared.

    Attributes:
        tracker: as :func:`.entries.entries` reads it, without a weight of its own.
        weights: lambda of Table 1, with 0.
        chosen: of them the one in Table 2.
    """

    tracker: str
    weights: tuple[float, ...]
    chosen: float

    def by_weight(self, weight: float) -> str:
        """The name of the tracker with that lambda."""
        return f"{self.tracker}:attention.weight={weight}"

    @property
    def by_kind(self) -> dict[str, str]:
        """The names of the trackers of Table 2."""
        plain = self.by_weight(0.0)
        return {
            BASELINE: plain,
            FEATURES: f"{plain}:classifier.weighs_features=true",
            CLASSIFIER: self.by_weight(self.chosen),
        }


def ablate(ablation: Ablation, request: Request, out: Path, console: Console) -> None:
    """Run what is missing through the evaluation, and write ``tables.md`` and ``tables.json``.

    Args:
        request: all but its trackers.
        out: folder; it is made.

    Raises:
        ConfigError, SourceError: as :func:`.command.evaluate`; weights that make no table.
    """
    check(ablation)
    out.mkdir(parents=True, exist_ok=True)
    names = tuple(dict.fromkeys([*map(ablation.by_weight, ablation.weights), *ablation.by_kind.values()]))
    scores = evaluate(replace(request, trackers=names), console)["trackers"]
    tables = {
        "Table 1": table_of(
            {f"{weight:g}": scores[ablation.by_weight(weight)] for weight in ablation.weights},
            {f"{weight:g}": figures for weight, figures in PAPER_BY_LAMBDA.items()},
        ),
        "Table 2": table_of({kind: scores[name] for kind, name in ablation.by_kind.items()}, PAPER_BY_KIND),
    }
    text = as_markdown(tables, ablation, request)
    (out / "tables.md").write_text(text, encoding="utf-8")
    (out / "tables.json").write_text(json.dumps(tables, indent=2) + "\n", encoding="utf-8")
    console.print(text, soft_wrap=True)


def check(ablation: Ablation) -> None:
    """Whether the weights make both tables.

    Raises:
        ConfigError: otherwise.
    """
    if 0.0 not in ablation.weights or ablation.chosen not in ablation.weights or ablation.chosen == 0:
        raise ConfigError(
            "lambdas are expected to hold 0 and the chosen one, which is above 0, "
            f"got {list(ablation.weights)} and {ablation.chosen:g}"
        )


def table_of(
    ours: Mapping[str, Mapping[str, Any]], paper: Mapping[str, tuple[float, float]]
) -> dict[str, dict[str, str]]:
    """Rows of a table by name, each with its text by column; a dash where the paper has no figure."""
    known = {column: paper.get(column, (None, None)) for column in ours}
    return {
        "DP, ours": {column: f"{score['dp20']:.3f}" for column, score in ours.items()},
        "OS, ours": {
            column: f"{score['auc']:.3f}"
            + (f" ± {score['auc_std']:.3f}" if score["auc_std"] is not None else "")
            for column, score in ours.items()
        },
        "DP, the paper's": {column: _text(figures[0]) for column, figures in known.items()},
        "OS, the paper's": {column: _text(figures[1]) for column, figures in known.items()},
    }


def _text(figure: float | None) -> str:
    return UNKNOWN if figure is None else f"{figure:.3f}"


def as_markdown(tables: Mapping[str, dict[str, dict[str, str]]], ablation: Ablation, request: Request) -> str:
    """Both tables with what was run."""
    console = Console(width=400, no_color=True)
    with console.capture() as written:
        console.print(
            f"Tables 1 and 2 of the paper: `{ablation.tracker}` on `{request.dataset.name}`, "
            f"{request.seeds} seeds; the paper's figures are on OTB-2013 with VGG-M.",
            soft_wrap=True,
            markup=False,
        )
        for name, rows in tables.items():
            shown = Table(box=box.MARKDOWN)
            shown.add_column(name)
            for column in next(iter(rows.values())):
                shown.add_column(column, justify="right")
            for row, cells in rows.items():
                shown.add_row(row, *cells.values())
            console.print()
            console.print(shown)
    return "\n".join(line.strip() for line in written.get().splitlines()) + "\n"
