"""The command: the plan is printed and kept, and no folder is mixed with another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from o2o_cli.chaos.plan import plan


def test_the_plan_is_printed_and_nothing_is_started(o2o: Any, folder: Path) -> None:
    said = o2o("chaos", "order-path", "--plan", "--kills", "3", "--seed", "7", "--json", "plan.json")
    assert said.code == 0
    kinds = [kill.kind for kill in plan(7, 3, every_s=2.0)]
    assert [line.split()[2] for line in said.out.splitlines()[2:]] == kinds
    told = json.loads((folder / "plan.json").read_text())
    assert told["seed"] == 7
    assert [kill["kind"] for kill in told["figures"]["plan"]] == kinds
    assert sorted(path.name for path in folder.iterdir()) == ["plan.json", "tiny.yaml"]


def test_a_state_folder_that_holds_something_is_refused(o2o: Any, folder: Path) -> None:
    (folder / "old").mkdir()
    (folder / "old" / "up.json").write_text("{}")
    said = o2o("chaos", "order-path", "--state", "old")
    assert (said.code, said.out) == (2, "")
    assert "the folder is not empty" in said.err
