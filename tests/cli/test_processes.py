"""Processes that cannot be started say why in one line, before anything is left behind."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.up import postgres, redis_server

PG = ("--database", "postgresql://o2o@127.0.0.1:1/o2o")
REDIS = ("--redis", "redis://127.0.0.1:1/0")

CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "workers on SQLite": (("serve", "--port", "0", "--workers", "2"), r"--workers 2 needs PostgreSQL, for SQLite has"),
    "workers without Redis": (("serve", "--port", "0", *PG), r"on PostgreSQL needs Redis .*--redis redis://"),
    "workers without secrets": (
        ("serve", "--port", "0", *PG, *REDIS),
        r"must be given: set O2O_JWT_SECRET and O2O_PROVIDER_SECRET, or use --settings FILE",
    ),
    "no such descriptor": (("serve", "--fd", "97"), r"--fd 97: not a listening socket"),
    "relay on SQLite": (("relay",), r"`o2o relay` is a process of the scaled deployment: --database postgresql://"),
    "dispatch on SQLite": (("dispatch", "--database", "sqlite:///x.db"), r"on SQLite `o2o serve` does it all"),
    "relay without Redis": (("relay", *PG), r"needs Redis"),
    "relay without a server": (("relay", *PG, *REDIS), r"the database cannot be opened"),
    "dispatch with a strange Redis": (("dispatch", *PG, "--redis", "http://x"), r"needs redis://host:port/db"),
    "provider without a secret": (("provider", "--port", "0"), r"must be given: set O2O_PROVIDER_SECRET, or use"),
    "journal is a folder": (("provider", "--journal", "full"), r"--journal full: is a folder; name a file"),
    "no printer": (("printers", "--count", "0"), r"Invalid value for '--count'"),
    "unknown fault": (("printers", "--faults", "fire=1"), r"no such printer fault: 'fire' \(one of paper_end, "),
    "unknown width": (("printers", "--width", "70mm"), r"--width 70mm: one of 58mm, 80mm is wanted"),
    "unknown model": (("printers", "--profile", "tm"), r"--profile tm: one of 58mm, 80mm, .* or mixed, is wanted"),
    "too many processes": (("printers", "--count", "2", "--processes", "3"), r"--processes 3: more than there are"),
    "control for all": (("printers", "--control", "0.0.0.0:9180"), r"--control 0\.0\.0\.0:9180: .* on this machine"),
    "unknown transport": (("printers", "--transport", "fax"), r"--transport: 'fax' is none \(one of tcp9100, "),
    "jobs from nowhere": (("printers", "--transport", "epson"), r"--server URL: which platform do printers fetch"),
    "a strange broker": (("printers", "--mqtt-url", "127.0.0.1"), r"--mqtt-url 127\.0\.0\.1: mqtt://host:port is"),
    "a strange platform": (("printers", "--server", "ftp://x"), r"--server ftp://x: an http:// address is wanted"),
    "show whose receipts": (("printers", "show", "http://127.0.0.1:1"), r"which printer\? --printer ID"),
    "show of nobody": (
        ("printers", "show", "http://127.0.0.1:1", "--printer", "1"),
        r"http://127\.0\.0\.1:1: no control room of a fleet answers there",
    ),
    "ports that are none": (("printers", "--ports-file", "junk.json"), r"junk\.json: not a file of printers' ports"),
    "ports cut off": (("printers", "--ports-file", "cut.json"), r"cut\.json: not JSON"),
    "unknown helper": (("up", "--helpers", "risk,weather"), r"no helper is called 'weather' \(one of risk, "),
    "up on SQLite": (("up", "--database", "sqlite:///x.db"), r"a scaled platform needs postgresql://"),
    "up with a strange Redis": (("up", "--redis", "127.0.0.1"), r"--redis 127\.0\.0\.1: redis://host:port/number"),
    "up with bad faults": (("up", "--faults", "offline"), r"write FAULT=SHARE"),
    "state is a file": (("up", "--state", "cut.json"), r"--state cut\.json: is a file; name a folder"),
    "status of nothing": (("up", "--status", "--state", "full"), r"--state full: no `o2o up` has run there"),
    "unknown deployment": (("load", "tiny.yaml", "--deployment", "big"), r"--deployment big: one of embedded, scaled"),
    "load on SQLite": (("load", "tiny.yaml", "--database", "sqlite:///x"), r"a scaled platform needs postgresql://"),
}


@pytest.fixture
def inputs(folder: Path) -> Path:
    (folder / "full").mkdir()
    (folder / "junk.json").write_text('{"0": 9100}')
    (folder / "cut.json").write_text('{"0": [')
    return folder


def check(said: Any, message: str) -> None:
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("o2o: ")
    assert re.search(message, said.err), said.err
    assert said.code == 2


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_told_in_one_line(name: str, inputs: Path, o2o: Any) -> None:
    args, message = CASES[name]
    before = sorted(inputs.rglob("*"))
    check(o2o(*args), message)
    assert sorted(inputs.rglob("*")) == before


def test_a_provider_needs_to_know_whom_to_tell(inputs: Path, o2o: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O2O_PROVIDER_SECRET", "x" * 32)
    check(o2o("provider", "--platform-url", "127.0.0.1:8000"), r"--platform-url 127\.0\.0\.1:8000: an http:// address")


def test_a_target_is_not_started(inputs: Path, o2o: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O2O_ADMIN_PASSWORD", "secret")
    args = ("load", "tiny.yaml", "--target", "http://127.0.0.1:9", "--deployment", "scaled")
    check(o2o(*args), r"--target is a platform that runs already; --deployment scaled starts one")


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("postgres", r"server programs \(initdb, postgres\) are not on this machine: install .*--database URL"),
        ("redis", r"server program \(redis-server\) is not on this machine: install .*--redis URL"),
    ],
)
def test_servers_that_are_missing_are_named_with_what_to_do(
    gone: str, message: str, inputs: Path, o2o: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {"pg_config", "postgres"} if gone == "postgres" else {redis_server.PROGRAM}
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name in hidden else which(name))
    monkeypatch.setattr(postgres, "USUAL", inputs / "nowhere")
    other = ("--redis", "redis://127.0.0.1:1/0") if gone == "postgres" else PG
    check(o2o("up", "--state", "state", "--port", "0", *other), message)


def test_a_port_that_is_taken_is_told_in_one_line(inputs: Path, o2o: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = o2o("up", "--state", "state", "--port", str(port))
        check(said, rf"127\.0\.0\.1:{port}: cannot listen there .*choose another --port")
        said = o2o("printers", "--count", "1", "--ports-file", _ports(inputs, port))
        check(said, rf"cannot open a printer port on 127\.0\.0\.1:{port}")


def _ports(folder: Path, port: int) -> str:
    (folder / "ports.json").write_text(f'{{"0": ["127.0.0.1", {port}]}}')
    return "ports.json"
