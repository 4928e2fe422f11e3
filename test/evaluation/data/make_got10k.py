"""Makes the truth and result files beside it, and got10k.json: what the got10k toolkit says of them.

The toolkit wants an environment of its own, which no test needs: ``pip install got10k==0.1.3 matplotlib``.
Its experiments are used as they are; only their datasets, which would be downloaded, are replaced by files.
"""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from got10k.experiments import ExperimentGOT10k, ExperimentOTB, ExperimentUAV123

HERE = Path(__file__).parent
FRAMES = 30
SIZE_PX = (320, 240)
SEQUENCES = {"plain": [], "hidden": range(10, 15), "leaving": range(27, 30)}  # frames without the target
TRACKERS = {"steady": 3.0, "wandering": 25.0}  # pixels that a box is off


def make_truth(absent, rng):
    center = np.cumsum(rng.normal(0, 6, (FRAMES, 2)), axis=0) + np.array([160.3, 120.7])
    center[4:7] = rng.uniform(128.1, 128.4, (3, 2))  # above a power of two, where the tools' rounding shows
    size = np.round(rng.uniform(40, 60, (FRAMES, 2)) / 2, 3) * 2  # halves have three decimals too
    truth = np.round(np.concatenate([center - size / 2, size], axis=1), 3)
    truth[17] = (-14.2, 100.4, 60, 50)  # over the left edge of the image
    truth[18] = (290.6, 205.3, 60, 50)  # over a corner
    truth[list(absent)] = np.nan
    return truth


def make_boxes(truth, off_px, rng):
    boxes = truth + rng.normal(0, off_px, truth.shape) * (1, 1, 0.3, 0.3)
    boxes[np.isnan(boxes)] = 50
    boxes[2:4] = truth[2:4] * (1, 1, 0.5, 1)  # overlap one half
    boxes[4:7] = truth[4:7] + np.array([12, 16, 0, 0])  # 20 pixels off
    boxes[7] = truth[7] + np.array([0, 7, 0, 0])  # 7 pixels off
    boxes[8] = truth[8]  # overlap one
    boxes[16] = truth[16] * (1, 1, 0, 1)  # no area
    boxes[17:19] = truth[17:19] + np.array([-9.1, 5.5, 3, 8])
    return np.round(boxes, 3)


class Dataset:
    """What an experiment asks of a dataset."""

    def __init__(self, with_meta):
        self.seq_names = list(SEQUENCES)
        self.with_meta = with_meta

    def __len__(self):
        return len(self.seq_names)

    def __getitem__(self, key):
        name = key if isinstance(key, str) else self.seq_names[key]
        truth = np.loadtxt(HERE / "truth" / f"{name}.txt", delimiter=",")
        meta = {"cover": np.isfinite(truth).all(axis=1) * 8, "resolution": str(SIZE_PX)}
        return (None, truth, meta) if self.with_meta else (None, truth)


def scored(experiment, results, scratch, bins=21, with_meta=False):
    tool = experiment.__new__(experiment)  # its __init__ would look for a download
    tool.dataset, tool.nbins_iou, tool.nbins_ce, tool.subset = Dataset(with_meta), bins, 51, "val"
    tool.result_dir, tool.report_dir = str(results), str(scratch)
    return tool.report(list(TRACKERS))


def as_got10k(scratch):
    """The same results where ExperimentGOT10k looks for them, with the times that it needs."""
    for tracker in TRACKERS:
        for name in SEQUENCES:
            folder = scratch / tracker / name
            folder.mkdir(parents=True)
            (folder / f"{name}_001.txt").write_text((HERE / tracker / f"{name}.txt").read_text())
            np.savetxt(folder / f"{name}_time.txt", np.ones(FRAMES))
    return scratch


def main():
    rng = np.random.default_rng(0)
    for name, absent in SEQUENCES.items():
        truth = make_truth(absent, rng)
        answers = {tracker: make_boxes(truth, off_px, rng) for tracker, off_px in TRACKERS.items()}
        for folder, boxes in {"truth": truth, **answers}.items():
            (HERE / folder).mkdir(exist_ok=True)
            np.savetxt(HERE / folder / f"{name}.txt", boxes, fmt="%.3f", delimiter=",")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        expected = {
            "made_with": f"got10k {version('got10k')}, numpy {np.__version__}, by make_got10k.py",
            "image_size_px": SIZE_PX,
            "otb": scored(ExperimentOTB, HERE, scratch / "otb"),
            "uav123": scored(ExperimentUAV123, HERE, scratch / "uav123"),
            "got10k": scored(ExperimentGOT10k, as_got10k(scratch / "own"), scratch / "got10k", 101, True),
        }
    (HERE / "got10k.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
