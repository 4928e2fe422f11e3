"""What a CUDA device is asked to do again and again, recorded once and then replayed as one launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")

WARM_UP = 2  # calls before recording, in which libraries load and choose their kernels


def recorded(work: Callable[[], Result], device: torch.device) -> tuple[Callable[[], None], Result]:
    """A CUDA graph of some work, recorded on a stream of its own: other threads' work goes on beside it.

    Args:
        work: reads and writes memory that stays where it is; waits for nothing on the device. It is called,
            and then done by replays, which begin nowhere but in that memory.
        device: a CUDA device.

    Returns:
        What replays it on the current stream of whoever calls, and what the work gave back, which each
        replay writes anew.

    Raises:
        RuntimeError: it cannot be recorded.
    """
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream):  # around the graph's own: that one is not left when recording fails
        for _ in range(WARM_UP):
            work()
        stream.synchronize()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            result = work()
    torch.cuda.current_stream(device).wait_stream(stream)
    return graph.replay, result
