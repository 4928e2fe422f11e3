"""The tables of a report: what stands in a cell, and which cell is the best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from recip_tracker_core.evaluation.sequences import Sequence
from recip_tracker_core.evaluation.tables import UNKNOWN, Table, by_attribute, by_sequence, overview


def score(**known: Any) -> dict[str, Any]:
    """A tracker of which nothing else is known."""
    unknown = (
        "auc", "dp20", "os50", "norm_precision", "fps", "auc_std", "auroc", "ece", "absent_called_tracked",
        "refound", "told_apart", "switched", "f_score", "realtime",
    )  # fmt: skip
    empty = {
        "returns": 0,
        "false_recoveries": 0,
        "look_alikes": 0,
        "seeds": 1,
        "attributes": {},
        "sequences": {},
    }
    return dict.fromkeys(unknown) | empty | known


def column(table: Table, title: str) -> dict[str, tuple[str, bool]]:
    at = table.titles.index(title)
    return {line.name: (line.cells[at].text, line.cells[at].is_best) for line in table.lines}


def test_trackers_are_ranked_by_auc_and_those_without_one_come_last() -> None:
    table = overview(
        {"trackers": {"a": score(), "b": score(auc=0.4), "recip": score(auc=0.6, auc_std=0.0123)}}
    )
    assert [line.name for line in table.lines] == ["recip", "b", "a"]
    assert [line.is_ours for line in table.lines] == [True, False, False]
    assert column(table, "AUC") == {
        "recip": ("0.600 \N{PLUS-MINUS SIGN} 0.012", True),
        "b": ("0.400", False),
        "a": (UNKNOWN, False),
    }


def test_the_best_is_the_lowest_where_less_is_better_and_nobody_where_there_is_one() -> None:
    table = overview({"trackers": {"a": score(ece=0.1, auroc=0.9), "b": score(ece=0.2)}})
    assert column(table, "ECE") == {"a": ("0.100", True), "b": ("0.200", False)}
    assert column(table, "AUROC") == {"a": ("0.900", False), "b": (UNKNOWN, False)}


def test_counts_are_in_words_and_false_recoveries_of_one_pass() -> None:
    found = score(refound=2 / 3, returns=9, false_recoveries=7, seeds=3, absent_called_tracked=0.125)
    table = overview({"trackers": {"a": found}})
    assert column(table, "refound")["a"][0] == "6 of 9"
    assert column(table, "false recov.")["a"][0] == "2.33"
    assert column(table, "absent called tracked")["a"][0] == "12.5%"


def test_real_time_has_a_column_only_where_it_was_asked_for() -> None:
    live = {"auc": 0.25, "rate_hz": 30.0, "dp20": None, "os50": None, "looked_at": 0.5}
    without = overview({"trackers": {"a": score()}})
    table = overview({"trackers": {"a": score(realtime=live), "b": score()}})
    assert dict(without.groups) == {"accuracy": 4, "speed": 1, "honesty": 6}
    assert dict(table.groups) == {"accuracy": 4, "real time": 1, "speed": 1, "honesty": 6}
    assert table.starts == (0, 4, 5, 6)
    assert [line.cells[4].text for line in table.lines] == ["0.250", UNKNOWN]


def test_look_alikes_have_columns_only_where_they_crossed_and_fewer_switches_are_better() -> None:
    titles = overview({"trackers": {"a": score()}}).titles
    assert not {"told apart", "switched"} & set(titles)
    crossed = {
        "a": score(told_apart=0.75, switched=0.25, look_alikes=8),
        "b": score(told_apart=0.5, switched=0.5, look_alikes=8),
    }
    table = overview({"trackers": crossed})
    assert column(table, "told apart") == {"a": ("6 of 8", True), "b": ("4 of 8", False)}
    assert column(table, "switched") == {"a": ("2 of 8", True), "b": ("4 of 8", False)}


def test_sequences_are_rows_with_the_mean_below_and_a_ground_by_auc() -> None:
    sequences = {"b": {"auc": 0.9, "frames": 10}, "a": {"auc": 0.1, "frames": 5}}
    table = by_sequence({"trackers": {"x": score(auc=0.5, sequences=sequences), "y": score(auc=0.2)}})
    assert table.titles == ("frames", "x", "y")
    assert [(line.name, line.is_total) for line in table.lines] == [
        ("a", False),
        ("b", False),
        ("mean", True),
    ]
    assert [[cell.text for cell in line.cells] for line in table.lines] == [
        ["5", "0.100", UNKNOWN],
        ["10", "0.900", UNKNOWN],
        ["15", "0.500", "0.200"],
    ]
    low, high = (line.cells[1].color for line in table.lines[:2])
    assert low.replace("230 120 20", "40 110 220") == high  # as far below one half as the other above


def test_attributes_are_rows_with_how_many_sequences_have_them() -> None:
    truth = np.array([[0.0, 0.0, 2.0, 2.0]])
    clips = [Sequence(name, (Path("none"),), truth, ("blur",)) for name in ("a", "b")]
    summary = {"trackers": {"x": score(attributes={"blur": 0.25})}}
    table = by_attribute(summary, clips)
    assert table is not None
    assert [(line.name, [cell.text for cell in line.cells]) for line in table.lines] == [
        ("blur", ["2", "0.250"])
    ]
    assert by_attribute(summary, []) is None
