"""Terminal manners: plain text when piped, no colour when none is wanted, few words on --quiet, figures on --json."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|38|9[0-7])[;m]")
PROGRESS = "from o2o_cli import console\nwith console.progress('working') as tell: tell(0.5)"


def test_what_is_piped_is_plain_text(o2o: Any) -> None:
    for args in (
        ("scenarios", "list"),
        ("simulate", "tiny.yaml", "--no-report"),
        ("runs",),
        ("scenarios", "show", "tiny.yaml"),
        ("--help",),
        ("simulat",),
    ):
        said = o2o(*args)
        assert said.out + said.err
        assert ESCAPE not in said.out + said.err


def on_a_terminal(program: str, **env: str) -> str:
    """What a program writes when its standard error is a terminal."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    subprocess.run(
        [sys.executable, "-c", program], stderr=theirs, env={**kept, "TERM": "xterm-256color", **env}, check=True
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux's end of file on a terminal that nobody holds any more
            break
        if not part:
            break
        text += part
    os.close(ours)
    return text.decode()


def test_no_color_is_respected_on_a_terminal() -> None:
    coloured = on_a_terminal(PROGRESS)
    plain = on_a_terminal(PROGRESS, NO_COLOR="1")
    assert "working" in coloured
    assert "working" in plain
    assert COLOUR.search(coloured)
    assert not COLOUR.search(plain)


@pytest.mark.parametrize("args", [("scenarios", "list"), ("scenarios", "show", "lunch_peak")], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_error(args: tuple[str, ...]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "o2o_cli.main", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.close()  # as `head -0` does
        assert child.stderr is not None
        assert child.stderr.read() == ""
    assert child.returncode in (0, 1)


def test_quiet_prints_the_essential_lines_only(o2o: Any) -> None:
    said = o2o("simulate", "tiny.yaml", "--quiet", "--out", "run")
    assert said.code == 0
    assert said.err == ""
    verdict, run, report = said.out.splitlines()
    assert re.fullmatch(r"\S+-tiny-model: finished, VALID, audit clean \(\d+ promises\)", verdict)
    assert run == "run: run"
    assert report == "report: run/report.html"


def test_without_quiet_the_figures_follow(o2o: Any) -> None:
    said = o2o("simulate", "tiny.yaml", "--no-report")
    assert "order to print: p50" in said.out
    assert "city: 100 nodes" in said.err
    assert "report:" not in said.out


def test_json_holds_the_figures_and_what_others_need_to_check_them(folder: Path, o2o: Any) -> None:
    o2o("simulate", "tiny.yaml", "--no-report", "--quiet", "--seed", "5", "--json", "out/figures.json")
    whole = json.loads((folder / "out/figures.json").read_text(encoding="utf-8"))
    assert set(whole) == {"argv", "figures", "machine", "seed", "versions"}
    assert whole["seed"] == 5
    assert whole["argv"][:3] == ["o2o", "simulate", "tiny.yaml"]
    assert whole["machine"]["cores"] >= 1
    assert {"python", "numpy", "simpy", "o2o-lab"} <= set(whole["versions"])
    figures = whole["figures"]
    assert (figures["world"], figures["status"]) == ("model", "finished")
    assert re.fullmatch(r"[0-9a-f]{64}", figures["table_hash"])
    assert all(verdict["ok"] for verdict in figures["verdicts"])


def test_runs_are_listed_newest_first_and_damaged_ones_are_not_hidden(folder: Path, o2o: Any) -> None:
    assert o2o("runs").out == "no runs in results/runs yet; make one: o2o simulate lunch_peak\n"
    o2o("simulate", "tiny.yaml", "--no-report", "--quiet")
    (folder / "results/runs/20200101T000000Z-old-live").mkdir()
    (folder / "results/runs/20200101T000000Z-old-live/manifest.json").write_text("{", encoding="utf-8")
    said = o2o("runs")
    _, columns, newest, oldest = (line.rstrip() for line in said.out.splitlines())
    assert columns.split() == ["run", "world", "status", "audit", "seed", "tables"]
    assert re.match(r"\S+-tiny-model +model +finished +clean +7 +[0-9a-f]{12}$", newest)
    assert re.match(r"20200101T000000Z-old-live +damaged ", oldest)
    assert len(o2o("runs", "--limit", "1").out.splitlines()) == 3
