"""Children are watched: what they say is heard, an early end is told with the end of their log, stop is by id."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from o2o_loadtest.errors import ProcessError
from o2o_loadtest.processes import Child


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_json_lines_are_heard_and_answered(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    code = "import sys, json; print(json.dumps({'got': json.loads(sys.stdin.readline())['go']})); print('plain words')"
    with Child("echo", python(code), tmp_path / "echo.log", on_line=said.append) as child:
        child.say({"go": 7})
        assert child.wait(20)
    assert said == [{"got": 7}]
    assert "plain words" in (tmp_path / "echo.log").read_text()


def test_an_early_end_is_told_with_its_last_words(tmp_path: Path) -> None:
    with Child("city", python("import sys; sys.exit('no roads')"), tmp_path / "city.log") as child:
        assert child.wait(20)
        with pytest.raises(ProcessError, match=r"city ended early with code 1: no roads"):
            child.check(may_have_ended=True)


def test_a_regular_end_is_early_unless_it_was_expected(tmp_path: Path) -> None:
    with Child("locust", python("pass"), tmp_path / "l.log") as child:
        assert child.wait(20)
        child.check(may_have_ended=True)
        with pytest.raises(ProcessError, match="code 0"):
            child.check()


def test_stop_ends_it(tmp_path: Path) -> None:
    ready: list[dict[str, Any]] = []
    code = "import sys; print('{\"ready\": true}', flush=True); sys.stdin.read()"
    child = Child("platform", python(code), tmp_path / "p.log", on_line=ready.append)
    child.stop()
    assert child.ended


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="cannot be started"):
        Child("ghost", [str(tmp_path / "nothing")], tmp_path / "g.log")
