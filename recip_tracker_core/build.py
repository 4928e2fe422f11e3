"""From configuration to tracker: the only place where names become objects."""

from __future__ import annotations

import contextlib
import os

import cv2
import numpy as np
import torch

from . import locating_tracker
from .backbones import Backbone, load_backbone
from .backbones.engines import Wish, with_engine
from .classifier import Head
from .confidence import Judge
from .config import TrackerConfig
from .encoding import MapSource
from .errors import ConfigError
from .gaussian_build import build_gaussian, build_margin_judge
from .gaussian_tracker import GaussianTracker
from .lanes import Lane
from .levels import AtFeatures, check_level
from .locating_tracker import LocatingTracker
from .locator import Locator
from .observing import Observer
from .painting import MapPainter
from .redetection import Searcher
from .refinement import BoxRefiner
from .rivals import RivalWatch
from .shared_parts import build_head, build_learner, build_updater, check_region, resolve_device
from .target_contents import LocatedFormat
from .teaching import ClassifierTeacher, Teacher
from .tracker import Tracker
from .types import BoundingBox, Frame

# Of the map: what of each stage is kept, and of the colour. More was no better.
MAP_STAGES, MAP_CHANNELS, COLOR_CHANNELS = ("s4", "s8", "s16"), (16, 16, 24), 6


def build_tracker(config: TrackerConfig) -> Tracker:
    """A tracker by its configuration.

    Sets the number of threads that torch and OpenCV use in this process when ``threads`` says so.

    Raises:
        ConfigError: a choice that does not exist, or two that cannot work together.
        WeightsError: no usable weights for the backbone.
    """
    backbone, device = prepared_backbone(config)
    build = build_locating if config.proposals == "locator" else build_gaussian
    return build(config, backbone, device)


def prepared_backbone(config: TrackerConfig) -> tuple[Backbone, torch.device]:
    """The network, on the device where it computes; sets threads as :func:`build_tracker` says.

    Raises:
        ConfigError: an unknown network, or a device that is absent.
        WeightsError: no usable weights for it.
    """
    device = resolve_device(config.device)
    if config.threads > 0:
        torch.set_num_threads(config.threads)
        cv2.setNumThreads(config.threads)
    backbone = load_backbone(config.backbone.name, config.backbone.weights)
    if isinstance(backbone, torch.nn.Module):
        backbone.to(device)
    return backbone, device


def build_locating(config: TrackerConfig, backbone: Backbone, device: torch.device) -> LocatingTracker:
    """A tracker that finds the target by a filter on a shared map.

    Raises:
        ConfigError: sizes that do not fit the backbone.
    """
    check_region(config.map.region_px, config.map.target_px, backbone, "map")
    check_stages(backbone)
    check_level(config.attention.level, "map", tuple(backbone.stages), MAP_STAGES)
    engine = with_engine(backbone, config.backbone.engine, MAP_STAGES, engine_wish(config, device))
    source = build_source(config, engine, device)
    grid, step = config.locator.grid, backbone.granularity_px
    locator = Locator(config.locator, source.stage, config.map.region_px, config.seed)
    refiner = BoxRefiner(config.refiner, source.stage, config.seed)
    teacher = Teacher(source, locator, refiner, build_classifier(config, device), config)
    watch = RivalWatch(config.rivals)
    observer = Observer(locator, config.map, config.locator.window, grid, config.classifier, watch)
    judge = build_judge(config)
    parts = locating_tracker.Parts(
        observer=observer,
        refiner=refiner,
        judge=judge,
        watch=watch,
        searcher=Searcher(observer, judge, config.recovery),
        updater=build_updater(config, teacher, device),
        lane=Lane(device, is_urgent=True),
        painter=MapPainter(
            build_source(config, backbone, device),  # gradients flow through torch alone
            config.map.target_px,
            config.map.region_px,
            step * round(2.4 * config.map.target_px / step),  # the target with some of what is around it
            grid,
            device,
        ),
        settings=config,
        file_format=LocatedFormat(
            source,
            backbone,
            (lambda channels: build_head(config, channels, grid)) if config.classifier.enabled else None,
            config,
            device,
        ),
    )
    return LocatingTracker(parts)


def engine_wish(config: TrackerConfig, device: torch.device) -> Wish:
    """How the network of a locator is computed."""
    settings, is_beside = config.backbone, config.update.updater == "background"
    threads = settings.threads or (min(2, processors()) if is_beside else 1)
    return Wish(device, threads, is_reduced=settings.precision == "reduced")


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm_up(blank: Tracker) -> None:
    """Do all that a target asks for once, so that its first fit and first frames find everything loaded.

    Args:
        blank: a tracker, whose parts are used; no target of its own changes.
    """
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    image = np.asarray(cv2.resize(noise, (320, 240)), np.uint8)
    with contextlib.closing(blank.another()) as tracker:
        tracker.init(Frame(image), BoundingBox(130, 90, 60, 60))
        for _ in range(2):
            tracker.update(Frame(image))


def check_stages(backbone: Backbone) -> None:
    """Whether the backbone has the stages that a locator's map is made of.

    Raises:
        ConfigError: when it hasn't.
    """
    if not set(MAP_STAGES) <= set(backbone.stages):
        raise ConfigError(
            f"'proposals' = 'locator' reads the stages {list(MAP_STAGES)}, which "
            f"{type(backbone).__name__} has not: it has {list(backbone.stages)}; choose 'gaussian'"
        )


def build_source(config: TrackerConfig, backbone: Backbone, device: torch.device) -> MapSource:
    """The source of maps on the grid of the middle stage."""
    channels = (*MAP_CHANNELS, COLOR_CHANNELS)
    gain = config.map.color_likelihood
    return MapSource(backbone, MAP_STAGES, MAP_STAGES[1], channels, gain, device)


def build_classifier(config: TrackerConfig, device: torch.device) -> ClassifierTeacher | None:
    """The teacher of the classifier beside a locator, or None when that is switched off."""
    if not config.classifier.enabled:
        return None
    grid = config.locator.grid
    # Its first use imports modules for seconds: now, and not while a target waits.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)

    build_head(config, 1, grid)  # says what cannot work now, not at the first click

    def head(channels: int) -> Head:
        return build_head(config, channels, grid)

    return ClassifierTeacher(
        head,
        grid,
        build_learner(config, AtFeatures(), device),
        config.first_fit,
        config.update,
        config.memory,
        config.seed,
    )


def retune(tracker: Tracker, config: TrackerConfig) -> None:
    """Give a tracker the new values of what may change while tracking."""
    if isinstance(tracker, LocatingTracker):
        judge = build_judge(config)
        tracker.retune(judge, Searcher(tracker.observer, judge, config.recovery), config)
    elif isinstance(tracker, GaussianTracker):
        tracker.retune(judge=build_margin_judge(config), interval=config.update.interval)


def build_judge(config: TrackerConfig) -> Judge:
    """The judge of a locator's peaks; its parameters may change while tracking."""
    return Judge(config.gate, config.confidence, config.recovery, config.rivals, config.classifier.recognised)
