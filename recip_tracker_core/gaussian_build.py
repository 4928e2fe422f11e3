"""From configuration to the paper's tracker: see :mod:`.build`."""

from __future__ import annotations

from collections.abc import Callable

import torch

from . import config, gaussian_tracker
from .backbones import Backbone
from .box_crops import CropFeatures, CropNetwork
from .classifier import FcClassifier, Head
from .config import TrackerConfig
from .errors import ConfigError
from .features import FeatureSource, MapFeatures
from .gaussian_tracker import GaussianTracker, Schedule
from .learning import LearningRequest, Watch
from .levels import FEATURES, AtFeatures, BeforeFeatures, Level, check_level
from .margin_judge import MarginJudge
from .memory import SampleMemory
from .painting import CropPainter, Painter, RegionPainter
from .proposals import GaussianProposer
from .sampling import RegressionSpread
from .shared_parts import build_head, build_learner, build_updater, check_region
from .target_contents import DrawnFormat


def build_gaussian(
    config: TrackerConfig, backbone: Backbone, device: torch.device, watch: Watch | None = None
) -> GaussianTracker:
    """A tracker that draws its candidates around the last box, as the paper does.

    Args:
        watch: told of each step of a first fit; the samples are then such that it can take maps of them,
            whether or not the attention term has any weight.

    Raises:
        ConfigError: a choice that does not exist, or two that cannot work together.
    """
    check_features(config, backbone)
    source, level, painter = build_features(config, backbone, device, is_watched=watch is not None)
    learner = build_learner(config, level, device)

    def teach(request: LearningRequest, latest: Head | None, should_stop: Callable[[], bool]) -> Head | None:
        is_first = request.head is not None
        return learner(request, latest, should_stop, watch if is_first else None)

    head = build_head(config, source.channels, source.grid).to(device)
    parts = gaussian_tracker.Parts(
        features=source,
        proposer=GaussianProposer(
            config.search.candidates,
            config.search.translation,
            config.search.translation_lost,
            config.search.scale_step,
        ),
        classifier=FcClassifier(config.search.best, config.classifier.witness_share),
        judge=build_margin_judge(config),
        memory=SampleMemory(config.memory.long_frames, config.memory.short_frames),
        updater=build_updater(config, teach, device),
        painter=painter,
        schedule=build_schedule(config),
        file_format=DrawnFormat(backbone, source.channels, source.grid, source.kept_px, head, config),
    )
    return GaussianTracker(parts, head=head, seed=config.seed)


def check_features(config: TrackerConfig, backbone: Backbone) -> None:
    """Whether stages, sizes and the attention level fit the backbone.

    Raises:
        ConfigError: when they don't.
    """
    features, known = config.features, list(backbone.stages)
    unknown = [name for name in features.stages if name not in known]
    if unknown or not features.stages or len(set(features.stages)) < len(features.stages):
        raise ConfigError(
            f"'features.stages' expects some of {known}, each once, got {list(features.stages)}"
        )
    if list(features.stages) != sorted(features.stages, key=known.index):
        raise ConfigError(f"'features.stages' expects the finest first, got {list(features.stages)}")
    check_level(config.attention.level, features.mode, tuple(known), features.stages)
    if features.mode == "map":
        check_region(features.region_px, features.target_px, backbone, "features")
    else:
        check_crops(features, backbone)


def check_crops(features: config.Features, backbone: Backbone) -> None:
    """Whether the backbone can see such crops.

    Raises:
        ConfigError: when it can't.
    """
    if len(features.stages) > 1:
        raise ConfigError(
            f"'features.stages' expects one stage where 'features.mode' is 'crops', "
            f"got {list(features.stages)}"
        )
    least_px, granularity_px = backbone.stages[features.stages[0]].least_px, backbone.granularity_px
    if features.crop_px % granularity_px or features.crop_px < least_px:
        raise ConfigError(
            f"'features.crop_px' expects a multiple of {granularity_px}, at least {least_px}, "
            f"got {features.crop_px}"
        )
    if 4 * features.context_px > features.crop_px:
        raise ConfigError(
            f"'features.context_px' expects at most a quarter of 'features.crop_px' ({features.crop_px}), "
            f"got {features.context_px}"
        )


def build_features(
    config: TrackerConfig, backbone: Backbone, device: torch.device, *, is_watched: bool = False
) -> tuple[FeatureSource, Level, Painter]:
    """The feature source that ``features.mode`` names; where attention is learned, and how it is shown.

    Args:
        is_watched: whether maps of the samples will be wanted even where none is learned from.
    """
    features, level = config.features, config.attention.level
    stages, grid = features.stages, features.grid
    if features.mode == "map":
        return (
            MapFeatures(backbone, stages, features.region_px, features.target_px, grid, device),
            AtFeatures(),
            RegionPainter(backbone, stages, features.target_px, grid, device),
        )
    network, context_px = (
        CropNetwork(backbone, stages[0], features.crop_px, grid, device),
        features.context_px,
    )
    border = context_px / features.crop_px
    needs_maps = config.attention.weight > 0 or is_watched
    return (
        CropFeatures(network, context_px, keeps_crops=level != FEATURES and needs_maps),
        AtFeatures(border) if level == FEATURES else BeforeFeatures(network, level, border),
        CropPainter(network, context_px),
    )


def build_margin_judge(config: TrackerConfig) -> MarginJudge:
    """The judge of the paper's classifier alone; its parameters may change while tracking."""
    return MarginJudge(config.search.tracked, config.search.lost_after)


def build_schedule(config: TrackerConfig) -> Schedule:
    """How much is learned, and when."""
    return Schedule(
        first_positives=config.first_fit.positives,
        first_negatives=config.first_fit.negatives,
        first_iterations=config.first_fit.iterations,
        first_learning_rate=config.first_fit.learning_rate,
        first_positive_overlap=config.first_fit.positive_overlap,
        regression_samples=config.regression.samples,
        regression_spread=RegressionSpread(
            config.regression.translation, config.regression.scale_step, config.regression.smallest_area
        ),
        ridge=config.regression.ridge,
        is_ridge_relative=config.regression.penalty == "relative",
        size_share=config.regression.size_share,
        size_gain=config.search.size_gain,
        positives=config.update.positives,
        negatives=config.update.negatives,
        iterations=config.update.iterations,
        learning_rate=config.update.learning_rate,
        interval=config.update.interval,
    )
