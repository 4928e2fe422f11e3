"""Candidates around the last box."""

import numpy as np
import pytest

from recip_tracker_core.geometry import centers
from recip_tracker_core.proposals import GaussianProposer
from recip_tracker_core.types import BoundingBox, Frame

FRAME = Frame(np.zeros((150, 200, 3), np.uint8))
PROPOSER = GaussianProposer(count=500, translation=0.5, translation_searching=1.5, scale_step=1.05)


def proposed(last: BoundingBox, searching: bool = False, seed: int = 0) -> np.ndarray:
    return PROPOSER.propose(FRAME, None, last, searching=searching, generator=np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("searching", "reach_px"),
    [pytest.param(False, 10, id="following"), pytest.param(True, 30, id="searching")],
)
def test_the_search_reaches_further_while_the_target_is_not_found(searching: bool, reach_px: float) -> None:
    last = BoundingBox(80, 60, 20, 20)
    boxes = proposed(last, searching)
    assert boxes.shape == (500, 4)
    assert np.abs(centers(boxes) - last.center).max() == pytest.approx(reach_px, abs=1e-3)


def test_candidates_at_the_border_have_their_centres_in_the_image() -> None:
    x, y = centers(proposed(BoundingBox(190, -5, 20, 20), searching=True)).T
    assert x.max() <= 200 + 1e-3
    assert y.min() >= -1e-3


def test_the_generator_alone_decides_the_candidates() -> None:
    last = BoundingBox(80, 60, 20, 20)
    np.testing.assert_array_equal(proposed(last, seed=3), proposed(last, seed=3))
    assert not np.array_equal(proposed(last, seed=3), proposed(last, seed=4))
