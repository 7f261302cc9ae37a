"""Every command explains itself, with an example that works as it stands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

from o2o_cli.main import COMMANDS, command
from o2o_scenarios.loader import catalogue, load

GROUPS = {
    "scenarios": ("list", "show", "check", "schema"),
    "bench": ("hot-paths", "order-path", "end-to-end", "printers"),
    "chaos": ("order-path", "payments", "printers"),
    "printers": ("show",),
}
EVERY = [(name,) for name in COMMANDS] + [(group, name) for group, names in GROUPS.items() for name in names]
HEAVY = {"altair", "duckdb", "fastapi", "gevent", "locust", "numpy", "pyarrow", "scipy", "simpy", "sqlalchemy"}


def found(words: tuple[str, ...]) -> Any:
    """The command that these words name."""
    top = command(words[0])
    return top.commands[words[1]] if len(words) > 1 else top


def example(words: tuple[str, ...]) -> list[str]:
    """The words of the example in a command's help, without `o2o`."""
    text = re.findall(r"^ *Example: o2o (.+)$", found(words).help, re.MULTILINE)
    assert len(text) == 1
    return shlex.split(text[0])


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_tells_what_a_command_does_with_an_example(words: tuple[str, ...], o2o: Any) -> None:
    said = o2o(*words, "--help")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Usage: o2o {' '.join(words)} ")
    # The example stands on one line of 80 columns, to be copied.
    assert f"\n  Example: o2o {shlex.join(example(words))}\n" in said.out
    for option in found(words).params:
        assert option.help, f"{option.name} is not explained"


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_the_example_is_one_of_this_command_and_parses(words: tuple[str, ...], folder: Any) -> None:
    given = example(words)
    assert tuple(given[: len(words)]) == words
    called = tuple(given[:2]) if set(given[1:2]) & set(GROUPS.get(words[0], ())) else words
    found(called).make_context("o2o", given[len(called) :])
    fields = [given[place + 1] for place, word in enumerate(given) if word == "--set"]
    fields += [given[place + 1].split(",")[0] for place, word in enumerate(given) if word == "--vary"]
    for name in set(given) & set(catalogue()):
        load(name, fields)


def test_the_groups_are_all_known_here() -> None:
    assert {name for name in COMMANDS if hasattr(command(name), "commands")} == set(GROUPS)
    for group, names in GROUPS.items():
        assert tuple(command(group).commands) == names


def test_help_of_the_whole_lists_every_command_on_a_line(o2o: Any) -> None:
    said = o2o("--help")
    assert said.code == 0
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", said.out, re.MULTILINE)


@pytest.mark.parametrize("words", [(), ("scenarios",)], ids=["o2o", "scenarios"])
def test_nothing_asked_shows_the_help(words: tuple[str, ...], o2o: Any) -> None:
    said = o2o(*words)
    assert said.code == 2
    assert said.err == o2o(*words, "--help").out


def test_version(o2o: Any) -> None:
    said = o2o("--version")
    assert (said.code, said.out, said.err) == (0, f"o2o {version('o2o-lab')}\n", "")


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["scenarios", "list"]], ids=" ".join)
def test_what_needs_no_engine_imports_none(args: list[str]) -> None:
    program = (
        "import sys; from o2o_cli.main import run\n"
        f"sys.argv = ['o2o', *{args!r}]\n"
        "try: run()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('loaded:', *sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
