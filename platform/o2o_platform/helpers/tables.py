"""The table of what became of the breakers: one row a change of state, never changed afterwards."""

from __future__ import annotations

from sqlalchemy import Column, Float, String, Table

from o2o_platform.kit.tables import Int, metadata

breaker_events = Table(
    "breaker_events",
    metadata,
    Column("id", Int, primary_key=True),
    Column("process", String(64), nullable=False),  # each process has breakers of its own
    Column("helper", String(32), nullable=False),
    Column("at", Float, nullable=False),  # unix seconds
    Column("from_state", String(16), nullable=False),  # o2o_domain.breaker.BreakerState
    Column("to_state", String(16), nullable=False),
    Column("reason", String(32), nullable=False),  # o2o_domain.breaker.Breaker.reason
)
