"""What a test needs of a served platform: an administrator, merchants with printers, a user who orders and pays."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any

import httpx

LAT, LNG = 30.0, 120.0
TRIES = 5
"""A worker that is killed takes its connections along; the next try is another's."""


class Town:
    """A client of a served platform, with what was made on it. Survives a restart of the platform."""

    def __init__(self, base_url: str, password: str) -> None:
        self.client = httpx.AsyncClient(base_url=base_url, timeout=30.0, trust_env=False)
        self.dishes: dict[int, int] = {}
        """The one dish of each merchant."""
        self._password = password
        self._admin = ""
        self._keys = itertools.count()

    async def log_in(self) -> None:
        """As the administrator, with the password."""
        form = {"username": "admin", "password": self._password}
        self._admin = (await self._done(self.client.post("/auth/token", data=form)))["access_token"]

    async def merchant(self, ref: str, address: tuple[str, int] | str) -> int:
        """A new merchant with one dish and a printer, at host and port or at a URL; its id."""
        at = {"url": address} if isinstance(address, str) else {"host": address[0], "port": address[1]}
        body = {
            "ref": ref,
            "name": f"店 {ref}",
            "lat": LAT,
            "lng": LNG,
            "open_min": 0,
            "close_min": 1440,
            "dishes": [{"ref": f"{ref}-1", "name": "宫保鸡丁", "price_fen": 2000, "stock": 100}],
            "printer": {**at, "width_cols": 48},
        }
        made = (await self.post(self._admin, "/admin/merchants:bulk", [body]))["merchants"][0]
        self.dishes[made["id"]] = made["dishes"][0]["id"]
        return int(made["id"])

    async def account(self, ref: str, role: str, **fields: Any) -> str:
        """A new account; its token."""
        body = [{"ref": ref, "role": role, **fields}]
        token: str = (await self.post(self._admin, "/admin/accounts:bulk", body))["accounts"][0]["token"]
        return token

    async def order(self, token: str, merchant_id: int) -> dict[str, Any]:
        """Place an order for one dish; the platform's answer."""
        body = {
            "merchant_id": merchant_id,
            "items": [{"dish_id": self.dishes[merchant_id], "qty": 1}],
            "drop": {"lat": LAT + 0.01, "lng": LNG, "address": "文一路 1 号", "phone": "13812345678"},
        }
        key = {"Idempotency-Key": f"key-{next(self._keys)}"}
        for _ in range(TRIES):  # as users do when the answer does not come: the same key again
            with contextlib.suppress(httpx.TransportError):
                placed: dict[str, Any] = await self.post(token, "/orders", body, headers=key)
                return placed
        raise AssertionError("the platform cannot be reached")

    async def pay(self, placed: dict[str, Any], **how: Any) -> None:
        """Pay at the provider, which calls the platform back (`how`: e.g. callback_s=5)."""
        await self._done(self.client.post(placed["payment"]["pay_url"], json=how))

    async def export(self, table: str) -> list[dict[str, Any]]:
        """All rows of an exported table."""
        for _ in range(TRIES):
            with contextlib.suppress(httpx.TransportError):
                answer = await self.client.get(f"/admin/export/{table}", headers=_bearer(self._admin))
                assert answer.status_code == 200, answer.text
                return [json.loads(line) for line in answer.text.splitlines()]
        raise AssertionError("the platform cannot be reached")

    async def post(self, token: str, path: str, body: Any = None, **kwargs: Any) -> Any:
        """POST; the decoded answer, which must be a success."""
        headers = {**_bearer(token), **kwargs.pop("headers", {})}
        return await self._done(self.client.post(path, json=body, headers=headers, **kwargs))

    async def _done(self, request: Any) -> Any:
        answer: httpx.Response = await request
        assert answer.is_success, answer.text
        return answer.json()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
