"""docs/systems.md tells the truth: what it names exists and names the system itself; no id of the code is left out."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
SOURCES = ("cli", "loadtest", "sim", "platform", "devices", "results", "scenarios")
HEAD = ["id", "what it does here", "where it lives", "which test shows it", "not there yet"]
SYSTEMS = {"A": 16, "C": 21, "W": 20, "S": 26, "G": 13}
"""How many systems each seed document has, by its letter."""

# An id, or a range of ids of one letter: C7, C6-C8.
MENTION = re.compile(r"\b([ACWSG])(\d{1,2})(?:-\1(\d{1,2}))?\b")
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; `modules` and `tests` are the paths in its cells."""

    system: str
    text: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    missing: str


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows() -> list[Row]:
    head, rule, *lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert _cells(head) == HEAD
    assert set(rule) == set("|-")
    rows = []
    for line in lines:
        system, text, modules, tests, missing = _cells(line)
        rows.append(Row(system, text, tuple(CODE.findall(modules)), tuple(CODE.findall(tests)), missing))
    return rows


ROWS = _rows()
each_row = pytest.mark.parametrize("row", ROWS, ids=[row.system for row in ROWS])


def systems_in(text: str) -> set[str]:
    """The ids that a text names; a range counts for each of its ids. What is no system's id is left out.

    "C6-C8 and A14, on A4 paper" names C6, C7, C8, A14 and A4.
    """
    found = set()
    for letter, first, last in MENTION.findall(text):
        numbers = range(int(first), int(last or first) + 1)
        found |= {f"{letter}{number}" for number in numbers if 1 <= number <= SYSTEMS[letter]}
    return found


@cache
def _source(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def _functions(path: str) -> frozenset[str]:
    return frozenset(
        node.name for node in ast.parse(_source(path)).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_ids_are_those_of_the_seed_documents_once_and_in_order() -> None:
    assert ROWS
    systems = [row.system for row in ROWS]
    assert [systems_in(system) for system in systems] == [{system} for system in systems]
    letters = list(SYSTEMS)
    assert systems == sorted(set(systems), key=lambda system: (letters.index(system[0]), int(system[1:])))


@each_row
def test_every_row_says_what_is_there_and_what_is_not(row: Row) -> None:
    assert row.text.endswith(".")
    assert row.missing.endswith(".")


@each_row
def test_every_module_exists_and_names_its_system(row: Row) -> None:
    assert row.modules
    for module in row.modules:
        assert module.startswith(SOURCES), module
        assert (ROOT / module).is_file(), f"{module} is gone"
        assert row.system in systems_in(_source(module)), f"{module} does not name {row.system}"


@each_row
def test_every_test_exists_and_its_file_names_the_system(row: Row) -> None:
    assert row.tests
    for test in row.tests:
        path, colons, function = test.partition("::")
        assert colons, f"{test}: write file::function"
        assert re.fullmatch(r"tests/(\w+/)*test_\w+\.py", path), path
        assert function.startswith("test_"), test
        assert (ROOT / path).is_file(), f"{path} is gone"
        assert function in _functions(path), f"{path} has no {function}"
        assert row.system in systems_in(_source(path)), f"{path} does not name {row.system}"


def test_every_id_in_the_code_is_on_the_page() -> None:
    """A row, or a word below the table on what is not built: never both, and neither is forgotten."""
    told = systems_in("\n".join(re.findall(r"^- (\w+):", PAGE, re.MULTILINE)))
    rows = {row.system for row in ROWS}
    assert told.isdisjoint(rows)
    paths = [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]
    named = {system: path for path in paths for system in systems_in(path.read_text(encoding="utf-8"))}
    forgotten = {system: path for system, path in named.items() if system not in rows | told}
    assert forgotten == {}
    assert told <= set(named), "below the table stands what the code does not name"


def test_ranges_and_what_is_no_id() -> None:
    assert systems_in("C6-C8 (A14); S0, A17, XC3, G1x and a1 are none") == {"C6", "C7", "C8", "A14"}
