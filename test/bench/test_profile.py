"""What the profile counts, and on whose account."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("typer")

BENCH = str(Path(__file__).parents[2] / "bench")
sys.path.append(BENCH)  # at the end: nothing there may stand before another module of its name

import profile_frame
from profile_parts import FIRST_FIT, FRAME, LESSON, STAGES, TRACED, shown
from profile_peaks import Operations, Peaks
from profile_tracing import REST, Lap, Traced, Tracer, arrays_in

from recip_tracker_core import TrackerConfig, features
from recip_tracker_core.crops import Crop
from recip_tracker_core.parameters import replaced
from recip_tracker_core.ridge import Moments, RidgeMemory, Weighted

pytestmark = pytest.mark.slow

SAMPLES = Weighted(torch.ones(4, 3), torch.ones(4, 1), torch.ones(4))
SMALL = {"device": "cpu", "update.updater": "inline", "map.region_px": 128, "map.target_px": 40.0}


class Ticks:
    """Grows by one with each reading, and by what it is told."""

    def __init__(self) -> None:
        self.value = 0.0

    def __call__(self) -> float:
        self.value += 1
        return self.value


def test_no_module_of_the_benches_hides_one_of_the_standard_library() -> None:
    assert not {path.stem for path in Path(BENCH).glob("*.py")} & sys.stdlib_module_names


def test_what_is_counted_is_the_innermost_stages() -> None:
    tracer = Tracer(Ticks())
    outer = Traced("outer", "ridge:RidgeMemory.solved", begins="a lap")
    with tracer.installed([outer, Traced("inner", "ridge:Moments.mixed")]):
        memory = RidgeMemory(Moments.mean([SAMPLES])).with_frame(SAMPLES, 1.0)
        memory.solved(0.1, 0.5, 1)
    (lap,) = tracer.laps["a lap"]
    # Readings: outer begins, inner begins, inner ends, outer ends.
    assert lap.counts == {"outer": 2, "inner": 1}


def test_calls_outside_of_any_part_are_not_laps() -> None:
    tracer = Tracer(Ticks())
    with tracer.installed([Traced("moments", "ridge:Moments.mean")]):
        Moments.mean([SAMPLES])
    assert not tracer.laps


def test_functions_are_themselves_again_afterwards() -> None:
    before = features.aligned_maps, vars(Moments)["mean"], vars(RidgeMemory)["solved"]
    with pytest.raises(ZeroDivisionError), Tracer(Ticks()).installed(TRACED):
        assert vars(Moments)["mean"] is not before[1]
        raise ZeroDivisionError
    assert (features.aligned_maps, vars(Moments)["mean"], vars(RidgeMemory)["solved"]) == before


def test_a_function_that_is_gone_is_named() -> None:
    gone = Traced("moments", "ridge:Moments.gone")
    with pytest.raises(LookupError, match=r"ridge:Moments\.gone"), Tracer(Ticks()).installed([gone]):
        pass


def test_a_stage_moves_what_it_is_given_and_gives_back_but_not_what_stays_inside() -> None:
    lap, given, inner, made = Lap(), torch.zeros(10), torch.zeros(20), np.zeros(5, np.uint8)
    lap.counts["stage"] = 1
    lap.gives("stage", [given, {"again": given}])
    lap.makes("stage", inner)
    lap.gives("stage", inner)
    lap.makes("stage", made)
    lap.end()
    assert lap.moved("stage") == {"cpu": 40 + 5}


def test_a_ridge_memory_holds_the_arrays_of_its_moments() -> None:
    moments = Moments.mean([SAMPLES])
    assert [array.shape for array in arrays_in([RidgeMemory(moments)])] == [(3, 3), (3, 1)]


def test_only_the_part_of_an_image_that_a_crop_shows_is_read() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    crop = Crop(np.array([190.0, 50.0]), scale=2.0, side_px=80)
    assert shown(crop, image).shape == (40, 30, 3)  # ten of its forty columns are beyond the border


@pytest.mark.parametrize(
    ("work", "flops"),
    [
        pytest.param(lambda x: x @ x, 2 * 6**3, id="product"),
        pytest.param(torch.linalg.cholesky, 6**3 / 3, id="factorisation"),
        pytest.param(lambda x: torch.cholesky_solve(x[:, :2], x), 2 * 6**2 * 2, id="solution"),
    ],
)
def test_operations_are_counted(work, flops: float) -> None:
    with Operations() as counter:
        work(torch.eye(6))
    assert counter.total == flops


def test_a_floor_is_that_of_the_scarcer() -> None:
    peaks = Peaks(flops=1e9, bytes_per_s={"cpu": 1e8})
    assert peaks.floor_s(2e9, {"cpu": 1e8}) == 2
    assert peaks.floor_s(2e9, {"cpu": 5e8}) == 5


@pytest.fixture(scope="module")
def laps() -> Iterator[dict[str, list[Lap]]]:
    with Operations() as counter:
        tracer = Tracer(lambda: counter.total, sees_arrays=True)
        config = replaced(TrackerConfig(), SMALL | {"backbone.engine": "torch"})
        yield profile_frame.traced(config, tracer, frames=24, fits=1)


def test_every_stage_of_a_real_tracker_is_found(laps: dict[str, list[Lap]]) -> None:
    assert set(laps) == {FRAME, LESSON, FIRST_FIT}
    seen = {stage for of_part in laps.values() for lap in of_part for stage in lap.counts}
    assert seen == set(STAGES)
    assert len(laps[FRAME]) == 24


def test_the_network_asks_for_most_of_a_frames_operations_and_for_its_weights(
    laps: dict[str, list[Lap]],
) -> None:
    for lap in laps[FRAME]:
        assert lap.counts["network"] > 0.8 * profile_frame.total(lap)
        assert sum(lap.moved("network").values()) > 2e6  # 0.6 million weights of four bytes


def test_shares_of_a_part_add_up_and_the_worst_stage_is_named() -> None:
    timed, counted = Lap(), Lap()
    timed.counts |= {"crop": 0.001, "network": 0.008, REST: 0.001}
    counted.counts |= {"crop": 0.0, "network": 4e6, REST: 0.0}
    costs = profile_frame.costs([timed], [counted], Peaks(1e9, {"cpu": 1e9}))
    assert sum(cost.share for cost in costs) == pytest.approx(1)
    assert [cost.floor_ms for cost in costs] == [0, pytest.approx(4), None]
    assert "'network' is the most above its floor: 4.0 ms of 5.0 ms" in profile_frame.verdict(FRAME, costs)
