"""What ships: the catalogue lies in the wheel, the locks pin everything with hashes and carry no address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-run.lock")


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_scenario_of_the_catalogue_is_put_into_the_wheel() -> None:
    wheel = project()["tool"]["hatch"]["build"]["targets"]["wheel"]  # type: ignore[index]
    assert wheel["force-include"] == {
        f"scenarios/{path.name}": f"o2o_scenarios/catalogue/{path.name}"
        for path in sorted((ROOT / "scenarios").glob("*.yaml"))
    }


def test_every_package_of_the_tree_is_put_into_the_wheel() -> None:
    wheel = project()["tool"]["hatch"]["build"]["targets"]["wheel"]  # type: ignore[index]
    found = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/o2o_*/__init__.py")}
    assert set(wheel["packages"]) == found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_with_hashes_and_names_no_address(name: str) -> None:
    text = re.sub(r"(?m)^#.*\n?", "", (ROOT / name).read_text(encoding="utf-8")).strip()
    assert not re.search(r"https?://|file:|--(index|extra|find|trusted)| @ ", text)
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_what_the_commands_need_is_pinned_alike_in_both_locks() -> None:
    pins = [set(re.findall(r"(?m)^[A-Za-z0-9._-]+==\S+", (ROOT / name).read_text(encoding="utf-8"))) for name in LOCKS]
    assert pins[1] <= pins[0]


def test_every_dependency_of_the_project_is_in_the_lock() -> None:
    names = {
        re.split(r"[\[<>=!~ ]", requirement)[0].lower().replace("_", "-")
        for requirement in project()["project"]["dependencies"]  # type: ignore[index]
    }
    locked = {name.lower() for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)==", (ROOT / LOCKS[1]).read_text())}
    assert names <= locked
