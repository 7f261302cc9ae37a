"""Scenario files (G7) become validated scenarios, and every mistake is told in one line that says where it is."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from o2o_scenarios.errors import ScenarioError, ScenarioNotFoundError
from o2o_scenarios.loader import catalogue, json_schema, load, scenario_hash
from o2o_scenarios.schema import Scenario


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_scenario_of_the_catalogue_loads_and_tells_its_story(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    assert scenario.title
    assert len(scenario.story) > 40


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_the_exported_schema_accepts_the_catalogue(name: str) -> None:
    data = yaml.safe_load(catalogue()[name].read_text(encoding="utf-8"))
    jsonschema.validate(data, json_schema())


def test_overrides_reach_nested_fields_and_items(tmp_path: Path) -> None:
    path = write(tmp_path, "name: mine\ncoupons:\n- {code: A, threshold_fen: 1, off_fen: 2, budget_fen: 3}\n")
    scenario = load(path, ["demand.orders_per_hour=12000", "coupons[0].off_fen=7", "city.graph=null"], seed=9)
    assert scenario.demand.orders_per_hour == 12000
    assert scenario.coupons[0].off_fen == 7
    assert scenario.seed == 9


def test_extends_merges_mappings_and_replaces_lists(tmp_path: Path) -> None:
    write(
        tmp_path, "name: base\ncity: {nodes: 300, zones: 5}\ndemand: {curve: [{at_min: 0, weight: 1}]}\n", "base.yaml"
    )
    path = write(tmp_path, "extends: base.yaml\nname: variant\ncity: {zones: 6}\ndemand: {curve: []}\n")
    scenario = load(path)
    assert (scenario.name, scenario.city.nodes, scenario.city.zones) == ("variant", 300, 6)
    assert scenario.demand.curve == ()


def test_an_error_in_a_base_names_the_base(tmp_path: Path) -> None:
    write(tmp_path, "name: base\ncity:\n  nodes: 3\n", "base.yaml")
    path = write(tmp_path, "extends: base.yaml\nname: variant\n")
    with pytest.raises(ScenarioError, match=r"base\.yaml:3: `city\.nodes`"):
        load(path)


def test_equal_scenarios_have_equal_hashes() -> None:
    assert scenario_hash(load("lunch_peak")) == scenario_hash(load("lunch_peak"))
    assert scenario_hash(load("lunch_peak")) != scenario_hash(load("lunch_peak", seed=8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"mine\.yaml: the file is empty"),
        ("- a\n", r"mine\.yaml:1: a scenario is a mapping"),
        ("name: [\n", r"mine\.yaml:2: not valid YAML"),
        ("name: mine\nname: yours\n", r"mine\.yaml:2: `name` is given twice"),
        ("title: x\n", r"`name`: field required"),
        ("name: Mine!\n", r"mine\.yaml:1: `name`: string should match pattern"),
        ("name: mine\nseeds: 3\n", r"mine\.yaml:2: unknown field `seeds`; did you mean `seed`\?"),
        ("name: mine\nseed: -1\n", r"mine\.yaml:2: `seed`: input should be greater than or equal to 0, not -1"),
        ("name: mine\ncity:\n  node: 50\n", r"mine\.yaml:3: unknown field `city\.node`; did you mean `nodes`\?"),
        (
            "name: mine\ndemand: {orders_per_hour: .inf}\n",
            r"mine\.yaml:2: `demand\.orders_per_hour`: input should be a f",
        ),
        ("name: mine\ndemand:\n  weather: snow\n", r"mine\.yaml:3: `demand\.weather`: input should be 'clear'"),
        ("name: mine\ncity: {users: {family: 0.9}}\n", r"the shares work_meal \+ family \+ social must sum to 1"),
        ("name: mine\ncity: {riders: {bicycle: 0.9}}\n", r"the shares motorcycle \+ bicycle must sum to 1"),
        ("name: mine\ncity: {merchants: {open_min: 900, close_min: 800}}\n", r"open_min must come before close_min"),
        ("name: mine\ncity: {merchants: {price_min_fen: 9000}}\n", r"price_min_fen must not exceed price_max_fen"),
        (
            "name: mine\ncoupons:\n" + "- {code: A, threshold_fen: 1, off_fen: 2, budget_fen: 3}\n" * 2,
            r"mine\.yaml:2: `coupons`: codes must be unique, A is there twice$",
        ),
        (
            "name: mine\nclock: {duration_s: yes}\n",
            r"mine\.yaml:2: `clock\.duration_s`: input should be a number, not True",
        ),
        ("name: mine\nseed: true\n", r"mine\.yaml:2: `seed`: input should be a number, not True"),
        ("name: mine\ncity: 3\n", r"mine\.yaml:2: `city`: input should be a mapping of fields, not 3"),
        ("name: mine\ncoupons: A\n", r"mine\.yaml:2: `coupons`: input should be a list, not 'A'"),
        ("name: &a [*a]\n", r"mine\.yaml: nested too deeply, or an alias"),
        ("name: mine\nextends: 3\n", r"mine\.yaml:2: `extends` must be the name or path"),
        ("name: mine\nextends: nowhere\n", r"mine\.yaml:2: `extends`: no scenario is named `nowhere`"),
        ("name: mine\nextends: mine.yaml\n", r"runs in a circle"),
    ],
)
def test_a_bad_file_is_told_in_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        load(write(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("demand", r"write FIELD=VALUE"),
        ("demand..x=1", r"is not a field name"),
        ("demand.orders_per_huor=1", r"--set demand\.orders_per_huor=1: unknown field"),
        ("coupons[9].off_fen=1", r"there is no item \[9\]"),
        ("name.first=1", r"`first` cannot be set below a plain value"),
        ("seed=[", r"the value is not valid YAML"),
    ],
)
def test_a_bad_override_is_told_in_one_line(override: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        load("lunch_peak", [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lunch_pek", r"did you mean `lunch_peak`\?"),
        ("nowhere/x.yaml", r"nowhere/x\.yaml: no such file"),
        (".", r"is a folder"),
        ("", r"no scenario is named ``; known: helpers_down, lunch_peak"),
    ],
)
def test_an_unknown_name_gets_a_near_match_or_what_is_known(name: str, message: str) -> None:
    with pytest.raises(ScenarioNotFoundError, match=message):
        load(name)


def test_scenarios_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Scenario(name="x").seed = 3  # type: ignore[misc]
