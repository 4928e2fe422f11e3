"""What several tests of the evaluation share: clips on disk whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from recip_tracker_core.evaluation.sequences import Sequence


@pytest.fixture
def rendered_sequence(rendered_clip: Callable[..., list], tmp_path: Path) -> Callable[..., Sequence]:
    """``rendered_sequence(name, frames, seed, hidden)``: a folder in OTB's layout, and the sequence in it."""

    def made(name: str = "clip", frames: int = 8, seed: int = 0, hidden: range = range(0)) -> Sequence:
        folder = tmp_path / "dataset" / name
        (folder / "img").mkdir(parents=True)
        clip = rendered_clip(frames=frames, seed=seed, hidden=hidden)
        truth = np.array([box for _, box in clip], np.float64)
        truth[list(hidden)] = np.nan
        files = tuple(folder / "img" / f"{index + 1:04d}.png" for index in range(frames))
        for file, (image, _) in zip(files, clip, strict=True):
            cv2.imwrite(str(file), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        np.savetxt(folder / "groundtruth_rect.txt", truth, fmt="%g", delimiter=",")
        return Sequence(name, files, truth)

    return made
