"""``recip-tracker weights``: pretrained weights of backbones, listed, fetched, verified."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import console, extra, refusals

app = typer.Typer(no_args_is_help=True, help="Pretrained weights of backbones: list, fetch, verify.")


@app.command("list")
def list_() -> None:
    """Show all weights: what for, from where, under which licence, and whether they are here."""
    with extra("weights", "weights"):
        from . import weights_run  # noqa: PLC0415
    with refusals():
        weights_run.show(console)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Which weights, as `list` names them.")],
    from_: Annotated[
        str, typer.Option("--from", metavar="FILE|URL", help="The published file; its authors' by default.")
    ] = "",
    sha256: Annotated[
        str, typer.Option(metavar="HEX", help="What the published file's SHA-256 must be.")
    ] = "",
) -> None:
    """Get published weights and convert them, unless they are here. A download that was cut goes on."""
    with extra("weights", "weights"):
        from . import weights_run  # noqa: PLC0415
    with refusals():
        weights_run.fetch(name, from_, sha256, console)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="Which weights; all that are here by default.")] = "",
) -> None:
    """Compare weights with the checksums that they came with. Ends with code 2 if any are damaged."""
    with extra("weights", "weights"):
        from . import weights_run  # noqa: PLC0415
    with refusals():
        weights_run.verify(name, console)
