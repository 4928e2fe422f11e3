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
    engine: str = option(
        "auto",
        "What computes it: 'auto' takes onnxruntime on the CPU where it and onnx are installed (half of "
        "torch's time, the same features) and CUDA graphs on a GPU (of learning steps, too), else torch; "
        "'openvino' is for CPUs.",
        choices=("auto", "torch", "onnxruntime", "openvino", "cuda_graphs"),
    )
    precision: str = option(
        "full",
        "Of its arithmetic: 'full', or 'reduced' where the device is faster with it: bfloat16, by 'openvino' "
        "or 'cuda_graphs'.",
        choices=("full", "reduced"),
    )
    threads: int = option(
        0,
        "Threads that compute it on the CPU by 'onnxruntime' or 'openvino'; 0 takes two, if there are two "
        "processors, where learning runs beside tracking, else one.",
        low=0,
        high=1024,
    )


@dataclass(frozen=True)
class Features:
    """From image and boxes to what the classifier reads ('proposals' = 'gaussian')."""

    mode: str = option(
        "map",
        "Where features come from: 'map' samples candidates from one pass over a search region, 'crops' runs "
        "each candidate's own crop through the network.",
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
    crop_px: int = option(
        112, "Side of a candidate's own crop as the network sees it, pixels ('crops').", low=32, high=512
    )
    context_px: int = option(
        8, "How much of each border of that crop lies outside of the candidate, pixels.", low=0, high=128
    )


@dataclass(frozen=True)
class Attention:
    """The reciprocative regulariser of the paper (Eq. 1-5)."""

    level: str = option(
        "features",
        "Where attention maps are taken: 'input', a backbone stage, or 'features' (what the head reads).",
    )
    reading: str = option(
        "paper",
        "How the regulariser is read: 'paper' as printed, for each sample; 'released' as the authors' code, "
        "squared gradients and one ratio a batch; or with a bounded pull: 'bounded' ratios, likeness of map "
        "and 'box', 'evened' slopes.",
        choices=("paper", "released", "bounded", "box", "evened"),
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

    enabled: bool = option(
        True, "Whether a locator has a classifier beside it; the paper's tracker is nothing without."
    )
    hidden: int = option(128, "Units in each of the two hidden layers.", low=8, high=4096)
    dropout: float = option(0.5, "Share of hidden units dropped in learning.", low=0.0, high=0.95)
    weighs_features: bool = option(
        False,
        "Whether a module of its own weighs the cells of a box, the alternative of the paper's Table 2; "
        "with 'attention.weight' = 0.",
    )
    witness_share: float = option(
        0.5,
        "Share of the score that the witness gives: the head as the first frame left it, never updated.",
        low=0.0,
        high=1.0,
    )
    rescored: float = option(
        0.0,
        "The classifier chooses among the locator's peaks lower than the best by this share at most.",
        low=0.0,
        high=1.0,
    )
    recognised: float = option(
        0.0,
        "Score that a lost target's candidate, and one that is doubted, must have.",
        low=-100.0,
        high=100.0,
    )


@dataclass(frozen=True)
class Optimizer:
    """Stochastic gradient descent, as every fit and update uses it."""

    momentum: float = option(0.9, "Momentum.", low=0.0, high=0.999)
    weight_decay: float = option(5e-4, "Weight decay.", low=0.0, high=1.0)
    clip_norm: float = option(10.0, "Bound on the norm of the gradient.", low=1e-3, high=1e6)
    reduction: str = option(
        "mean",
        "Whether a step's loss is the mean or the sum over its samples.",
        choices=("mean", "sum"),
    )
    last_layer_gain: float = option(
        1.0, "What the last layer's learning rate is multiplied by.", low=0.0, high=1000.0
    )
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

    positives: int = option(300, "Positive samples.", low=1, high=100000)
    positive_overlap: float = option(
        0.7, "Overlap with the target that a positive sample has at least.", low=0.3, high=0.95
    )
    negatives: int = option(
        2000,
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
    interval: int = option(
        20, "Frames between long-term updates of the classifier.", low=1, high=100000, live=True
    )
    positives: int = option(
        50, "Positive samples (overlap 0.7 to 1) remembered of a tracked frame.", low=1, high=10000
    )
    negatives: int = option(
        200, "Negative samples (overlap below 0.3) remembered of a tracked frame.", low=1, high=10000
    )
    iterations: int = option(10, "Steps of gradient descent.", low=1, high=10000)
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
    """Where candidates are drawn in the next frame, and what their scores mean ('proposals' = 'gaussian')."""

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
    tracked: float = option(
        0.3, "Confidence from which a frame is tracked, and learned from.", low=0.0, high=1.0, live=True
    )
    lost_after: int = option(
        10, "Frames in a row below it after which the target is lost.", low=1, high=100000, live=True
    )


@dataclass(frozen=True)
class Regression:
    """Ridge regression from features to the correction of a box ('proposals' = 'gaussian')."""

    samples: int = option(
        1000,
        "Boxes around the first one (overlap 0.6 to 1) that train it; 0 turns regression off.",
        low=0,
        high=5000,
    )
    ridge: float = option(1000.0, "Ridge penalty.", low=1e-3, high=1e9)
    penalty: str = option(
        "relative",
        "What the penalty is measured against: 'relative' to features of unit variance, or 'absolute'.",
        choices=("relative", "absolute"),
    )
    translation: float = option(
        0.15, "Farthest displacement of those boxes, in target sizes.", low=0.01, high=1.0
    )
    scale_step: float = option(1.2, "Their largest scale.", low=1.0, high=3.0)
    smallest_area: float = option(
        0.5, "Their smallest area, in areas of the target; the largest is 2.", low=0.1, high=1.9
    )
    size_share: float = option(
        0.0,
        "Share of the size's correction that is applied; the centre's always is. On features of a shared "
        "map the size's correction makes boxes shrink.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class Map:
    """The map that locator, refiner and classifier share ('proposals' = 'locator')."""

    region_px: int = option(256, "Side of the crop that a frame is seen in, pixels.", low=96, high=1024)
    target_px: float = option(
        80.0, "Side of the target (root of its area) in that crop, pixels.", low=16.0, high=512.0
    )
    color_likelihood: float = option(
        4.0,
        "Gain of the channel that says how much a pixel's colour is the target's; 0 leaves it out.",
        low=0.0,
        high=100.0,
    )


@dataclass(frozen=True)
class Ridge:
    """What filter and regression remember: running moments, the first frame's apart."""

    first_share: float = option(
        0.5, "Share that the first frame keeps, however long the target is followed.", low=0.0, high=1.0
    )
    ramp: int = option(20, "Learned frames after which the rest has the other share.", low=1, high=100000)
    forgetting: float = option(0.02, "Share of what is remembered that a frame replaces.", low=1e-4, high=0.5)
    interval: int = option(2, "Frames between two that are learned from.", low=1, high=1000, live=True)
    eager_frames: int = option(5, "First frames, all of which are learned from.", low=0, high=1000)
    solve_interval: int = option(2, "Learned frames between two solutions.", low=1, high=1000)


@dataclass(frozen=True)
class Locator:
    """The ridge filter that says where the target is."""

    grid: int = option(4, "Points a side at which it reads the map over a box.", low=2, high=9)
    label_deviation: float = option(
        0.12, "Width of the Gaussian that it learns to answer with, in boxes.", low=0.01, high=1.0
    )
    ridge: float = option(0.1, "Ridge penalty, in mean squares of a feature.", low=1e-6, high=1e3)
    positive_share: float = option(
        0.3, "Share of the weight that samples of the target have together.", low=0.01, high=0.99
    )
    hard_weight: float = option(
        4.0, "Extra weight of a background that it takes for the target.", low=0.0, high=100.0
    )
    window: float = option(
        0.6, "What a displacement by half a crop costs a peak, as a share of its height.", low=0.0, high=1.0
    )
    turns: int = option(
        12,
        "Equal steps of a turn in the image plane in which a compact target is known; 1: upright alone.",
        low=1,
        high=36,
    )


@dataclass(frozen=True)
class Refiner:
    """The ridge regression from the map to the correction of a box."""

    grid: int = option(4, "Points a side at which it reads the map over a box.", low=2, high=9)
    extent: float = option(1.25, "Side over which they are spread, in boxes.", low=0.5, high=3.0)
    ridge: float = option(0.3, "Ridge penalty, in mean squares of a feature.", low=1e-6, high=1e3)
    jitter_center: float = option(
        0.12, "Farthest displacement of a jittered box, in boxes.", low=0.01, high=0.5
    )
    jitter_size: float = option(0.15, "Farthest change of its size, natural logarithm.", low=0.01, high=0.7)
    jitter_aspect: float = option(0.06, "Farthest change of its aspect, the same.", low=0.01, high=0.7)
    first_samples: int = option(200, "Jittered boxes of each view of the first frame.", low=8, high=10000)
    samples: int = option(96, "Jittered boxes of each later frame that is learned from.", low=8, high=10000)
    candidates: int = option(24, "Jittered boxes whose answers are averaged in a frame.", low=2, high=1024)
    center_gain: float = option(0.5, "Share of the centre's correction that is followed.", low=0.0, high=1.0)
    center_ramp: int = option(20, "Frames over which that share is reached.", low=1, high=10000)
    size_gain: float = option(0.8, "Share of the size's correction that is followed.", low=0.0, high=1.0)
    size_step: float = option(1.06, "Largest change of size in one frame.", low=1.0, high=2.0)
    aspect_gain: float = option(0.4, "Share of the aspect's correction that is followed.", low=0.0, high=1.0)
    aspect_pull: float = option(
        0.05, "Share of the way back to the first frame's aspect, each frame.", low=0.0, high=1.0
    )
    doubt_pull: float = option(
        0.1,
        "Share of the way back to the last safe size, each frame that is not believed.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class Rivals:
    """Look-alikes of the target, which are followed, too, so that the box does not change over."""

    enabled: bool = option(True, "Whether the response's other peaks are followed.")
    peak: float = option(
        0.35, "Height of a peak, against the target's usual one, from which it is one.", low=0.0, high=1.0
    )
    reach: float = option(
        0.5, "Distance in boxes within which a peak is where somebody was going.", low=0.05, high=2.0
    )
    well: float = option(
        0.5, "Strength of the target's own peak without which no sighting counts.", low=0.0, high=2.0
    )
    known_after: int = option(3, "Sightings after which a rival is known.", low=1, high=1000)
    forgotten_after: int = option(5, "Frames unseen after which a known one is forgotten.", low=0, high=1000)
    doubted: float = option(
        0.59,
        "Most recognition while a rival is where the target is, and then until the identity test passes; "
        "1: no doubt.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class Gate:
    """When the box moves, and which frames are learned."""

    enabled: bool = option(True, "Whether frames are judged before they are believed.")
    moves_from: float = option(
        0.35,
        "Strength of the peak, against its own history, from which the box follows it.",
        low=0.0,
        high=1.0,
    )
    full_strength: float = option(0.75, "Strength from which a frame is learned in full.", low=0.0, high=2.0)
    learns_from: float = option(0.25, "Recognition from which a frame is learned at all.", low=0.0, high=1.0)
    learns_fully_from: float = option(0.5, "Recognition from which it is learned in full.", low=0.0, high=1.0)
    history_rate: float = option(0.02, "Rate of the history's running mean.", low=1e-4, high=1.0)
    fading: float = option(
        0.998, "What is kept of the history after a frame in which the box stayed.", low=0.5, high=1.0
    )


@dataclass(frozen=True)
class Confidence:
    """From signals to an answer; recognition is how surely the first frame's filter knows the target."""

    tracked: float = option(0.6, "Recognition from which a frame is tracked.", low=0.0, high=1.0, live=True)
    sound: float = option(
        0.55,
        "Strength of the peak, against its own history, without which no frame is tracked.",
        low=0.0,
        high=2.0,
        live=True,
    )
    tracked_after: int = option(
        3, "Such frames in a row after which a target that was not tracked is.", low=1, high=1000, live=True
    )
    lost: float = option(
        0.25,
        "Recognition below which the target is lost where the box has nothing to follow, and is looked for "
        "where something else is more like it.",
        low=0.0,
        high=1.0,
        live=True,
    )
    hopeless: float = option(
        0.05, "Recognition below which it may be lost whatever the box does.", low=0.0, high=1.0, live=True
    )
    lost_after: int = option(
        5, "Such frames in a row after which the target is lost.", low=1, high=100000, live=True
    )
    rivalry: float = option(
        1.3, "How much more like the target something else must be to be looked at.", low=1.0, high=3.0
    )
    rival_likeness: float = option(
        0.25, "Likeness to the first frame that it must have itself.", low=0.0, high=1.0
    )
    smoothing: float = option(
        0.5, "Share of the newest frame in recognition and confidence.", low=0.01, high=1.0, live=True
    )


@dataclass(frozen=True)
class Recovery:
    """How a lost target is found again, and what it must show."""

    enabled: bool = option(True, "Whether a target can be lost, and is then looked for in the whole image.")
    likeness: float = option(0.3, "Likeness to the first frame that a candidate needs.", low=0.0, high=1.0)
    usual_share: float = option(
        0.6, "The same, as a share of the usual likeness while tracked.", low=0.0, high=1.0
    )
    plain_likeness: float = option(0.45, "Likeness that is enough, however much is usual.", low=0.0, high=1.0)
    rivalry: float = option(
        0.8,
        "How like the target anything else may be, as a share of the candidate's likeness.",
        low=0.0,
        high=3.0,
    )
    hits: int = option(2, "Frames in a row that must show the candidate.", low=1, high=1000)
    probation: int = option(
        10,
        "Frames within which its return must be confirmed, or what is hardly like it is lost; nothing is "
        "learned meanwhile.",
        low=1,
        high=1000,
    )
    leap: float = option(
        0.6,
        "Distance in boxes, from where the target was and from where it was going, beyond which its new "
        "place must be confirmed in the same way, unless its peak is as high as usual.",
        low=0.0,
        high=100.0,
    )
    home: int = option(
        120,
        "Frames in which a target that was found far from its last certain place is looked for there, too, "
        "every other one, and goes back if it is there; 0: never.",
        low=0,
        high=100000,
    )
    zoom: float = option(
        0.5, "Scale of the coarse views that cover the image, against a frame's own.", low=0.05, high=1.0
    )
    most_tiles: int = option(24, "How many of those cover the image at most.", low=1, high=1000)
    promise: float = option(
        0.2,
        "Response in a coarse view, against the first frame's, that is looked at finely.",
        low=0.0,
        high=1.0,
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
    proposals: str = option(
        "locator",
        "Where the target may be: 'locator' takes the peaks of a filter on a shared map; 'gaussian' draws "
        "boxes around the last one and leaves all to the classifier, as the paper does.",
        choices=("locator", "gaussian"),
    )
    backbone: Backbone = field(default_factory=Backbone)
    map: Map = field(default_factory=Map)
    ridge: Ridge = field(default_factory=Ridge)
    locator: Locator = field(default_factory=Locator)
    refiner: Refiner = field(default_factory=Refiner)
    rivals: Rivals = field(default_factory=Rivals)
    gate: Gate = field(default_factory=Gate)
    confidence: Confidence = field(default_factory=Confidence)
    recovery: Recovery = field(default_factory=Recovery)
    features: Features = field(default_factory=Features)
    attention: Attention = field(default_factory=Attention)
    classifier: Classifier = field(default_factory=Classifier)
    optimizer: Optimizer = field(default_factory=Optimizer)
    first_fit: FirstFit = field(default_factory=FirstFit)
    update: Update = field(default_factory=Update)
    memory: Memory = field(default_factory=Memory)
    search: Search = field(default_factory=Search)
    regression: Regression = field(default_factory=Regression)


@dataclass(frozen=True)
class Init:
    """How a node understands what an operator points at."""

    click_size_px: float = option(
        0.0,
        "Side of the box around a point that is clicked on, pixels; 0 grows the box around the point by what "
        "it shows.",
        low=0.0,
        high=10000.0,
        live=True,
    )


@dataclass(frozen=True)
class Buffer:
    """The recent frames that a node keeps, for a target that was given on one of them."""

    seconds: float = option(3.0, "How old a frame may be on which a target is given.", low=0.1, high=60.0)
    megabytes: int = option(
        128,
        "Memory for them; when it is short, older frames are kept as JPEG, and then the oldest are dropped.",
        low=1,
        high=65536,
    )


@dataclass(frozen=True)
class Health:
    """What a node reports of itself, and when it warns."""

    period_s: float = option(1.0, "Seconds between two diagnostics.", low=0.1, high=60.0)
    silent_s: float = option(
        0.75,
        "Seconds without an image after which the camera is called silent.",
        low=0.1,
        high=60.0,
        live=True,
    )
    rate_hz: float = option(
        0.0,
        "Images a second that the camera promises; 0 takes the promise from their stamps.",
        low=0.0,
        high=1000.0,
        live=True,
    )
    rate_share: float = option(
        0.5, "Share of the promised rate below which a warning is given.", low=0.0, high=1.0, live=True
    )
    age_warn_s: float = option(
        0.2, "Median age of an answer, from the image's stamp, that warns.", low=0.0, high=60.0, live=True
    )
    age_error_s: float = option(1.0, "The same that is an error.", low=0.0, high=60.0, live=True)
    frame_warn_s: float = option(
        0.1, "Time that one frame in a hundred takes (p99) that warns.", low=0.0, high=60.0, live=True
    )
    frame_error_s: float = option(0.5, "The same that is an error.", low=0.0, high=60.0, live=True)


@dataclass(frozen=True)
class Depth:
    """How a node takes the distance of the target from a depth image."""

    tolerance_s: float = option(
        0.05,
        "How far the stamps of an image and its depth image may be apart, seconds.",
        low=0.0,
        high=10.0,
        live=True,
    )


@dataclass(frozen=True)
class NodeConfig:
    """What the ROS node has beside the tracker's own; the command line reads past it."""

    preset: str = option(
        "default",
        "Which configuration gives the parameters that are not set: 'default', or 'paper', the method as "
        "published. A parameter file that sets all of them leaves nothing to it.",
        choices=("default", "paper"),
    )
    autostart: bool = option(True, "Whether the node configures and activates itself.")
    attention_rate_hz: float = option(
        2.0, "Highest rate of the attention image, pictures a second.", low=0.01, high=60.0, live=True
    )
    image_transport: str = option(
        "raw",
        "Which images are subscribed to: 'raw' (sensor_msgs/Image on 'image'), or 'compressed' "
        "(sensor_msgs/CompressedImage on 'image/compressed').",
        choices=("raw", "compressed"),
    )
    image_is_rectified: bool = option(
        False,
        "Whether the camera's images are rectified (image_rect): then they have no distortion.",
        live=True,
    )
    max_targets: int = option(
        1,
        "How many targets may be followed at once; with 1, a new one takes the place of the one before.",
        low=1,
        high=64,
    )
    target_file: str = option(
        "", "File for the target's appearance that ~/save_target writes and ~/load_target reads.", live=True
    )
    prediction_s: float = option(
        0.5, "How far at most a box is extrapolated beyond its image, seconds.", low=0.0, high=10.0, live=True
    )
    init: Init = field(default_factory=Init)
    buffer: Buffer = field(default_factory=Buffer)
    health: Health = field(default_factory=Health)
    depth: Depth = field(default_factory=Depth)
