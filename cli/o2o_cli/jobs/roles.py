"""The processes of a platform, each as the sites it serves: which app does which duties behind which socket.

Embedded, one process is everything and the payment provider beside it. Scaled, workers, relay, dispatchers and the
provider are processes of their own. Decides that each process says in its log lines which one it is.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn

from o2o_cli.errors import UsageError
from o2o_cli.jobs.platform import scaled
from o2o_cli.jobs.restart import payments_journal
from o2o_cli.jobs.serving import NAME_VARIABLE, Site, url_of
from o2o_platform.app import create_app
from o2o_platform.kit import logs
from o2o_platform.kit.duties import ALL, WORKER, Duty
from o2o_platform.payments.sandbox import create_sandbox
from o2o_platform.settings import Settings

SHARED = ("jwt_secret", "provider_secret")


def embedded(settings: Settings, listener: socket.socket, provider: socket.socket | None) -> Sequence[Site]:
    """Everything in one process; `provider` None: the one at settings.provider_url is used.

    The sockets' addresses become the public URLs. The provider ends last: the platform may still ask it for refunds.
    """
    settings = replace(settings, public_url=url_of(listener))
    if provider is None:
        return [_platform(settings, ALL, listener)]
    settings = replace(settings, provider_url=url_of(provider))
    platform = _platform(settings, ALL, listener)  # first: a database that cannot be opened leaves no journal behind
    app = create_sandbox(settings.public_url, settings.provider_secret, journal=payments_journal(settings))
    return [Site(app, provider), platform]


def worker(settings: Settings, listener: socket.socket) -> Sequence[Site]:
    """One of those who answer requests."""
    return [_platform(replace(settings, public_url=url_of(listener)), WORKER, listener)]


def behind(settings: Settings, duty: Duty, health: socket.socket) -> Sequence[Site]:
    """A process without an API: it does its duty, and says how it is."""
    return [_platform(settings, frozenset({duty}), health)]


def provider(settings: Settings, listener: socket.socket, platform_url: str, journal: Path | None) -> Sequence[Site]:
    """The sandbox payment provider."""
    return [Site(create_sandbox(platform_url, settings.provider_secret, journal=journal), listener)]


def start_logs(settings: Settings, role: str) -> Any:
    """Have lines written as the settings say; what uvicorn is to do about its own."""
    mode = settings.log
    if mode == "auto":
        mode = "json" if scaled(settings) else "off"
    if mode == "off":
        return uvicorn.config.LOGGING_CONFIG
    logs.configure(mode, process=os.environ.get(NAME_VARIABLE, role))
    return None


def must_share_secrets(file: Path | None, *names: str) -> None:
    """Raises UsageError where several processes would make up secrets, each its own."""
    if file is not None:  # says all there is to say
        return
    missing = [f"O2O_{name.upper()}" for name in names or SHARED if f"O2O_{name.upper()}" not in os.environ]
    if missing:
        raise UsageError(
            f"secrets that several processes share must be given: set {' and '.join(missing)}, or use --settings FILE"
        )


def _platform(settings: Settings, duties: frozenset[Duty], listener: socket.socket) -> Site:
    app = create_app(settings, duties=duties)
    return Site(app, listener, app.state.ctx.stream.close)  # feeds end, else they would be waited for
