"""In which order a device does what several threads ask of it: frames before learning."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

URGENT, PATIENT = -1, 0  # priorities of CUDA streams; the lower one goes first


class Lane:
    """On a CUDA device a stream; elsewhere threads compute for themselves, and it does nothing.

    What was begun in it has ended when it is left, so results can be handed to any thread and memory
    can be freed by any.

    Args:
        device: that computes.
        is_urgent: whether it goes before the lanes that are not.
    """

    def __init__(self, device: torch.device, *, is_urgent: bool) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            priority = URGENT if is_urgent else PATIENT
            self._stream = torch.cuda.Stream(device, priority=priority)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """What is asked for inside is done after what this thread has asked for before."""
        if self._stream is None:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
        with torch.cuda.stream(self._stream):
            yield
            self._stream.synchronize()
