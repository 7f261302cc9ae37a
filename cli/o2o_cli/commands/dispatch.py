"""`o2o dispatch`: a process of the scaled deployment."""

from __future__ import annotations

from o2o_cli.up.duty import run_duty
from o2o_cli.up.options import (
    AnnounceOption,
    DatabaseOption,
    DescriptorOption,
    HealthPortOption,
    HostOption,
    RedisOption,
    SettingsOption,
    StopOnEofOption,
)


def dispatch(
    host: HostOption = "127.0.0.1",
    health_port: HealthPortOption = 0,
    database: DatabaseOption = None,
    redis: RedisOption = None,
    settings: SettingsOption = None,
    announce: AnnounceOption = False,
    stop_on_eof: StopOnEofOption = False,
    fd: DescriptorOption = None,
) -> None:
    """Bring tickets from the stream to the printers (scaled deployment).

    Several may run: each printer is one's at a time. May be killed at any moment: what it had in hand is taken up
    again.

    Example: o2o dispatch --settings results/up/settings.json
    """
    run_duty("dispatch", host, health_port, fd, database, redis, settings, announce, stop_on_eof)
