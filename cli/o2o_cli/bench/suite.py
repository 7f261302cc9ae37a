"""The benchmark suite: finds it in the source tree, chooses from it, runs it with pytest-benchmark.

Decides how long a run takes. What is measured is the suite's business (tests/benchmarks), which an ordinary test run
does not collect: it needs the variable that is set here.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from o2o_cli.bench.rows import Measurement
from o2o_cli.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
SUITE = ROOT / "tests" / "benchmarks"
ENVIRONMENT = {"PYTEST_ADDOPTS": "", "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
"""Of the suite's process: nobody's options, one order of sets, one thread of linear algebra."""
SWITCH = "O2O_BENCH"
"""The suite is collected only when this variable is set: `full` or `smoke`."""
_TEST = re.compile(r"^def test_(\w+)\(", re.MULTILINE)


def known(suite: Path = SUITE) -> list[str]:
    """Names of the benchmarks, in the order of the suite. Raises UsageError outside of a source tree."""
    if not suite.is_dir():
        raise UsageError("o2o bench needs the source tree (tests/benchmarks); this is an installed copy")
    return [name for file in sorted(suite.glob("test_*.py")) for name in _TEST.findall(file.read_text("utf-8"))]


def chosen(names: Sequence[str], suite: Path = SUITE) -> list[str]:
    """The benchmarks whose name contains one of `names`; all for none. Raises UsageError with a near match."""
    everything = known(suite)
    for name in names:
        if not any(name in each for each in everything):
            near = difflib.get_close_matches(name, [*everything, *_words(everything)], n=1, cutoff=0.5)
            hint = f"did you mean `{near[0]}`? " if near else ""
            raise UsageError(f"no benchmark's name contains `{name}`; {hint}known: {', '.join(everything)}")
    return [each for each in everything if not names or any(name in each for name in names)]


def run(names: Sequence[str], *, smoke: bool, progress: Callable[[float], None]) -> list[Measurement]:
    """Run these benchmarks in a process of their own. Raises UsageError when one fails, naming it."""
    if find_spec("pytest_benchmark") is None:
        raise UsageError("o2o bench needs pytest-benchmark: pip install 'o2o-lab[dev]'")
    with tempfile.TemporaryDirectory(prefix="o2o-bench-") as folder:
        path = Path(folder) / "bench.json"
        output = _pytest(names, path, smoke=smoke, progress=progress)
        if not path.exists() or path.stat().st_size == 0:
            raise UsageError(_why(output))
        raw = json.loads(path.read_text("utf-8"))["benchmarks"]
    order = {f"test_{name}": place for place, name in enumerate(names)}
    fastest = min(float(entry["extra_info"]["calibration_s"]) for entry in raw)
    return [Measurement.of(entry, fastest) for entry in sorted(raw, key=lambda entry: order[entry["name"]])]


def _pytest(names: Sequence[str], path: Path, *, smoke: bool, progress: Callable[[float], None]) -> list[str]:
    seconds, rounds = ("0.3", "5") if smoke else ("1.0", "7")
    files = sorted(
        {
            f"{file}::test_{name}"
            for file in SUITE.glob("test_*.py")
            for name in _TEST.findall(file.read_text("utf-8"))
            if name in names
        }
    )
    command = [sys.executable, "-m", "pytest", *files, "-o", "addopts=--import-mode=importlib", "-v", "--tb=short"]
    for plugin in ("cacheprovider", "xdist", "locust"):
        command += ["-p", f"no:{plugin}"]
    command += [
        "--benchmark-only",
        "--benchmark-disable-gc",
        "--benchmark-timer=time.process_time",
        f"--benchmark-json={path}",
    ]
    command += [f"--benchmark-max-time={seconds}", f"--benchmark-min-rounds={rounds}", "--benchmark-quiet"]
    output: list[str] = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**_own_environment(), **ENVIRONMENT, SWITCH: "smoke" if smoke else "full"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        done = 0
        try:
            for line in process.stdout:
                output.append(line.rstrip())
                if " PASSED" in line or " FAILED" in line or " ERROR" in line:
                    done += 1
                    progress(min(1.0, done / max(1, len(names))))
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise UsageError(_why(output))
    return output


def _own_environment() -> dict[str, str]:
    """The environment without what a pytest around this process left in it (a worker of pytest-xdist, its options)."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def _why(output: Sequence[str]) -> str:
    """One line for the user: pytest's short summary of the first failure, or its last words."""
    told = [line for line in output if line.startswith(("FAILED ", "ERROR "))] or [line for line in output if line]
    return f"the benchmark suite failed: {told[0] if told else 'pytest said nothing'}"


def _words(names: Sequence[str]) -> set[str]:
    return {word for name in names for word in name.split("_")}
