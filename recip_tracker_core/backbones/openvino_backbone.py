"""A frozen network computed by OpenVINO. Imports libraries that may be absent: see :mod:`.engines`."""

from __future__ import annotations

import threading
from typing import Any

import openvino  # type: ignore[import-not-found, import-untyped, unused-ignore]
import torch
from torch import Tensor

from .base import Backbone, Computed
from .onnx_graph import onnx_model

REDUCED = "BF16"


class OpenVinoBackbone(Computed):
    """A frozen network computed by OpenVINO on the CPU; see :class:`~.base.Backbone`.

    As :class:`~.onnx_backbone.OnnxBackbone` it lets no gradient through, and any thread may call it.

    Args:
        network: the network in torch; its weights are copied.
        stages: those for which a model is compiled here; another choice gets its own when first asked for.
        threads: how many compute one call.
        is_reduced: whether it computes in bfloat16.

    Raises:
        NotImplementedError: the network does what no ONNX node is written for, or the processor has no
            bfloat16, which it would only imitate.
    """

    def __init__(self, network: Backbone, stages: tuple[str, ...], threads: int, *, is_reduced: bool) -> None:
        super().__init__(network)
        self._core = openvino.Core()
        if is_reduced and REDUCED not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise NotImplementedError("this processor has no bfloat16 arithmetic")
        self._settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if is_reduced else "f32",
        }
        self._models: dict[tuple[str, ...], Any] = {}
        self._making = threading.Lock()
        self._own = threading.local()  # a request computes one call at a time
        self._model(stages)

    def __call__(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        """Features of normalised (N, 3, H, W) float32 images on the CPU, without gradient."""
        requests = self._own.__dict__.setdefault("requests", {})
        if stages not in requests:
            requests[stages] = self._model(stages).create_infer_request()
        found = requests[stages].infer([images.contiguous().numpy()], share_inputs=True)
        return {name: torch.from_numpy(found[index]) for index, name in enumerate(stages)}

    def _model(self, stages: tuple[str, ...]) -> Any:
        """One for each choice of stages: a model computes all its outputs."""
        with self._making:
            if stages not in self._models:
                read = self._core.read_model(onnx_model(self._network, stages))
                self._models[stages] = self._core.compile_model(read, "CPU", self._settings)
            return self._models[stages]
