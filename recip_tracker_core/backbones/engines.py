"""What computes a frozen network: torch, or what is faster on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..errors import ConfigError
from .base import Backbone

Made = Callable[[Backbone, tuple[str, ...], "Wish"], Backbone]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a network is to be computed.

    Attributes:
        device: where features are wanted.
        threads: on the CPU.
        is_reduced: whether arithmetic may be bfloat16.
    """

    device: torch.device
    threads: int = 1
    is_reduced: bool = False


def _onnxruntime(network: Backbone, stages: tuple[str, ...], wish: Wish) -> Backbone:
    from .onnx_backbone import OnnxBackbone  # noqa: PLC0415  its libraries may be absent

    return OnnxBackbone(network, stages, wish.threads)


def _openvino(network: Backbone, stages: tuple[str, ...], wish: Wish) -> Backbone:
    from .openvino_backbone import OpenVinoBackbone  # noqa: PLC0415  likewise

    return OpenVinoBackbone(network, stages, wish.threads, is_reduced=wish.is_reduced)


def _cuda_graphs(network: Backbone, _: tuple[str, ...], wish: Wish) -> Backbone:
    from .graphed_backbone import GraphedBackbone  # noqa: PLC0415  beside the others

    return GraphedBackbone(network, wish.device, is_reduced=wish.is_reduced)


# The kind of device that each computes on, what makes it, and what it needs beside torch.
ENGINES: dict[str, tuple[str, Made, str]] = {
    "onnxruntime": ("cpu", _onnxruntime, "onnxruntime and onnx"),
    "openvino": ("cpu", _openvino, "openvino and onnx"),
    "cuda_graphs": ("cuda", _cuda_graphs, "torch with CUDA"),
}
FASTEST = {"cpu": "onnxruntime", "cuda": "cuda_graphs"}  # that gives the features of torch
REDUCED = {"openvino", "cuda_graphs"}


def with_engine(backbone: Backbone, engine: str, stages: tuple[str, ...], wish: Wish) -> Backbone:
    """The network as an engine computes it; the network itself where that engine is torch.

    Args:
        backbone: the network in torch.
        engine: ``torch``, a row of :data:`ENGINES`, or ``auto``: the fastest of the device where what it
            needs is installed and it can compute the network, else torch.
        stages: what will be read of it; the engine is made ready for them here.
        wish: how it is to be computed.

    Raises:
        ConfigError: an unknown engine, one asked for where it can't work, or a precision that it has not.
    """
    known = ["auto", "torch", *ENGINES]
    if engine not in known:
        raise ConfigError(f"'backbone.engine' expects one of {known}, got '{engine}'")
    chosen = FASTEST.get(wish.device.type, "torch") if engine == "auto" else engine
    if wish.is_reduced and chosen not in REDUCED:
        raise ConfigError(
            f"'backbone.precision' = 'reduced' goes with one of {sorted(REDUCED)} as 'backbone.engine', "
            f"got '{engine}' on the device '{wish.device}'"
        )
    if chosen == "torch":
        return backbone
    device, made, needs = ENGINES[chosen]
    if wish.device.type != device:
        raise ConfigError(
            f"'backbone.engine' = '{engine}' computes on '{device}' alone, but 'device' is '{wish.device}'; "
            f"choose 'auto' or 'torch', or the device '{device}'"
        )
    try:
        return made(backbone, stages, wish)
    except ImportError as error:
        if engine == "auto":
            return backbone
        raise ConfigError(
            f"'backbone.engine' = '{engine}' cannot be loaded: {error}; "
            f"install {needs} with pip, or choose 'auto' or 'torch'"
        ) from error
    except NotImplementedError as error:
        if engine == "auto":
            return backbone
        raise ConfigError(
            f"'backbone.engine' = '{engine}' cannot compute this network: {error}; choose 'auto' or 'torch'"
        ) from error
