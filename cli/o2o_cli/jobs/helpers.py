"""The helpers of a live run: how each is started, and where the platform finds it.

Decides addresses and command lines: a helper keeps its port for the run, so that it comes back where it was. What is
known to it lies in the run's folder while the run lasts. Killing it is the orchestrator's (`o2o_loadtest.helpers`).
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from o2o_domain.risk import RiskPolicy
from o2o_loadtest.helpers import HelperProgram
from o2o_platform.settings import Settings
from o2o_scenarios.schema import Scenario

HOST = "127.0.0.1"


def with_helpers(settings: Settings, scenario: Scenario, folder: Path) -> tuple[Settings, list[HelperProgram]]:
    """The settings with the addresses of the scenario's helpers, and how to start them."""
    names = scenario.platform.helpers
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    urls = {f"{name}_url": f"http://{HOST}:{port}" for name, port in ports.items()}
    window_s = RiskPolicy().window_s / scenario.clock.speed  # users order by the city's clock
    programs = []
    for name, port in ports.items():
        argv = [sys.executable, "-m", "o2o_platform.helpers", name, "--host", HOST, "--port", str(port)]
        argv += ["--data", str(folder / f"live-{name}.db"), "--stop-on-eof"]
        argv += ["--window-s", repr(window_s)] if name == "risk" else []
        programs.append(HelperProgram(name, argv))
    return replace(settings, **urls), programs  # type: ignore[arg-type]


def free_ports(count: int) -> Sequence[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in sockets]
