"""A frozen network on a CUDA device whose launches are recorded once and then replayed as one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cuda_graphs import recorded
from .base import Backbone, Computed

LOG = logging.getLogger(__name__)

MOST_GRAPHS = 8  # shapes that are recorded; others are launched one by one


@dataclass(frozen=True, eq=False, slots=True)
class Recorded:
    """One shape's recording, and the memory that it reads and writes."""

    replay: Callable[[], None]
    images: Tensor
    features: dict[str, Tensor]


class GraphedBackbone(Computed):
    """A frozen network replayed by CUDA graphs; see :class:`~.base.Backbone`.

    Calls that need a gradient, and shapes beyond the first few, go to the network itself. Any thread may
    call it, on any stream: a replay waits for the one before to have been copied out.

    Args:
        network: the network in torch, on ``device``.
        device: where it computes.
        is_reduced: whether it computes in bfloat16.
    """

    def __init__(self, network: Backbone, device: torch.device, *, is_reduced: bool) -> None:
        super().__init__(network)
        self._device, self._is_reduced = device, is_reduced
        self._recorded: dict[tuple[tuple[str, ...], torch.Size], Recorded | None] = {}
        self._lock = threading.Lock()  # held for launches, never for their end
        self._copied: torch.cuda.Event | None = None

    def __call__(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        """See :class:`~.base.Backbone`."""
        if torch.is_grad_enabled() and images.requires_grad:
            return self._network(images, stages)
        key = (stages, images.shape)
        with self._lock:
            if key not in self._recorded and len(self._recorded) < MOST_GRAPHS:
                self._recorded[key] = self._record_if_possible(images, stages)
            known = self._recorded.get(key)
            return self._computed(images, stages) if known is None else self._replayed(known, images)

    def _replayed(self, known: Recorded, images: Tensor) -> dict[str, Tensor]:
        stream = torch.cuda.current_stream(self._device)
        if self._copied is not None:
            stream.wait_event(self._copied)
        known.images.copy_(images)
        known.replay()
        features = {name: one.clone() for name, one in known.features.items()}
        self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._copied.record(stream)
        return features

    def _record_if_possible(self, images: Tensor, stages: tuple[str, ...]) -> Recorded | None:
        try:
            return self._record(images, stages)
        except RuntimeError as error:
            LOG.warning("no CUDA graph of the network, which is launched step by step instead: %s", error)
            return None

    def _record(self, images: Tensor, stages: tuple[str, ...]) -> Recorded:
        held = torch.empty_like(images, memory_format=torch.channels_last).copy_(images)
        with torch.no_grad():
            replay, features = recorded(lambda: self._computed(held, stages), self._device)
        return Recorded(replay, held, features)

    def _computed(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        with torch.autocast("cuda", torch.bfloat16, enabled=self._is_reduced):
            features = self._network(images, stages)
        return {name: one.float() for name, one in features.items()}
