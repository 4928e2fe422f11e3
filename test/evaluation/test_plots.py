"""The figures of a report: who stands where, and who is in front."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

for library in ("matplotlib", "sklearn"):
    pytest.importorskip(library)

from matplotlib.figure import Figure

from recip_tracker_core.evaluation.honesty_plots import reliability_plot
from recip_tracker_core.evaluation.looks import looks
from recip_tracker_core.evaluation.plots import (
    precision_plot,
    realtime_plot,
    seeds_plot,
    speed_plot,
    spread_plot,
    success_plot,
)


def score(auc: float | None, dp20: float | None = None, **known: Any) -> dict[str, Any]:
    """A tracker whose curves fall and rise in a straight line."""
    curves = {"success": np.linspace(1, 0, 21).tolist(), "precision": np.linspace(0, 1, 51).tolist()}
    unknown = dict.fromkeys(("fps", "realtime", "reliability", "ece"))
    return {"auc": auc, "dp20": dp20, "attributes": {}, **curves, **unknown, **known}


def summary(**trackers: dict[str, Any]) -> dict[str, Any]:
    return {"trackers": trackers}


def legend(figure: Figure | None) -> list[str]:
    assert figure is not None
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_each_legend_ranks_by_its_own_figure() -> None:
    found = summary(a=score(0.5, 0.6), b=score(0.25, 0.75), c=score(None))
    assert legend(success_plot(found)) == ["a [0.500]", "b [0.250]"]
    assert legend(precision_plot(found)) == ["b [0.750]", "a [0.600]"]


def test_our_trackers_are_drawn_thicker_and_over_the_others() -> None:
    figure = success_plot(summary(other=score(0.9), recip=score(0.1)))
    assert figure is not None
    other, ours = figure.axes[0].lines
    assert ours.get_linewidth() > other.get_linewidth()
    assert ours.get_zorder() > other.get_zorder()


def test_many_trackers_are_told_apart() -> None:
    names = [f"tracker{number}" for number in range(20)] + [f"recip{number}" for number in range(6)]
    found = looks({"trackers": {name: score(0.5) for name in names}})
    assert len({(look.color, str(look.line)) for look in found.values()}) == len(names)


def test_a_tracker_looks_the_same_wherever_it_stands_in_a_legend() -> None:
    found = summary(a=score(0.5, 0.6), b=score(0.25, 0.75))
    success, precision = success_plot(found), precision_plot(found)
    assert success is not None
    assert precision is not None
    first = {line.get_label()[0]: line.get_color() for line in success.axes[0].lines}
    second = {line.get_label()[0]: line.get_color() for line in precision.axes[0].lines[1:]}
    assert first == second


def test_only_trackers_with_a_known_speed_are_points_and_no_name_covers_another() -> None:
    close = {name: score(0.5 + 0.01 * at, fps=20.0 + at) for at, name in enumerate(("one", "two", "three"))}
    figure = speed_plot(summary(slow=score(0.4), unscored=score(None, fps=3.0), **close))
    assert figure is not None
    names = figure.axes[0].texts
    assert {text.get_text() for text in names} == set(close)
    extents = [text.get_window_extent() for text in names]
    assert not any(one.overlaps(other) for at, one in enumerate(extents) for other in extents[:at])


def test_real_time_stands_beside_offline() -> None:
    live = {"rate_hz": 30.0, "auc": 0.25, "dp20": None, "os50": None, "looked_at": 0.5}
    figure = realtime_plot(summary(a=score(0.75, realtime=live), b=score(0.5)))
    assert figure is not None
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.75, 0.25]
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "0.750 offline",
        "0.250 real time, 50% of frames",
    ]


def test_seeds_are_dots_at_their_means_over_the_sequences() -> None:
    marks = {"a": {"x": {0: 0.25, 1: 0.5}, "y": {0: 0.75, 1: 0.5}}, "b": {"x": {0: 0.5}}}
    found = summary(a=score(0.5), b=score(0.5))
    seeds = seeds_plot(marks, found)
    assert seeds is not None
    assert [line.get_xdata().tolist() for line in seeds.axes[0].lines] == [[0.5], [0.5, 0.5], [0.5], [0.5]]
    spread = spread_plot(marks, found)
    assert legend(spread) == ["a"]  # of one seed there is no spread
    assert spread is not None
    rows = [label.get_text() for label in spread.axes[0].get_yticklabels()]
    assert rows == ["x", "y"]  # both a quarter wide, so by name


def test_without_a_second_seed_there_is_no_spread() -> None:
    marks = {"a": {"x": {0: 0.25}}}
    assert seeds_plot(marks, summary(a=score(0.5))) is None
    assert spread_plot(marks, summary(a=score(0.5))) is None


def test_an_empty_bin_of_confidence_is_not_drawn() -> None:
    bins = {"confidence": [0.25, None], "good": [0.5, None], "count": [4, 0]}
    figure = reliability_plot(summary(a=score(0.5, reliability=bins, ece=0.25)))
    assert figure is not None
    _, curve = figure.axes[0].lines
    assert (curve.get_xdata().tolist(), curve.get_ydata().tolist()) == ([0.25], [0.5])
    assert curve.get_label() == "a [ECE 0.250]"


@pytest.mark.parametrize("draw", [success_plot, precision_plot, speed_plot, realtime_plot, reliability_plot])
def test_a_figure_without_numbers_is_none(draw: Any) -> None:
    assert draw(summary(a=score(None))) is None
