"""Every tunable value: strict about names, types and bounds."""

import pytest

from recip_tracker_core.config import NodeConfig, TrackerConfig
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.parameters import Parameter, checked_value, describe, flatten, parsed, replaced

PARAMETERS = describe(TrackerConfig()) + describe(NodeConfig())


def test_every_parameter_has_a_name_of_its_own() -> None:
    names = [parameter.name for parameter in PARAMETERS]
    assert len(names) == len(set(names))
    assert "update.interval" in names


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_a_parameter_has_a_meaning_and_a_default_that_it_may_have(parameter: Parameter) -> None:
    assert parameter.meaning.endswith(".")
    assert checked_value(parameter, parameter.value) == parameter.value


def test_a_value_is_replaced_and_the_rest_stays() -> None:
    before = TrackerConfig()
    after = replaced(before, {"update.interval": 7, "seed": 3})
    assert (after.update.interval, after.seed) == (7, 3)
    assert before.update.interval != 7
    assert replaced(after, {"update.interval": before.update.interval, "seed": before.seed}) == before


@pytest.mark.parametrize(
    "refuse",
    [
        pytest.param(lambda: replaced(TrackerConfig(), {"update.intervall": 3}), id="replaced"),
        pytest.param(lambda: parsed(TrackerConfig(), "update.intervall=3"), id="parsed"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(refuse) -> None:
    with pytest.raises(ConfigError, match=r"'update\.intervall', did you mean 'update\.interval'\?"):
        refuse()


def test_a_name_like_no_other_is_refused_without_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"unknown parameter 'zzz'$"):
        replaced(TrackerConfig(), {"zzz": 1})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("attention.weight", 1, "expects float", id="an-int-is-no-float"),
        pytest.param("update.interval", 3.0, "expects int", id="a-float-is-no-int"),
        pytest.param("update.interval", True, "expects int", id="a-bool-is-no-int"),
        pytest.param("device", None, "expects str", id="none-is-no-string"),
        pytest.param("features.stages", "s8", "expects tuple", id="a-string-is-no-list"),
        pytest.param("features.stages", ["s8", 16], "list of strings", id="a-list-of-other-things"),
        pytest.param("update.interval", 0, "at least 1", id="below-its-bound"),
        pytest.param("classifier.dropout", 0.96, "at most 0.95", id="above-its-bound"),
        pytest.param("attention.weight", float("nan"), "at least 0", id="nan"),
        pytest.param("attention.weight", float("inf"), "at most 100", id="infinite"),
        pytest.param("update.updater", "sometimes", "one of", id="no-choice"),
    ],
)
def test_a_value_that_a_parameter_may_not_have_is_refused_by_name(
    name: str, value: object, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as refusal:
        replaced(TrackerConfig(), {name: value})
    assert f"'{name}'" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "bound"), [("classifier.dropout", 0.0), ("classifier.dropout", 0.95), ("update.interval", 1)]
)
def test_a_bound_is_itself_allowed(name: str, bound: float) -> None:
    assert flat(replaced(TrackerConfig(), {name: bound}))[name] == bound


def test_a_list_of_strings_becomes_a_tuple() -> None:
    assert replaced(TrackerConfig(), {"features.stages": ["s4"]}).features.stages == ("s4",)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        pytest.param("update.interval=7", ("update.interval", 7), id="int"),
        pytest.param("attention.weight=1", ("attention.weight", 1.0), id="float-from-whole-number"),
        pytest.param("device=cuda:1", ("device", "cuda:1"), id="string"),
        pytest.param("backbone.weights=a=b", ("backbone.weights", "a=b"), id="second-equals-sign"),
        pytest.param("features.stages=s4, s8", ("features.stages", ("s4", "s8")), id="list"),
    ],
)
def test_text_is_read_as_the_type_of_its_parameter(assignment: str, expected: tuple[str, object]) -> None:
    name, value = parsed(TrackerConfig(), assignment)
    assert (name, value) == expected
    assert type(value) is type(expected[1])


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        pytest.param("update.interval", "got 'update.interval'", id="no-equals-sign"),
        pytest.param("update.interval=3.5", "expects int, got '3.5'", id="not-a-whole-number"),
        pytest.param("attention.weight=much", "expects float, got 'much'", id="not-a-number"),
    ],
)
def test_text_of_another_type_is_refused_with_the_text(assignment: str, named: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parsed(TrackerConfig(), assignment)
    assert named in str(refusal.value)


def test_every_parameter_survives_being_written_and_parsed() -> None:
    config = TrackerConfig()
    texts = [
        f"{p.name}={','.join(p.value) if isinstance(p.value, tuple) else p.value}" for p in describe(config)
    ]
    assert replaced(config, dict(parsed(config, text) for text in texts)) == config


def test_a_tree_becomes_dotted_names() -> None:
    assert flatten({"a": 1, "b": {"c": {"d": 2}, "e": []}}) == {"a": 1, "b.c.d": 2, "b.e": []}


def flat(config: TrackerConfig) -> dict[str, object]:
    return {parameter.name: parameter.value for parameter in describe(config)}
