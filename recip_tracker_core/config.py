"""Every tunable value, said once: its default, meaning, unit and bounds.

The ROS parameters, ``config/tracker.yaml``, the table in the README and ``--set`` are all derived
from the dataclasses here (see :mod:`.parameters`), and tested equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def option(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """A field that carries what its type cannot: meaning with unit, inclusive bounds, choices, liveness."""
    metadata = {"meaning": meaning, "low": low, "high": high, "choices": choices, "live": live}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Backbone:
    """The frozen convolutional network."""

    name: str = option("efficientnet_lite0", "Frozen network that gives the features.")
    weights: str = option("", "Weights file; empty takes the file that the backbone's package ships.")


@dataclass(frozen=True)
class Features:
    """From image and boxes to what the classifier reads."""

    mode: str = option(
        "map",
        "Where features come from: 'map' samples candidates from one pass over a search region.",
        choices=("map", "crops"),
    )
    stages: tuple[str, ...] = option(("s8", "s16"), "Backbone stages that are read, finest first.")
    region_px: int = option(
        288, "Side of the search region as the network sees it, pixels.", low=96, high=1024
    )
    target_px: float = option(
        64.0, "Side of the target (root of its area) in that region, pixels.", low=16.0, high=512.0
    )
    grid: int = option(3, "Bins a side into which the features of a box are pooled.", low=2, high=9)


@dataclass(frozen=True)
class Attention:
    """The reciprocative regulariser of the paper (Eq. 1-5)."""

    level: str = option(
        "features",
        "Where attention maps are taken: 'input', a backbone stage, or 'features' (what the head reads).",
    )
    weight: float = option(
        0.08,
        "Lambda of Eq. 5, the weight of the regulariser in each sample's loss; 0 turns it off. "
        "The released code's effective weight is 5/64.",
        low=0.0,
        high=100.0,
    )


@dataclass(frozen=True)
class Classifier:
    """Three fully connected layers that tell the target from its background."""

    hidden: int = option(256, "Units in each of the two hidden layers.", low=8, high=4096)
    dropout: float = option(0.5, "Share of hidden units dropped in learning.", low=0.0, high=0.95)
    witness_share: float = option(
        0.5,
        "Share of the score that the witness gives: the head as the first frame left it, never updated.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class Optimizer:
    """Stochastic gradient descent, as every fit and update uses it."""

    momentum: float = option(0.9, "Momentum.", low=0.0, high=0.999)
    weight_decay: float = option(5e-4, "Weight decay.", low=0.0, high=1.0)
    clip_norm: float = option(10.0, "Bound on the norm of the gradient.", low=1e-3, high=1e6)
    positives: int = option(32, "Positive samples a step.", low=1, high=4096)
    negatives: int = option(32, "Negative samples a step.", low=1, high=4096)
    mined_from: int = option(
        32,
        "Negatives drawn a step, of which the hardest are learned; as many as 'negatives': no mining.",
        low=1,
        high=65536,
    )


@dataclass(frozen=True)
class FirstFit:
    """Learning from the first frame."""

    positives: int = option(500, "Positive samples (overlap 0.7 to 1).", low=1, high=100000)
    negatives: int = option(
        5000,
        "Negative samples (overlap below 0.5), half of them all over the image, as far as nine views reach.",
        low=1,
        high=100000,
    )
    iterations: int = option(50, "Steps of gradient descent.", low=1, high=10000)
    learning_rate: float = option(3e-3, "Learning rate.", low=1e-8, high=1.0)


@dataclass(frozen=True)
class Update:
    """Learning while tracking."""

    updater: str = option(
        "background",
        "Where learning runs: 'background' in a thread of its own, "
        "'inline' before the frame returns (deterministic).",
        choices=("background", "inline"),
    )
    interval: int = option(10, "Frames between long-term updates.", low=1, high=100000, live=True)
    positives: int = option(
        50, "Positive samples (overlap 0.7 to 1) remembered of a tracked frame.", low=1, high=10000
    )
    negatives: int = option(
        200, "Negative samples (overlap below 0.3) remembered of a tracked frame.", low=1, high=10000
    )
    iterations: int = option(15, "Steps of gradient descent.", low=1, high=10000)
    learning_rate: float = option(3e-3, "Learning rate.", low=1e-8, high=1.0)


@dataclass(frozen=True)
class Memory:
    """How many tracked frames are learned from; the first frame always is."""

    long_frames: int = option(100, "Frames of positives for long-term updates.", low=1, high=10000)
    short_frames: int = option(
        20, "Frames of negatives, and of positives for updates at failure.", low=1, high=10000
    )


@dataclass(frozen=True)
class Search:
    """Where candidates are drawn in the next frame."""

    candidates: int = option(256, "Candidate boxes a frame.", low=8, high=16384)
    translation: float = option(
        0.6,
        "Furthest displacement of a candidate (two standard deviations), in target sizes.",
        low=0.0,
        high=10.0,
    )
    translation_lost: float = option(
        1.5, "The same, after a frame in which the target was not found.", low=0.0, high=10.0
    )
    scale_step: float = option(
        1.05,
        "Base of the candidates' scale: size is multiplied by base to the power of a normal deviate.",
        low=1.0,
        high=2.0,
    )
    best: int = option(5, "Best candidates whose mean is the target.", low=1, high=1024)
    size_gain: float = option(
        0.5, "Share of a measured change of size that is followed in one frame.", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class Regression:
    """Ridge regression from features to the correction of a box."""

    samples: int = option(
        1000,
        "Boxes around the first one (overlap 0.6 to 1) that train it; 0 turns regression off.",
        low=0,
        high=5000,
    )
    ridge: float = option(1000.0, "Ridge penalty, against features of unit variance.", low=1e-3, high=1e9)
    size_share: float = option(
        0.0,
        "Share of the size's correction that is applied; the centre's always is. On features of a shared "
        "map the size's correction makes boxes shrink.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class Confidence:
    """From scores to an answer."""

    tracked: float = option(
        0.3, "Confidence from which a frame is tracked, and learned from.", low=0.0, high=1.0, live=True
    )
    lost_after: int = option(
        10, "Frames in a row below it after which the target is lost.", low=1, high=100000, live=True
    )


@dataclass(frozen=True)
class TrackerConfig:
    """The whole configuration of the tracker."""

    device: str = option(
        "auto", "Where torch computes: 'auto' (CUDA where there is one), 'cpu', 'cuda' or 'cuda:N'."
    )
    threads: int = option(
        1,
        "Threads that torch and OpenCV use for one operation on the CPU; 0 leaves theirs alone.",
        low=0,
        high=1024,
    )
    seed: int = option(0, "Seed of every random draw.", low=0, high=2**31 - 1)
    backbone: Backbone = field(default_factory=Backbone)
    features: Features = field(default_factory=Features)
    attention: Attention = field(default_factory=Attention)
    classifier: Classifier = field(default_factory=Classifier)
    optimizer: Optimizer = field(default_factory=Optimizer)
    first_fit: FirstFit = field(default_factory=FirstFit)
    update: Update = field(default_factory=Update)
    memory: Memory = field(default_factory=Memory)
    search: Search = field(default_factory=Search)
    regression: Regression = field(default_factory=Regression)
    confidence: Confidence = field(default_factory=Confidence)


@dataclass(frozen=True)
class NodeConfig:
    """What the ROS node has beside the tracker's own; the command line reads past it."""

    autostart: bool = option(True, "Whether the node configures and activates itself.")
    attention_rate_hz: float = option(
        2.0, "Highest rate of the attention image, pictures a second.", low=0.01, high=60.0, live=True
    )
