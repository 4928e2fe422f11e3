"""In which order a device does what several threads ask of it."""

from __future__ import annotations

import pytest
import torch

from recip_tracker_core.lanes import Lane


@pytest.mark.parametrize("is_urgent", [True, False])
def test_what_was_begun_in_a_lane_has_ended_when_it_is_left(device: torch.device, is_urgent: bool) -> None:
    lane = Lane(device, is_urgent=is_urgent)
    given = torch.arange(1000.0, device=device)
    with lane.entered():
        total = given.square().sum()
        if device.type == "cuda":
            assert torch.cuda.current_stream(device) != torch.cuda.default_stream(device)
    if device.type == "cuda":
        assert torch.cuda.current_stream(device) == torch.cuda.default_stream(device)
        assert torch.cuda.default_stream(device).query()
    assert total.item() == pytest.approx(332833500.0, rel=1e-5)


def test_a_lane_may_be_entered_within_another(device: torch.device) -> None:
    frames, learning = Lane(device, is_urgent=True), Lane(device, is_urgent=False)
    with frames.entered():
        seen = torch.ones(1000, device=device)
        with learning.entered():
            learned = seen * 2
        assert (learned + seen).sum().item() == 3000


def test_an_error_in_a_lane_leaves_it(device: torch.device) -> None:
    lane = Lane(device, is_urgent=True)
    with pytest.raises(ValueError, match="a reason"), lane.entered():
        raise ValueError("a reason")
    with lane.entered():
        assert torch.ones(1, device=device).item() == 1
