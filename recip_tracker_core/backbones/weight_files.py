"""Pretrained weights on this machine: how they come here, and whether they are whole.

What authors publish is fetched once and converted to safetensors, which hold tensors and nothing that runs.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..errors import ConfigError, WeightsError
from .catalogue import CATALOGUE, Packaged, Published
from .checked_files import digests, write_whole
from .downloads import TIMEOUT_S, Progress, download, forget


@dataclass(frozen=True, slots=True)
class Record:
    """Where a converted file came from; kept as JSON beside it.

    Attributes:
        source: URL or path of the published file.
        source_bytes, source_sha256: of the published file.
        checked: what its digest was compared with: ``published``, ``demanded``, or ``nothing``.
        sha256: of the converted file.
    """

    source: str
    source_bytes: int
    source_sha256: str
    checked: Literal["published", "demanded", "nothing"]
    sha256: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is on this machine.

    Attributes:
        state: ``damaged`` is a file that is not what it was when it came.
        path: of the file; None where that is not known.
        reason: why it is not present, in words.
        record: of published weights that are present.
    """

    state: Literal["absent", "present", "damaged"]
    path: Path | None
    reason: str = ""
    record: Record | None = None


def cache_folder() -> Path:
    """Where converted weights are kept: in torch's own cache, which the variable TORCH_HOME moves."""
    return Path(torch.hub.get_dir()) / "checkpoints" / "recip_tracker"


def weights_path(name: str, folder: Path | None = None) -> Path:
    """The converted file of published weights, once its checksum is verified.

    Args:
        name: a row of the catalogue.
        folder: where it is kept; :func:`cache_folder` by default.

    Raises:
        ConfigError: unknown name.
        WeightsError: absent or damaged.
    """
    if name not in CATALOGUE:
        raise ConfigError(f"expected weights of {sorted(CATALOGUE)}, got '{name}'")
    finding = verify(CATALOGUE[name], folder)
    if finding.state != "present" or finding.path is None:
        raise WeightsError(
            f"the weights '{name}' are {finding.state}: {finding.reason}; "
            f"run: recip-tracker weights fetch {name}"
        )
    return finding.path


def load_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name, on the CPU.

    Raises:
        WeightsError: no such file, one of another kind, a damaged one, or no safetensors installed.
    """
    if path.suffix != ".safetensors":
        raise WeightsError(f"weights file '{path}' expects the ending .safetensors, got '{path.suffix}'")
    if not path.is_file():
        raise WeightsError(f"weights file '{path}' does not exist")
    _require_libraries()
    from safetensors.torch import load  # noqa: PLC0415  may be absent

    try:
        return load(path.read_bytes())
    except Exception as error:  # it raises several kinds; all mean the same to the user
        raise WeightsError(f"weights file '{path}' cannot be read as safetensors: {error}") from error


def verify(weights: Published | Packaged, folder: Path | None = None) -> Finding:
    """Whether the weights are on this machine, and are what came.

    Args:
        weights: which.
        folder: where published ones are kept; :func:`cache_folder` by default.

    Raises:
        WeightsError: a file that cannot be read.
    """
    try:
        return _packaged(weights) if isinstance(weights, Packaged) else _published(weights, folder)
    except OSError as error:
        raise WeightsError(f"the weights '{weights.name}' cannot be read: {error}") from error


def fetch(
    published: Published,
    source: str = "",
    folder: Path | None = None,
    sha256: str = "",
    progress: Progress = lambda _count, _total: None,
    timeout_s: float = TIMEOUT_S,
) -> Record:
    """Get published weights and convert them, unless that has been done.

    A download that was cut goes on where it stopped. A file with another digest than expected is refused; if
    it was downloaded it is removed. A local file stays as it is.

    Args:
        published: which.
        source: an http or https URL or a local path of the published file; its authors' URL by default.
        folder: where the converted file goes; :func:`cache_folder` by default.
        sha256: what the published file's SHA-256 must be, in place of what its authors publish.
        progress: of the download: bytes that are here, and of how many where that is known.
        timeout_s: how long a server may be silent.

    Raises:
        ConfigError: a checksum or a URL that is none.
        WeightsError: no network, no such file, one of another kind or digest, or libraries that are absent.
        OSError: the folder cannot be written.
    """
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ConfigError(f"expected a SHA-256 of 64 hexadecimal digits, got '{sha256}'")
    origin, sha256 = source or published.url, sha256.lower()
    if "://" in origin and not origin.startswith(("http://", "https://")):
        raise ConfigError(f"expected a path or an http or https URL, got '{origin}'")
    _require_libraries()  # before hundreds of megabytes, not after them
    folder = cache_folder() if folder is None else folder
    present = verify(published, folder).record
    if present is not None and not source and sha256 in {"", present.source_sha256}:
        return present
    folder.mkdir(parents=True, exist_ok=True)
    if "://" not in origin:
        return _converted(published, Path(origin), origin, folder, sha256)
    part = folder / f"{published.file}.part"
    try:
        download(origin, part, progress, timeout_s)
    except WeightsError as error:
        raise WeightsError(
            f"cannot download {published.file}: {error}. Or get it from {origin} by other means, then run: "
            f"recip-tracker weights fetch {published.name} --from PATH"
        ) from error
    try:
        record = _converted(published, part, origin, folder, sha256)
    except WeightsError:
        forget(part)
        raise
    forget(part)
    return record


def _packaged(weights: Packaged) -> Finding:
    try:
        path = weights.located()
    except WeightsError:
        return Finding("absent", None, f"the package {weights.package} is not installed")
    if not path.is_file():
        return Finding("absent", path, f"'{path}' does not exist")
    return _compared(path, weights.sha256)


def _published(weights: Published, folder: Path | None) -> Finding:
    path = (cache_folder() if folder is None else folder) / weights.converted
    if not path.is_file():
        return Finding("absent", path, f"'{path}' does not exist")
    try:
        record = Record(**json.loads(_record_file(path).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return Finding("damaged", path, f"'{_record_file(path)}' does not tell its checksum")
    return _compared(path, record.sha256, record)


def _compared(path: Path, expected_sha256: str, record: Record | None = None) -> Finding:
    found = digests(path)["sha256"]
    if found != expected_sha256:
        return Finding("damaged", path, f"the SHA-256 of '{path}' is {found}, expected {expected_sha256}")
    return Finding("present", path, record=record)


def _converted(published: Published, file: Path, origin: str, folder: Path, sha256: str) -> Record:
    """Check a published file, then write what it becomes and, beside that, where it came from."""
    from safetensors.torch import save  # noqa: PLC0415  may be absent

    if not file.is_file():
        raise WeightsError(f"weights file '{file}' does not exist")
    found = digests(file)
    checked = _check(published, found, origin, sha256)
    data = save(published.convert(file))
    record = Record(origin, file.stat().st_size, found["sha256"], checked, hashlib.sha256(data).hexdigest())
    path = folder / published.converted
    write_whole(path, data)
    write_whole(_record_file(path), json.dumps(asdict(record), indent=2).encode())
    return record


def _check(
    published: Published, found: dict[str, str], origin: str, sha256: str
) -> Literal["published", "demanded", "nothing"]:
    """What a published file's digest was compared with; WeightsError where it is another."""
    if sha256:
        if found["sha256"] != sha256:
            raise WeightsError(f"the SHA-256 of '{origin}' is {found['sha256']}, expected {sha256}")
        return "demanded"
    if not published.digests:
        return "nothing"
    told = [f"{kind}:{digest}" for kind, digest in found.items()]
    if not {*told} & {*published.digests}:
        raise WeightsError(
            f"'{origin}' is not {published.file} as its authors publish it: found {' '.join(told)}, expected "
            f"{' or '.join(published.digests)}; to trust it all the same, add --sha256 {found['sha256']}"
        )
    return "published"


def _record_file(converted: Path) -> Path:
    return converted.with_suffix(".json")


def _require_libraries() -> None:
    try:
        import safetensors  # noqa: F401, PLC0415
        import scipy  # type: ignore[import-untyped, unused-ignore]  # noqa: F401, PLC0415
    except ImportError as error:
        raise WeightsError(
            f"pretrained weights need more libraries ({error}): pip install scipy safetensors"
        ) from error
