"""A frozen network computed by onnxruntime. Imports libraries that may be absent: see :mod:`.engines`."""

from __future__ import annotations

import threading
from typing import Any

import onnxruntime  # type: ignore[import-untyped, unused-ignore]
import torch
from torch import Tensor

from .base import Backbone, Computed
from .onnx_graph import onnx_model


class OnnxBackbone(Computed):
    """A frozen network computed by onnxruntime on the CPU; see :class:`~.base.Backbone`.

    No gradient flows through it: images that require one are refused (RuntimeError), so what asks for
    gradients to pixels or stages keeps the network in torch. Any thread may call it, several at once:
    a session is made under a lock and never written again.

    Args:
        network: the network in torch; its weights are copied.
        stages: those for which a session is made here; another choice gets its own when first asked for.
        threads: how many compute one call.

    Raises:
        NotImplementedError: the network does what no ONNX node is written for.
    """

    def __init__(self, network: Backbone, stages: tuple[str, ...], threads: int) -> None:
        super().__init__(network)
        self._threads = threads
        self._sessions: dict[tuple[str, ...], Any] = {}
        self._making = threading.Lock()
        self._session(stages)

    def __call__(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        """Features of normalised (N, 3, H, W) float32 images on the CPU, without gradient."""
        found = self._session(stages).run(None, {"images": images.contiguous().numpy()})
        return {name: torch.from_numpy(features) for name, features in zip(stages, found, strict=True)}

    def _session(self, stages: tuple[str, ...]) -> Any:
        """One for each choice of stages: a session computes all its outputs."""
        with self._making:
            if stages not in self._sessions:
                options = onnxruntime.SessionOptions()  # by default, all optimisations of the graph
                options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
                # Those that wait for work sleep: spinning they would take the processor that learning needs.
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                self._sessions[stages] = onnxruntime.InferenceSession(
                    onnx_model(self._network, stages), options, providers=["CPUExecutionProvider"]
                )
            return self._sessions[stages]
