"""The folder platform/ must never hide Python's own module `platform`, wherever Python is started from the root."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROBE = "import platform; platform.system(); assert hasattr(platform, 'python_version'), platform.__path__"


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_no_package_marker_in_the_folder() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_python_from_the_root() -> None:
    done = run("-c", PROBE)
    assert done.returncode == 0, done.stderr


def test_pytest_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "test_probe.py").write_text(f"def test_probe():\n    {PROBE}\n")
    done = run("-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path / "test_probe.py"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["uvicorn", "locust"])
def test_servers_from_the_root_start(module: str, tmp_path: Path) -> None:
    """`python -m uvicorn` and `locust -f` put the current folder on sys.path and import `platform` at start."""
    if module == "uvicorn":
        (tmp_path / "probe_app.py").write_text(f"{PROBE}\nraise SystemExit(17)\n")
        done = run("-m", "uvicorn", "--app-dir", str(tmp_path), "probe_app:app")
    else:
        (tmp_path / "probe_file.py").write_text(f"{PROBE}\nraise SystemExit(17)\n")
        done = run("-m", "locust", "-f", str(tmp_path / "probe_file.py"), "--headless")
    assert done.returncode == 17, done.stdout + done.stderr
