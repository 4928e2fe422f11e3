"""``recip-tracker trax``."""

from __future__ import annotations

from rich.console import Console

from .options import Assignments, ConfigName, DeviceName, Seed, extra, refusals


def trax(
    config: ConfigName = None,
    set_: Assignments = None,
    device: DeviceName = None,
    seed: Seed = None,
) -> None:
    """Follow targets for a TraX client such as the VOT toolkit, which starts this itself.

    Learning runs inline, as in `track`; errors go to standard error, as the rest belongs to the protocol.
    """
    with extra("trax", "trax"):
        from ..build import build_tracker  # noqa: PLC0415
        from ..evaluation.trax import serve  # noqa: PLC0415
        from ..parameter_files import read_config  # noqa: PLC0415
    with refusals(Console(stderr=True)):
        settings = read_config(config, set_ or [], device, seed)
        serve(lambda: build_tracker(settings))
