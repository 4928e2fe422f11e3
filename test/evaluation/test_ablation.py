"""``recip-tracker ablate``: the paper's two tables, in its layout, with its figures beside ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("distributed")
pytest.importorskip("sklearn")

from recip_tracker_core.cli import app
from recip_tracker_core.commands.parsing import parsed_weights
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.evaluation.ablation import Ablation, check, table_of
from recip_tracker_core.evaluation.entries import entries
from recip_tracker_core.evaluation.sequences import Sequence

pytestmark = pytest.mark.slow

QUICK = """tracker:
  ros__parameters:
    device: cpu
    proposals: gaussian
    classifier: {hidden: 32}
    first_fit: {iterations: 8, positives: 60, negatives: 200}
    features: {region_px: 160, target_px: 48.0}
    search: {candidates: 64}
    regression: {samples: 100}
"""


def test_each_kind_is_the_same_tracker_with_one_switch() -> None:
    ablation = Ablation("recip:proposals=gaussian", (0.0, 5.0), 5.0)
    configs = [entry.config for entry in entries(list(ablation.by_kind.values()), None, lambda _: False)]
    switches = [(config.attention.weight, config.classifier.weighs_features) for config in configs if config]
    assert switches == [(0.0, False), (0.0, True), (5.0, False)]
    assert ablation.by_kind["Baseline"] == ablation.by_weight(0.0)  # run once, shown in both tables


@pytest.mark.parametrize(
    ("weights", "chosen"),
    [((1.0, 5.0), 5.0), ((0.0, 1.0), 5.0), ((0.0, 5.0), 0.0)],
    ids=["no-baseline", "not-among-them", "the-baseline-chosen"],
)
def test_weights_that_make_no_table_are_refused(weights: tuple[float, ...], chosen: float) -> None:
    with pytest.raises(ConfigError, match=f"{chosen:g}"):
        check(Ablation("recip", weights, chosen))


def test_weights_are_numbers() -> None:
    assert parsed_weights("0, 1,2.5") == (0.0, 1.0, 2.5)
    with pytest.raises(ConfigError, match="'0,x'"):
        parsed_weights("0,x")


def test_a_column_that_the_paper_has_not_has_a_dash_and_one_seed_no_spread() -> None:
    score = {"dp20": 0.5, "auc": 0.25, "auc_std": None}
    rows = table_of({"0": score, "0.5": score | {"auc_std": 0.0123}}, {"0": (0.911, 0.671)})
    assert rows["DP, ours"] == {"0": "0.500", "0.5": "0.500"}
    assert rows["OS, ours"] == {"0": "0.250", "0.5": "0.250 \N{PLUS-MINUS SIGN} 0.012"}
    assert rows["DP, the paper's"] == {"0": "0.911", "0.5": "\N{EN DASH}"}
    assert rows["OS, the paper's"] == {"0": "0.671", "0.5": "\N{EN DASH}"}


def test_both_tables_are_written(
    rendered_sequence: Callable[..., Sequence], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick.yaml").write_text(QUICK)
    dataset = rendered_sequence("clip", frames=5).files[0].parents[2]
    where = ["--dataset", str(dataset), "--results", str(tmp_path / "kept"), "--out", str(tmp_path / "out")]
    what = ["--tracker", "recip:config=quick.yaml", "--lambdas", "0,5", "--seeds", "1", "--workers", "1"]
    done = CliRunner().invoke(app, ["ablate", *where, *what], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    tables = json.loads((tmp_path / "out" / "tables.json").read_text())
    assert list(tables["Table 1"]["OS, ours"]) == ["0", "5"]
    assert tables["Table 1"]["OS, the paper's"] == {"0": "0.671", "5": "0.704"}
    kinds = list(tables["Table 2"]["DP, ours"])
    assert kinds == ["Baseline", "Baseline + Attentive Features", "Baseline + Attentive Classifier"]
    assert tables["Table 2"]["OS, ours"]["Baseline"] == tables["Table 1"]["OS, ours"]["0"]
    text = (tmp_path / "out" / "tables.md").read_text()
    assert "| OS, the paper's |    0.671 |" in text


def test_a_bad_request_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["ablate", "--dataset", str(tmp_path), "--lambdas", "0,1"])
    assert done.exit_code == 2
    assert "got [0.0, 1.0] and 5" in done.output
