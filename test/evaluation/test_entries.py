"""Who can be named, how, and what makes a result another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from recip_tracker_core.errors import ConfigError, SourceError
from recip_tracker_core.evaluation.contestants import NANOTRACK_FILES
from recip_tracker_core.evaluation.entries import Entry, entries


def named(*texts: str, nanotrack: Path | None = None, known: tuple[str, ...] = ()) -> list[Entry]:
    return entries(list(texts), nanotrack, lambda name: name in known)


def test_other_weights_or_networks_are_another_identity(tmp_path: Path) -> None:
    for name in NANOTRACK_FILES:
        (tmp_path / name).write_bytes(b"one")
    (before,) = named("nanotrack", nanotrack=tmp_path)
    others = tmp_path / "others"
    others.mkdir()
    for name in NANOTRACK_FILES:
        (others / name).write_bytes(b"two")
    (after,) = named("nanotrack", nanotrack=others)
    assert before.identity(0, False) != after.identity(0, False)


def test_the_end_of_a_parameters_name_is_enough_where_it_is_the_only_one() -> None:
    (entry,) = named("recip:updater=background:device=cpu")
    assert entry.config is not None
    assert entry.config.update.updater == "background"
    assert entry.chose_updater
    assert entry.configured(3, is_realtime=False).seed == 3


def test_learning_is_inline_offline_and_beside_the_frames_in_a_stream_unless_told() -> None:
    free, told = named("recip", "recip:updater=inline")
    assert free.configured(0, is_realtime=False).update.updater == "inline"
    assert free.configured(0, is_realtime=True).update.updater == "background"
    assert told.configured(0, is_realtime=True).update.updater == "inline"


def test_a_parameter_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("node:\n  ros__parameters:\n    update:\n      interval: 3\n")
    (entry,) = named(f"recip:config={path}:seed=4")
    assert entry.config is not None
    assert entry.config.update.interval == 3


def test_a_preset_is_taken_and_changed() -> None:
    one, other = named("recip:preset=paper:attention.weight=3.0", "recip:config=paper")
    assert one.config is not None
    assert other.config is not None
    assert (one.config.backbone.name, one.config.attention.weight) == ("vgg_m", 3.0)
    assert other.config.attention.weight == 5.0


def test_another_seed_parameter_or_updater_is_another_identity() -> None:
    one, two = named("recip", "recip:update.interval=5")
    known = {repr(one.identity(0, False)), repr(one.identity(1, False)), repr(one.identity(0, True))}
    assert len(known) == 3
    assert repr(two.identity(0, False)) not in known
    assert one.identity(0, False) == named("recip")[0].identity(0, False)


def test_a_tracker_with_result_files_needs_no_program() -> None:
    (entry,) = named("SiamFC", known=("SiamFC",))
    assert entry.kind == "files"


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["csrtt"], "did you mean 'csrt'"),
        (["recip:updatr=inline"], "unknown parameter 'updatr'"),
        (["recip:iterations=5"], "end of several parameters"),
        (["csrt:seed=1"], "'csrt' has no parameters"),
        (["kcf", "kcf"], "'kcf' and 'kcf' are the same"),
        (["recip:config=a/b:seed=1", "recip:config=a_b:seed=1"], "would share their files"),
        ([], "expected trackers"),
        (["nanotrack"], "needs --nanotrack DIR"),
        (["recip:config=a:preset=paper"], "2 presets or parameter files"),
        (["recip:preset=papre"], r"\['default', 'paper'\], got 'papre'"),
        (["recip:updater=sometimes"], "expects one of"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_run_is_refused_by_name(texts: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        named(*texts)


def test_an_absent_network_is_named(tmp_path: Path) -> None:
    (tmp_path / NANOTRACK_FILES[0]).touch()
    with pytest.raises(ConfigError, match=NANOTRACK_FILES[1]):
        named("nanotrack", nanotrack=tmp_path)
    with pytest.raises(SourceError, match=r"nowhere\.yaml"):
        named("recip:config=nowhere.yaml")
