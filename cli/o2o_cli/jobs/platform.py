"""The platform as a process: settings out of a scenario, two servers (platform and payment provider) in one loop.

Decides how settings, ports and signals come together. What the servers do is o2o_platform's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from difflib import get_close_matches
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

from o2o_cli.errors import UsageError
from o2o_cli.jobs.restart import payments_journal
from o2o_domain.pools import IDLE_DAYS
from o2o_platform.app import create_app
from o2o_platform.errors import PlatformError
from o2o_platform.payments.sandbox import create_sandbox
from o2o_platform.settings import Settings
from o2o_scenarios.schema import Scenario


def settings_for(scenario: Scenario) -> Settings:
    """The settings under which a live run of this scenario meets the rules that the model uses.

    City durations (patience, promise, days of pools) are divided by the clock's speed; print and payment times are not.
    """
    speed = scenario.clock.speed
    printing, dispatch, fees, pool = scenario.printing, scenario.dispatch, scenario.fees, scenario.crm.pool
    return Settings(
        payment_deadline_s=scenario.platform.payment.deadline_s,
        print_max_attempts=printing.max_attempts,
        print_backoff_s=printing.retry_backoff_s,
        print_ack_timeout_s=printing.ack_timeout_s,
        print_deadline_s=printing.deadline_s,
        dispatch_rule=dispatch.rule,
        dispatch_max_radius_m=dispatch.max_radius_m,
        dispatch_patience_s=dispatch.patience_s / speed,
        delivery_base_fen=fees.delivery_base_fen,
        delivery_free_over_fen=fees.delivery_free_over_fen,
        delivery_per_km_fen=fees.delivery_per_km_fen,
        delivery_free_km=fees.delivery_free_km,
        commission_share=fees.commission_share,
        promise_s=scenario.slo.promise_min * 60.0 / speed,
        pool_quota=pool.quota,
        pool_term_days=pool.term_days / speed,
        pool_visit_days=pool.visit_days / speed,
        pool_contract_days=pool.contract_days / speed,
        pool_extension_days=pool.extension_days / speed,
        pool_max_extensions=pool.max_extensions,
        pool_extension_resets=pool.extension_resets,
        pool_idle_days=IDLE_DAYS / speed,
    )


def write_settings(settings: Settings, path: Path) -> None:
    """Leave settings for `o2o serve --settings`; the file holds secrets, so only its owner may read it."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(settings)), encoding="utf-8")


def read_settings(path: Path) -> Settings:
    """Settings from a JSON file over those of the environment. Raises UsageError naming file and field."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--settings {path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(f"--settings {path}: not JSON ({error})") from None
    if not isinstance(given, dict):
        raise UsageError(f'--settings {path}: one JSON object is wanted, e.g. {{"readers": 4}}')
    known = sorted(field.name for field in fields(Settings))
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`? " if near else ""
            raise UsageError(f"--settings {path}: unknown setting `{name}`; {hint}allowed: {', '.join(known)}")
    settings = Settings.from_env()
    try:
        return replace(settings, **given)
    except PlatformError as error:
        raise UsageError(f"--settings {path}: {error}") from None


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises UsageError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"{host}:{port}: cannot listen there ({error.strerror}); choose another --port") from None
    listener.listen(2048)
    return listener


KEEP_ALIVE_S = 75
"""Longer than clients keep an idle connection, so that no request meets a connection that is just being closed."""


class _Server(uvicorn.Server):
    """uvicorn's server, without its own signal handling: two of them share the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    settings: Settings,
    platform_socket: socket.socket,
    provider_socket: socket.socket,
    *,
    on_ready: Callable[[dict[str, Any]], None],
    stop_on_eof: bool = False,
    log_level: str = "warning",
) -> None:
    """Serve platform and provider until SIGINT or SIGTERM. The sockets' addresses become the public URLs.

    `stop_on_eof` also stops when standard input is closed: a platform whose parent was killed does not outlive it.
    """
    base_url, provider_url = _url(platform_socket), _url(provider_socket)
    settings = replace(settings, public_url=base_url, provider_url=provider_url)
    common: dict[str, Any] = {
        "log_level": log_level,
        "access_log": False,
        "timeout_graceful_shutdown": 5,
        "timeout_keep_alive": KEEP_ALIVE_S,
    }
    platform = _Server(uvicorn.Config(create_app(settings), **common))
    provider = _Server(
        uvicorn.Config(create_sandbox(base_url, settings.provider_secret, journal=payments_journal(settings)), **common)
    )

    def stop() -> None:
        platform.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if stop_on_eof:
        Thread(target=_at_eof, args=(lambda: loop.call_soon_threadsafe(stop),), daemon=True).start()
    provider_task = asyncio.create_task(provider.serve(sockets=[provider_socket]))
    platform_task = asyncio.create_task(platform.serve(sockets=[platform_socket]))
    while not (platform.started and provider.started):
        if platform_task.done() or provider_task.done():
            break
        await asyncio.sleep(0.02)
    else:
        on_ready({"base_url": base_url, "provider_url": provider_url})
    await platform_task  # the provider goes last: the platform may still ask it for refunds
    provider.should_exit = True
    await provider_task


def _at_eof(stop: Callable[[], object]) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        stop()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
