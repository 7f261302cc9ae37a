"""A14: `o2o vendor-cloud`: what it refuses to start with, and what it says when it is ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

UKEY = "ukey-that-nobody-may-see"


def command(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("O2O_")}
    argv = [sys.executable, "-m", "o2o_cli.main", "vendor-cloud", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, cwd=folder, env={**bare, **variables}, timeout=60, check=False, input=""
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "no account"),
        (("--brand", "hp"), "--brand hp"),
        (("--cloud-faults", "lost=2"), "lost=2"),
        (("--cloud-faults", "eaten=0.1"), "eaten"),
        (("--faults", "eaten=0.1"), "eaten"),
        (("--width", "1mm"), "1mm"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    variables = {"O2O_FEIE_USER": "shop", "O2O_FEIE_UKEY": UKEY} if words else {}
    done = command(tmp_path, "--port", "0", *words, **variables)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_says_where_it_is_and_ends_with_its_parent(tmp_path: Path) -> None:
    words = ("--port", "0", "--count", "3", "--announce", "--stop-on-eof")
    done = command(tmp_path, *words, O2O_FEIE_USER="shop", O2O_FEIE_UKEY=UKEY)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["feie_url"] == said["vendor_url"] + "/Api/Open/"
    assert said["addresses"] == ["feie://960000000", "yilianyun://4004000001", "feie://960000002"]
    assert UKEY not in done.stdout + done.stderr
