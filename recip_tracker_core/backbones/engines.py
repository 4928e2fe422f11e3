"""What computes a frozen network: torch, or onnxruntime, which takes half of torch's time on a CPU."""

from __future__ import annotations

import torch

from ..errors import ConfigError
from .base import Backbone

ENGINES = ("auto", "torch", "onnxruntime")


def with_engine(backbone: Backbone, engine: str, stages: tuple[str, ...], device: torch.device) -> Backbone:
    """The network as an engine computes it; the network itself where that engine is torch.

    Args:
        backbone: the network in torch.
        engine: ``onnxruntime``, ``torch``, or ``auto``: onnxruntime on the CPU where it and onnx are
            installed and the network can be written as ONNX, else torch.
        stages: what will be read of it; the engine is made ready for them here.
        device: where features are wanted.

    Raises:
        ConfigError: an unknown engine, or onnxruntime asked for where it can't work.
    """
    if engine not in ENGINES:
        raise ConfigError(f"'backbone.engine' expects one of {list(ENGINES)}, got '{engine}'")
    if engine == "torch" or (engine == "auto" and device.type != "cpu"):
        return backbone
    if device.type != "cpu":
        raise ConfigError(
            f"'backbone.engine' = 'onnxruntime' computes on the CPU alone, but 'device' is '{device}'; "
            "choose 'auto' or 'torch', or the device 'cpu'"
        )
    try:
        from .onnx_backbone import OnnxBackbone  # noqa: PLC0415  its libraries may be absent

        return OnnxBackbone(backbone, stages, threads=torch.get_num_threads())
    except ImportError as error:
        if engine == "auto":
            return backbone
        raise ConfigError(
            f"'backbone.engine' = 'onnxruntime' cannot be loaded: {error}; "
            "install onnxruntime and onnx with pip, or choose 'auto' or 'torch'"
        ) from error
    except NotImplementedError as error:
        if engine == "auto":
            return backbone
        raise ConfigError(
            f"'backbone.engine' = 'onnxruntime' cannot compute this network: {error}; "
            "choose 'auto' or 'torch'"
        ) from error
