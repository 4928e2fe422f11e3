"""The page of an evaluation: all that it has shown, in one file that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .looks import Summary, is_ours, ranked
from .metrics import Protocol, protocol_of
from .pages import rendered
from .plots import MOST_ROWS, PLOTS, draw_plots
from .records import Evaluation
from .sequences import Sequence
from .strips import STRETCH_FRAMES, TILE_PX, Stretch, Tile, film_strip, worst_stretches
from .summary import Accuracies, accuracies
from .tables import by_attribute, by_sequence, overview

TEMPLATE = Path(__file__).parent / "report.html.j2"


@dataclass(frozen=True)
class Strip:
    """A stretch and the frames that show it."""

    stretch: Stretch
    tiles: tuple[Tile, ...]


def write_report(
    evaluation: Evaluation, summary: Summary, folder: Path, scores: Accuracies | None = None
) -> Path:
    """``index.html``, and beside it every plot of it as a PNG file, for papers.

    The same evaluation gives the same files.

    Args:
        evaluation: what the trackers said; the images of its sequences are read.
        summary: its :func:`.summary.summarise`.
        folder: where to write; made if there is none.
        scores: its :func:`.summary.accuracies`, where these are known already.

    Raises:
        ConfigError: if the format is unknown.
        SourceError: if an image cannot be read.
    """
    plots = draw_plots(evaluation, summary, accuracies(evaluation) if scores is None else scores)
    folder.mkdir(parents=True, exist_ok=True)
    for name in PLOTS:
        (folder / f"{name}.png").unlink(missing_ok=True)  # of an evaluation that had such numbers
    for name, png in plots.items():
        (folder / f"{name}.png").write_bytes(png)
    path = folder / "index.html"
    path.write_text(_page(evaluation, summary, plots), encoding="utf-8")
    return path


def _page(evaluation: Evaluation, summary: Summary, plots: dict[str, bytes]) -> str:
    sequences = _sequences(evaluation)
    scores = summary["trackers"]
    return rendered(
        TEMPLATE,
        summary=summary,
        sequences=sequences,
        frames=sum(map(len, sequences)),
        seeds=sorted({run.seed for runs in evaluation.runs.values() for run in runs}),
        counting=_counting(protocol_of(evaluation.format)),
        overview=overview(summary),
        by_sequence=by_sequence(summary),
        by_attribute=by_attribute(summary, sequences),
        plots={name: plots.get(name) for name in PLOTS},
        ours=[name for name in ranked(summary) if is_ours(name)],
        without_fps=[name for name in ranked(summary) if scores[name]["fps"] is None],
        without_reliability=[name for name in ranked(summary) if scores[name]["reliability"] is None],
        rate_hz=evaluation.rate_hz,
        strips={name: _strips(evaluation, name) for name in _on_film(evaluation, summary)},
        stretch_frames=STRETCH_FRAMES,
        tile_px=TILE_PX,
        most_rows=MOST_ROWS,
    )


def _sequences(evaluation: Evaluation) -> list[Sequence]:
    found = {run.sequence.name: run.sequence for runs in evaluation.runs.values() for run in runs}
    return [found[name] for name in sorted(found)]


def _on_film(evaluation: Evaluation, summary: Summary) -> list[str]:
    """Our trackers, else the best one."""
    names = [name for name in ranked(summary) if evaluation.runs.get(name)]
    return [name for name in names if is_ours(name)] or names[:1]


def _strips(evaluation: Evaluation, name: str) -> list[Strip]:
    return [Strip(stretch, film_strip(stretch)) for stretch in worst_stretches(evaluation.runs[name])]


def _counting(protocol: Protocol) -> str:
    """What a protocol does, in words."""
    absent = "count as misses" if protocol.absent_is_miss else "are left out"
    first = "counts" if protocol.counts_first else "is left out"
    clipped = ", boxes are cut at the edge of the image" if protocol.clips_to_image else ""
    return f"frames without the target {absent}, the first frame {first}{clipped}"
