"""Canonical lines: one JSON object a line, sampled, the libraries' words in the same shape, nothing when off."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from o2o_platform.kit import logs
from o2o_platform.kit.logs import RequestLines


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logs.configure("off")
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def written(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_a_line_is_one_json_object_with_time_level_and_process(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", process="relay")
    logs.line("run", events=5, order_id=None, text="宫保鸡丁")
    (line,) = written(capfd)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "run", "level": "info", "process": "relay", "events": 5, "text": "宫保鸡丁"}


def test_the_librarys_loggers_write_in_the_same_shape(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", process="worker")
    try:
        raise ValueError("bad row")
    except ValueError:
        logging.getLogger("o2o.platform").exception("task %s failed", "sweeps")
    logging.getLogger("o2o.platform").info("not shown")
    (line,) = written(capfd)
    assert (line["event"], line["level"], line["process"]) == ("task sweeps failed", "error", "worker")
    assert line["logger"] == "o2o.platform"
    assert "ValueError: bad row" in line["exception"]


def test_text_for_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("text")
    logs.line("run", events=5)
    assert "run" in (told := capfd.readouterr().err)
    assert "events=5" in told


def test_off_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for mode in ("off", "auto"):
        logs.configure(mode)  # type: ignore[arg-type]
        logs.line("run", events=5)
        assert not logs.on()
        assert not RequestLines(1.0).wanted(500)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("sample", "kept"), [(1.0, 100), (0.25, 25), (0.01, 1), (0.0, 0)])
def test_requests_are_sampled_evenly_and_our_failures_always_have_a_line(sample: float, kept: int) -> None:
    logs.configure("json")
    lines = RequestLines(sample)
    assert sum(lines.wanted(201) for _ in range(100)) == kept
    assert all(lines.wanted(500) for _ in range(10))
    if sample == 0.0:
        assert not any(lines.wanted(503) for _ in range(10))  # too much to do is an answer like another
