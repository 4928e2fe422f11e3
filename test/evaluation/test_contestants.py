"""Each of them follows something, and what it cannot follow is a result too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from recip_tracker_core.evaluation.entries import entries
from recip_tracker_core.evaluation.running import Job, perform
from recip_tracker_core.evaluation.sequences import Sequence
from recip_tracker_core.geometry import iou


@pytest.mark.parametrize("kind", ["csrt", "mil"])
def test_a_tracker_of_opencv_follows_a_target(kind: str, rendered_sequence: Callable[..., Sequence]) -> None:
    sequence = rendered_sequence(frames=12)
    record = perform(Job(*entries([kind], None, bool), sequence, seed=0))
    assert np.median(iou(record.boxes, sequence.truth)) > 0.5
    assert not record.has_confidence


def test_a_lost_tracker_of_opencv_says_so_and_its_box_stays(
    rendered_sequence: Callable[..., Sequence],
) -> None:
    sequence = rendered_sequence(frames=12, hidden=range(4, 12))
    record = perform(Job(*entries(["kcf"], None, bool), sequence, seed=0))
    assert not record.tracked[-1]
    assert (record.boxes[-1] == record.boxes[-2]).all()
    assert (record.boxes[:, 2:] > 0).all()


@pytest.mark.parametrize("kind", ["mil", "csrt", "recip"])
@pytest.mark.parametrize(
    "box", [(40, 40, 3, 3), (-60, -60, 30, 30), (0, 0, 160, 120)], ids=["tiny", "outside", "all of it"]
)
def test_a_box_that_cannot_be_followed_is_a_result_and_no_failure(
    kind: str, box: tuple[float, ...], rendered_sequence: Callable[..., Sequence]
) -> None:
    sequence = rendered_sequence(frames=3)
    sequence = replace(sequence, truth=np.tile(np.array(box, np.float64), (3, 1)))
    record = perform(Job(*entries([kind], None, bool), sequence, seed=0))
    assert len(record) == 3
    assert np.isfinite(record.boxes).all()
    assert record.has_confidence == (kind == "recip")
