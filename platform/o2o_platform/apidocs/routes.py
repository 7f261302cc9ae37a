"""GET /docs: every route of the platform on one page, from /openapi.json, that works without a network.

Decides looks only. FastAPI's own page loads its script from a content delivery network, which a lab on a closed
machine cannot reach.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import HTMLResponse

from o2o_platform.kit.context import Context

_PAGE = Path(__file__).with_name("page.html")


def register(app: FastAPI, ctx: Context) -> None:
    """Add the page."""
    text = _PAGE.read_text(encoding="utf-8")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(text)
