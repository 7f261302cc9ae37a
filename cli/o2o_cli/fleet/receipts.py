"""The last receipts of a printer of a running fleet, asked of its control room."""

from __future__ import annotations

from typing import Any

import httpx

from o2o_cli.errors import UsageError
from o2o_cli.fleet.spec import named_profile
from o2o_devices.desk import unpacked
from o2o_devices.mechanism import Profile
from o2o_devices.receipt import Receipt

TIMEOUT_S = 10.0


def receipts_at(url: str, printer: int | None) -> tuple[list[Receipt], Profile]:
    """What is kept of a printer's receipts, oldest first, and the printer's model. Raises UsageError."""
    if printer is None:
        raise UsageError(f"{url}: which printer? --printer ID")
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
            model = _answer(client.get(f"/printers/{printer}"), url)["model"]
            kept = _answer(client.get(f"/printers/{printer}/receipts"), url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UsageError(f"{url}: no control room of a fleet answers there ({error})") from None
    if not kept:
        raise UsageError(f"{url}: printer {printer} has printed nothing yet")
    return [unpacked(one["packed"]) for one in kept], named_profile(model)


def _answer(response: httpx.Response, url: str) -> Any:
    try:
        told = response.json()
    except ValueError:
        raise UsageError(f"{url}: no control room of a fleet answers there (HTTP {response.status_code})") from None
    if response.status_code != 200:
        raise UsageError(f"{url}: {told['error']}")
    return told
