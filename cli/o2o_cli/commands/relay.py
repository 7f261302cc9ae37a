"""`o2o relay`: a process of the scaled deployment."""

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


def relay(
    host: HostOption = "127.0.0.1",
    health_port: HealthPortOption = 0,
    database: DatabaseOption = None,
    redis: RedisOption = None,
    settings: SettingsOption = None,
    announce: AnnounceOption = False,
    stop_on_eof: StopOnEofOption = False,
    fd: DescriptorOption = None,
) -> None:
    """Copy the outbox into the stream (scaled deployment).

    What was committed reaches every process, in order, once.

    May be killed at any moment, and be there twice: one copies at a time, and the next goes on where the stream ends.

    Example: o2o relay --settings results/up/settings.json
    """
    run_duty("relay", host, health_port, fd, database, redis, settings, announce, stop_on_eof)
