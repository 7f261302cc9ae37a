"""What reservations add to the platform: recovery, and the export of fences. They have no routes of their own."""

from __future__ import annotations

from fastapi import FastAPI

from o2o_platform.kit.context import Context
from o2o_platform.kit.duties import Duty
from o2o_platform.reservation import fences, recovery


def register(app: FastAPI, ctx: Context) -> None:
    """Add the export and the task."""
    ctx.exports["reservations"] = fences.rows
    ctx.background.add("reservations", lambda: recovery.watch(ctx), duty=Duty.SWEEPS)
