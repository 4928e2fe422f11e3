"""At which turn in the image plane the witness is said to see the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from recip_tracker_core.confidence import Signals
from recip_tracker_core.crops import Crop
from recip_tracker_core.locator import Response
from recip_tracker_core.observing import Asking, Sight, View
from recip_tracker_core.stories import Clock, Story, told
from recip_tracker_core.turns import Turned, reconsidered

AT_PX = np.arange(2.0, 160.0, 4.0)
MIDDLE, SIZE = np.full(2, 80.0), np.full(2, 40.0)
NOTHING = Response(np.zeros((40, 40), np.float32), AT_PX)
SEEN = Signals(peak=0.9, sharpness=10.0, strength=1.0, likeness=0.3, rivalry=0.5, strangeness=0.5)


class KnownTarget:
    """What is read of what is known."""

    first_peak = 0.9

    def __init__(self, turns: int) -> None:
        self.turns = turns


def high(value: float, at_px: tuple[float, float] = (80.0, 80.0)) -> Response:
    """A filter that answers at one place, in units of a first peak."""
    values = np.zeros((40, 40), np.float32)
    values[int(at_px[1]) // 4, int(at_px[0]) // 4] = value * KnownTarget.first_peak
    return Response(values, AT_PX)


class Witness:
    """That sees the target at some turns.

    Attributes:
        asked: at which turns it was.
    """

    def __init__(self, seen: dict[int, Response]) -> None:
        self._seen, self.asked = seen, ()

    def answered(self, askings: Sequence[Asking]) -> list[list[Response]]:
        self.asked = askings[0].turns
        return [[high(0.5), *(self._seen.get(turn, NOTHING) for turn in one.turns)] for one in askings]


def seen_by(witness: Witness, turn: int, likeness: float = 0.3, turns: int = 12) -> Turned | None:
    crop = Crop.around(MIDDLE, SIZE, 40.0, 160)
    view = View(torch.zeros(1, 20, 20), crop, MIDDLE, SIZE, NOTHING, NOTHING)
    signals = replace(SEEN, likeness=likeness)
    sight = Sight(view, MIDDLE, signals, lambda: signals)
    return told(Story(reconsidered(witness, sight, KnownTarget(turns), turn), Clock()))


def test_a_target_that_is_more_like_the_first_frame_a_step_on_has_turned() -> None:
    turned = seen_by(Witness({0: high(0.3), 1: high(0.2), 11: high(0.5)}), 0)
    assert turned.turn == 11
    assert turned.view.witness.near(MIDDLE, 10) == pytest.approx(0.45)
    assert turned.view.finder.near(MIDDLE, 10) == pytest.approx(0.45)  # the mean of .45 and .45
    assert turned.holds(SEEN, replace(SEEN, likeness=0.4))
    assert not turned.holds(SEEN, replace(SEEN, likeness=0.33))  # its new peak is hardly more like it


def test_only_the_neighbours_and_the_upright_one_are_asked() -> None:
    witness = Witness({7: high(0.9)})
    assert seen_by(witness, 4) is None
    assert witness.asked == (0, 3, 5)


@pytest.mark.parametrize(
    ("turn", "likeness", "turns"),
    [
        pytest.param(0, 0.7, 12, id="an-upright-one-that-is-well-known"),
        pytest.param(0, 0.1, 1, id="one-that-is-known-upright-alone"),
    ],
)
def test_nobody_is_asked_about(turn: int, likeness: float, turns: int) -> None:
    witness = Witness({1: high(0.9)})
    assert seen_by(witness, turn, likeness, turns) is None
    assert witness.asked == ()


@pytest.mark.parametrize("at_px", [(80.0, 80.0), (20.0, 130.0)], ids=["here", "elsewhere"])
def test_what_the_upright_filter_sees_as_clearly_anywhere_has_not_turned(at_px: tuple[float, float]) -> None:
    assert seen_by(Witness({0: high(0.48, at_px), 1: high(0.5)}), 0) is None


def test_a_turned_target_is_upright_again_where_that_is_seen_much_more_clearly() -> None:
    turned = seen_by(Witness({0: high(0.5, (20.0, 130.0)), 5: high(0.5)}), 4)
    assert turned.turn == 0
    assert turned.holds(SEEN, replace(SEEN, likeness=0.0))  # which the place it was at does not have to show
    assert turned.view.finder.values.max() == pytest.approx(0.45)  # the finder's own again
    assert seen_by(Witness({0: high(0.24, (20.0, 130.0))}), 4, likeness=0.1) is None  # little, anyway


def test_a_target_that_is_well_known_at_its_turn_goes_on_turning() -> None:
    assert seen_by(Witness({3: high(0.9)}), 4, likeness=0.7).turn == 3
    assert seen_by(Witness({1: high(0.6), 0: high(0.7)}), 1, likeness=0.64).turn == 0
    assert seen_by(Witness({3: high(0.74)}), 4, likeness=0.7) is None


def test_a_far_place_is_not_the_targets() -> None:
    assert seen_by(Witness({1: high(0.9, (20.0, 20.0))}), 0) is None
