"""From configuration to tracker: the only place where names become objects."""

from __future__ import annotations

import re

import cv2
import torch

from .attention import AttentionPainter, check_level
from .backbones import Backbone, load_backbone
from .classifier import FcClassifier, Head
from .confidence import Judge
from .config import TrackerConfig
from .errors import ConfigError
from .features import FeatureSource, MapFeatures
from .learning import LearningRequest, Recipe, learn
from .memory import SampleMemory
from .proposals import GaussianProposer
from .tracker import Parts, Schedule, Tracker
from .updater import BackgroundUpdater, InlineUpdater, Updater


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
    check_features(config, backbone)
    if isinstance(backbone, torch.nn.Module):
        backbone.to(device)
    updater = build_updater(config)
    parts = Parts(
        features=build_features(config, backbone, device),
        proposer=GaussianProposer(
            config.search.candidates,
            config.search.translation,
            config.search.translation_lost,
            config.search.scale_step,
        ),
        classifier=FcClassifier(config.search.best, config.classifier.witness_share),
        judge=build_judge(config),
        memory=SampleMemory(config.memory.long_frames, config.memory.short_frames),
        updater=updater,
        painter=AttentionPainter(
            backbone, config.features.stages, config.features.target_px, config.features.grid, device
        ),
        schedule=build_schedule(config),
    )
    return Tracker(
        parts, hidden=config.classifier.hidden, dropout=config.classifier.dropout, seed=config.seed
    )


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
    if features.region_px % backbone.granularity_px:
        raise ConfigError(
            f"'features.region_px' expects a multiple of {backbone.granularity_px}, got {features.region_px}"
        )
    if features.region_px < 2 * features.target_px:
        raise ConfigError(
            f"'features.region_px' expects at least twice 'features.target_px' ({features.target_px:g}), "
            f"got {features.region_px}"
        )
    check_level(config.attention.level, features.mode, tuple(known))


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
    """The judge that the confidence parameters describe; they may change while tracking."""
    return Judge(config.confidence.tracked, config.confidence.lost_after)


def build_updater(config: TrackerConfig) -> Updater[LearningRequest, Head]:
    """The updater that ``update.updater`` names."""
    optimizer = config.optimizer
    recipe = Recipe(
        attention_weight=config.attention.weight,
        momentum=optimizer.momentum,
        weight_decay=optimizer.weight_decay,
        clip_norm=optimizer.clip_norm,
        positives=optimizer.positives,
        negatives=optimizer.negatives,
        mined_from=optimizer.mined_from,
    )
    kind = BackgroundUpdater if config.update.updater == "background" else InlineUpdater
    return kind(lambda request, latest, should_stop: learn(request, latest, recipe, should_stop))


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
