"""The tables of a report: what stands in each cell, which is the best of its kind, and how warm it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from .looks import Summary, is_ours, ranked
from .sequences import Sequence

Score = Mapping[str, Any]  # of one tracker, from the summary
UNKNOWN = "\N{EN DASH}"
HIGH, LOW = 1, -1  # which end is the better one


@dataclass(frozen=True)
class Column:
    """One figure of the table that is read first.

    Attributes:
        title: on top of it.
        group: of the columns beside each other that belong together.
        value: by which trackers compare; None where it is not known.
        text: of a value that is known.
        better: HIGH or LOW.
        is_extra: left out where it is known of no tracker, as nothing asked for it.
    """

    title: str
    group: str
    value: Callable[[Score], float | None]
    text: Callable[[Score], str]
    better: int = HIGH
    is_extra: bool = False


@dataclass(frozen=True)
class Cell:
    """One figure in a table.

    Attributes:
        text: of it.
        is_best: of those it compares with.
        color: of its ground, for CSS; empty for none.
    """

    text: str
    is_best: bool = False
    color: str = ""


@dataclass(frozen=True)
class Line:
    """A name and its figures."""

    name: str
    cells: tuple[Cell, ...]
    is_ours: bool = False
    is_total: bool = False


@dataclass(frozen=True)
class Table:
    """Figures under their titles; ``groups`` are titles over several columns, each with how many."""

    titles: tuple[str, ...]
    lines: tuple[Line, ...]
    groups: tuple[tuple[str, int], ...] = ()

    @property
    def starts(self) -> tuple[int, ...]:
        """Columns with which a group begins."""
        return tuple(accumulate((width for _, width in self.groups[:-1]), initial=0))


def _plain(title: str, group: str, key: str, form: str = ".3f", better: int = HIGH) -> Column:
    return Column(title, group, lambda score: score[key], lambda score: format(score[key], form), better)


def _auc(score: Score) -> str:
    spread = score["auc_std"]
    return f"{score['auc']:.3f}" if spread is None else f"{score['auc']:.3f} \N{PLUS-MINUS SIGN} {spread:.3f}"


def _of(key: str, count: str) -> Callable[[Score], str]:
    """A share of a count, as how many of them."""
    return lambda score: f"{round(score[key] * score[count])} of {score[count]}"


def _false_recoveries(score: Score) -> float:
    """A pass over the dataset: trackers may differ in how many seeds they have."""
    return float(score["false_recoveries"] / max(score["seeds"], 1))


COLUMNS = (
    Column("AUC", "accuracy", lambda score: score["auc"], _auc),
    _plain("DP20", "accuracy", "dp20"),
    _plain("OS50", "accuracy", "os50"),
    _plain("norm. precision", "accuracy", "norm_precision"),
    Column(
        "AUC",
        "real time",
        lambda score: score["realtime"] and score["realtime"]["auc"],
        lambda score: f"{score['realtime']['auc']:.3f}",
        is_extra=True,
    ),
    _plain("fps", "speed", "fps", ".3g"),
    _plain("AUROC", "honesty", "auroc"),
    _plain("ECE", "honesty", "ece", better=LOW),
    _plain("absent called tracked", "honesty", "absent_called_tracked", ".1%", LOW),
    Column("refound", "honesty", lambda score: score["refound"], _of("refound", "returns")),
    Column(
        "false recov.", "honesty", _false_recoveries, lambda score: f"{_false_recoveries(score):.3g}", LOW
    ),
    Column(
        "told apart",
        "honesty",
        lambda score: score["told_apart"],
        _of("told_apart", "look_alikes"),
        is_extra=True,
    ),
    Column(
        "switched",
        "honesty",
        lambda score: score["switched"],
        _of("switched", "look_alikes"),
        LOW,
        is_extra=True,
    ),
    _plain("F-score", "honesty", "f_score"),
)


def overview(summary: Summary) -> Table:
    """All trackers by rank, and what is known of each; no column for an extra that nobody has."""
    names = ranked(summary)
    scores = [summary["trackers"][name] for name in names]
    columns = [column for column in COLUMNS if not column.is_extra or _is_known(column, scores)]
    down = [_column_cells(column, scores) for column in columns]
    lines = [
        Line(name, cells, is_ours(name)) for name, cells in zip(names, zip(*down, strict=True), strict=True)
    ]
    groups = Counter(column.group for column in columns)
    return Table(tuple(column.title for column in columns), tuple(lines), tuple(groups.items()))


def by_sequence(summary: Summary) -> Table:
    """AUC of each tracker in each sequence, and its mean on the last line."""
    scores = {name: summary["trackers"][name] for name in ranked(summary)}
    frames = {row: one["frames"] for score in scores.values() for row, one in score["sequences"].items()}
    lines = [
        _warm_line(
            row, str(frames[row]), [score["sequences"].get(row, {}).get("auc") for score in scores.values()]
        )
        for row in sorted(frames)
    ]
    mean = _warm_line("mean", str(sum(frames.values())), [score["auc"] for score in scores.values()])
    return Table(("frames", *scores), (*lines, replace(mean, is_total=True)))


def by_attribute(summary: Summary, sequences: Iterable[Sequence]) -> Table | None:
    """AUC of each tracker over the sequences of each attribute; None where no sequence has any."""
    scores = {name: summary["trackers"][name] for name in ranked(summary)}
    counts = Counter(row for sequence in sequences for row in sequence.attributes)
    lines = [
        _warm_line(row, str(count), [score["attributes"].get(row) for score in scores.values()])
        for row, count in sorted(counts.items())
    ]
    return Table(("sequences", *scores), tuple(lines)) if lines else None


def _is_known(column: Column, scores: Items[Score]) -> bool:
    return any(column.value(score) is not None for score in scores)


def _column_cells(column: Column, scores: Items[Score]) -> list[Cell]:
    values = [column.value(score) for score in scores]
    texts = [
        UNKNOWN if value is None else column.text(score) for value, score in zip(values, scores, strict=True)
    ]
    return [
        Cell(text, is_best) for text, is_best in zip(texts, _are_best(values, column.better), strict=True)
    ]


def _warm_line(name: str, count: str, aucs: Items[float | None]) -> Line:
    cells = (
        Cell(UNKNOWN if auc is None else f"{auc:.3f}", is_best, _warmth(auc))
        for auc, is_best in zip(aucs, _are_best(aucs, HIGH), strict=True)
    )
    return Line(name, (Cell(count), *cells))


def _are_best(values: Items[float | None], better: int) -> list[bool]:
    """Those that no other beats; none where there is nothing to compare."""
    known = [better * value for value in values if value is not None]
    return [len(known) > 1 and value is not None and better * value == max(known) for value in values]


def _warmth(auc: float | None) -> str:
    """Orange below one half and blue above, clearer the further off; a ground for light and dark pages."""
    if auc is None:
        return ""
    ink = "230 120 20" if auc < 0.5 else "40 110 220"
    return f"rgb({ink} / {1.3 * abs(auc - 0.5):.2f})"
