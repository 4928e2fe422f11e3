"""From configuration to tracker: the only place where names become objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import cv2
import torch

from . import gaussian_tracker, locating_tracker
from .attention import AttentionPainter, check_level
from .backbones import Backbone, load_backbone
from .backbones.engines import with_engine
from .classifier import FcClassifier, Head
from .confidence import Judge
from .config import TrackerConfig
from .encoding import MapSource
from .errors import ConfigError
from .features import FeatureSource, MapFeatures
from .gaussian_tracker import GaussianTracker, Schedule
from .learning import LearningRequest, Recipe, learn
from .locating_tracker import LocatingTracker
from .locator import Locator
from .margin_judge import MarginJudge
from .memory import SampleMemory
from .observing import Observer
from .painting import MapPainter
from .proposals import GaussianProposer
from .redetection import Searcher
from .refinement import BoxRefiner
from .rivals import RivalWatch
from .teaching import ClassifierTeacher, Teacher
from .tracker import Tracker
from .updater import BackgroundUpdater, InlineUpdater, Updater

# Of the map: what of each stage is kept, and of the colour. More was no better.
MAP_STAGES, MAP_CHANNELS, COLOR_CHANNELS = ("s4", "s8", "s16"), (16, 16, 24), 6

Request = TypeVar("Request")
Model = TypeVar("Model")


def build_tracker(config: TrackerConfig) -> Tracker:
    """A tracker by its configuration.

    Sets the number of threads that torch and OpenCV use in this process when ``threads`` says so.

    Raises:
        ConfigError: a choice that does not exist, or two that cannot work together.
        WeightsError: no usable weights for the backbone.
    """
    device = resolve_device(config.device)
    if config.threads > 0:
        torch.set_num_threads(config.threads)
        cv2.setNumThreads(config.threads)
    backbone = load_backbone(config.backbone.name, config.backbone.weights)
    if isinstance(backbone, torch.nn.Module):
        backbone.to(device)
    build = build_locating if config.proposals == "locator" else build_gaussian
    return build(config, backbone, device)


def build_locating(config: TrackerConfig, backbone: Backbone, device: torch.device) -> LocatingTracker:
    """A tracker that finds the target by a filter on a shared map.

    Raises:
        ConfigError: sizes that do not fit the backbone.
    """
    check_region(config.map.region_px, config.map.target_px, backbone, "map")
    check_level(config.attention.level, "map", tuple(backbone.stages))
    source = build_source(config, with_engine(backbone, config.backbone.engine, MAP_STAGES, device), device)
    grid, step = config.locator.grid, backbone.granularity_px
    locator = Locator(config.locator, source.stage, config.map.region_px, config.seed)
    refiner = BoxRefiner(config.refiner, source.stage, config.seed)
    teacher = Teacher(source, locator, refiner, build_classifier(config), config)
    watch = RivalWatch(config.rivals)
    observer = Observer(locator, config.map, config.locator.window, grid, config.classifier, watch)
    judge = build_judge(config)
    parts = locating_tracker.Parts(
        observer=observer,
        refiner=refiner,
        judge=judge,
        watch=watch,
        searcher=Searcher(observer, judge, config.recovery),
        updater=build_updater(config, teacher),
        painter=MapPainter(
            build_source(config, backbone, device),  # gradients flow through torch alone
            config.map.target_px,
            config.map.region_px,
            step * round(2.4 * config.map.target_px / step),  # the target with some of what is around it
            grid,
            device,
        ),
        settings=config,
    )
    return LocatingTracker(parts)


def build_source(config: TrackerConfig, backbone: Backbone, device: torch.device) -> MapSource:
    """The source of maps on the grid of the middle stage."""
    channels = (*MAP_CHANNELS, COLOR_CHANNELS)
    gain = config.map.color_likelihood
    return MapSource(backbone, MAP_STAGES, MAP_STAGES[1], channels, gain, device)


def build_classifier(config: TrackerConfig) -> ClassifierTeacher | None:
    """The teacher of the classifier beside a locator, or None when that is switched off."""
    if not config.classifier.enabled:
        return None
    grid, classifier = config.locator.grid, config.classifier
    # Its first use imports modules for seconds: now, and not while a target waits.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)

    def head(channels: int) -> Head:
        return Head(channels, grid, classifier.hidden, classifier.dropout, config.seed)

    return ClassifierTeacher(
        head, grid, build_recipe(config), config.first_fit, config.update, config.memory, config.seed
    )


def build_gaussian(config: TrackerConfig, backbone: Backbone, device: torch.device) -> GaussianTracker:
    """A tracker that draws its candidates around the last box, as the paper does.

    Raises:
        ConfigError: a choice that does not exist, or two that cannot work together.
    """
    check_features(config, backbone)
    recipe = build_recipe(config)

    def teach(request: LearningRequest, latest: Head | None, should_stop: Callable[[], bool]) -> Head | None:
        return learn(request, latest, recipe, should_stop)

    parts = gaussian_tracker.Parts(
        features=build_features(config, backbone, device),
        proposer=GaussianProposer(
            config.search.candidates,
            config.search.translation,
            config.search.translation_lost,
            config.search.scale_step,
        ),
        classifier=FcClassifier(config.search.best, config.classifier.witness_share),
        judge=build_margin_judge(config),
        memory=SampleMemory(config.memory.long_frames, config.memory.short_frames),
        updater=build_updater(config, teach),
        painter=AttentionPainter(
            backbone, config.features.stages, config.features.target_px, config.features.grid, device
        ),
        schedule=build_schedule(config),
    )
    return GaussianTracker(
        parts, hidden=config.classifier.hidden, dropout=config.classifier.dropout, seed=config.seed
    )


def retune(tracker: Tracker, config: TrackerConfig) -> None:
    """Give a tracker the new values of what may change while tracking."""
    if isinstance(tracker, LocatingTracker):
        judge = build_judge(config)
        tracker.retune(judge, Searcher(tracker.observer, judge, config.recovery), config)
    elif isinstance(tracker, GaussianTracker):
        tracker.retune(judge=build_margin_judge(config), interval=config.update.interval)


def resolve_device(name: str) -> torch.device:
    """``auto | cpu | cuda | cuda:N`` as a device that is there.

    Raises:
        ConfigError: for any other name, or a CUDA device that is absent.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise ConfigError(f"'device' expects auto, cpu, cuda or cuda:N, got '{name}'")
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise ConfigError(f"'device' is '{name}', but torch sees {count} CUDA devices")
    return device


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
    if list(features.stages) != sorted(features.stages, key=lambda name: backbone.stages[name].stride):
        raise ConfigError(f"'features.stages' expects the finest first, got {list(features.stages)}")
    check_region(features.region_px, features.target_px, backbone, "features")
    check_level(config.attention.level, features.mode, tuple(known))


def check_region(region_px: int, target_px: float, backbone: Backbone, section: str) -> None:
    """Whether the backbone can see a region of that side, and the region shows enough around the target.

    Raises:
        ConfigError: when it doesn't.
    """
    if region_px % backbone.granularity_px:
        raise ConfigError(
            f"'{section}.region_px' expects a multiple of {backbone.granularity_px}, got {region_px}"
        )
    if region_px < 2 * target_px:
        raise ConfigError(
            f"'{section}.region_px' expects at least twice '{section}.target_px' ({target_px:g}), "
            f"got {region_px}"
        )


def build_features(config: TrackerConfig, backbone: Backbone, device: torch.device) -> FeatureSource:
    """The feature source that ``features.mode`` names.

    Raises:
        ConfigError: for a mode that does not exist yet.
    """
    features = config.features
    if features.mode != "map":
        raise ConfigError(f"'features.mode' = '{features.mode}' is not available yet, use 'map'")
    return MapFeatures(
        backbone, features.stages, features.region_px, features.target_px, features.grid, device
    )


def build_judge(config: TrackerConfig) -> Judge:
    """The judge of a locator's peaks; its parameters may change while tracking."""
    return Judge(config.gate, config.confidence, config.recovery, config.rivals, config.classifier.recognised)


def build_margin_judge(config: TrackerConfig) -> MarginJudge:
    """The judge of the paper's classifier alone; its parameters may change while tracking."""
    return MarginJudge(config.search.tracked, config.search.lost_after)


def build_recipe(config: TrackerConfig) -> Recipe:
    """How the classifier learns."""
    optimizer = config.optimizer
    return Recipe(
        attention_weight=config.attention.weight,
        momentum=optimizer.momentum,
        weight_decay=optimizer.weight_decay,
        clip_norm=optimizer.clip_norm,
        positives=optimizer.positives,
        negatives=optimizer.negatives,
        mined_from=optimizer.mined_from,
    )


def build_updater(
    config: TrackerConfig, learn: Callable[[Request, Model | None, Callable[[], bool]], Model | None]
) -> Updater[Request, Model]:
    """The updater that ``update.updater`` names."""
    kind = BackgroundUpdater if config.update.updater == "background" else InlineUpdater
    return kind(learn)


def build_schedule(config: TrackerConfig) -> Schedule:
    """How much is learned, and when."""
    return Schedule(
        first_positives=config.first_fit.positives,
        first_negatives=config.first_fit.negatives,
        first_iterations=config.first_fit.iterations,
        first_learning_rate=config.first_fit.learning_rate,
        regression_samples=config.regression.samples,
        ridge=config.regression.ridge,
        size_share=config.regression.size_share,
        size_gain=config.search.size_gain,
        positives=config.update.positives,
        negatives=config.update.negatives,
        iterations=config.update.iterations,
        learning_rate=config.update.learning_rate,
        interval=config.update.interval,
    )
