"""Fields of the ages of notification: cloud by default, ranges, and no default without its reason (A14)."""

from __future__ import annotations

import ast
import inspect
from typing import get_args

import pytest

from o2o_domain.notification import Age
from o2o_scenarios import notification
from o2o_scenarios.errors import ScenarioError
from o2o_scenarios.loader import catalogue, load
from o2o_scenarios.notification import CABLE_FAULTS, AgeName
from o2o_scenarios.schema import Scenario


def test_a_scenario_that_says_nothing_is_in_the_age_of_cloud_printers() -> None:
    assert Scenario(name="plain").printing.age == "cloud"
    assert {name for name in catalogue() if load(name).printing.age != "cloud"} == {"printer_ages"}


def test_the_ages_are_the_domains() -> None:
    assert get_args(AgeName) == tuple(str(age) for age in Age)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("printing.age=fax", "'phone', 'app', 'app_printer' or 'cloud'"),
        ("printing.phone.copying={wrong_dish: 0.6, missed_line: 0.6}", "must not exceed 1"),
        ("printing.staff.on_shift=0", "greater than 0"),
        ("printing.app.look_mean_s=-1", "greater than or equal to 0"),
        ("printing.phone.patience=3", "allowed: busy_share"),
        ("printing.faults.half_open=0.1", f"only {', '.join(CABLE_FAULTS)}"),
        ("compare.vary=printing.age", "pattern"),
        ("compare.replications=1", "greater than or equal to 2"),
    ],
)
def test_what_cannot_be_is_refused(override: str, told: str) -> None:
    with pytest.raises(ScenarioError) as error:
        load("printer_ages", [override])
    assert told in str(error.value)


def test_printer_faults_of_any_kind_are_for_cloud_printers() -> None:
    assert load("printer_ages", ["printing.age=cloud", "printing.faults.half_open=0.1"]).printing.age == "cloud"


def test_no_default_is_without_its_reason() -> None:
    """Nothing about people is measured or the seed's, so every figure says that it is assumed, and why."""
    tree = ast.parse(inspect.getsource(notification))
    bare = []
    for model in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        whole = "assumed" in (ast.get_docstring(model) or "").lower()
        for place, node in enumerate(model.body):
            if not isinstance(node, ast.AnnAssign):
                continue
            following = model.body[place + 1] if place + 1 < len(model.body) else None
            said = ast.unparse(following) if isinstance(following, ast.Expr) else ""
            if "assumed" not in said.lower() and not whole and ast.unparse(node.target) != "copying":
                bare.append(f"{model.name}.{ast.unparse(node.target)}")
    assert bare == []
