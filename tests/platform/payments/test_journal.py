"""A provider that is killed goes on where it was (G4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from o2o_platform.kit.clock import ManualClock
from o2o_platform.payments.journal import Journal
from o2o_platform.payments.sandbox import Provider, create_sandbox
from o2o_platform.payments.signing import HEADER, pay_url, sign

pytestmark = pytest.mark.anyio


class Platform:
    """Takes callbacks; answers 503 while it is down."""

    def __init__(self) -> None:
        self.up = True
        self.told: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        if self.up:
            self.told.append(msgspec.json.decode(message["body"]))
        await send({"type": "http.response.start", "status": 200 if self.up else 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_books_and_untold_callbacks_outlive_the_process(
    tmp_path: Path, eventually: Any, anyio_backend: str
) -> None:
    platform, clock, path = Platform(), ManualClock(), tmp_path / "provider.jsonl"

    def start() -> Any:
        transport = httpx.ASGITransport(platform)
        return create_sandbox("http://platform", "s", clock=clock, transport=transport, journal=path)

    async def pay(sandbox: Any, payment_id: int, **how: Any) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
            answer = await client.post(pay_url("http://provider", "s", payment_id, 100), json=how)
        assert answer.status_code == 202

    first = start()
    provider: Provider = first.state.provider
    async with provider.lifespan(first):
        await pay(first, 1)

        async def told() -> Any:
            return [entry["payment_id"] for entry in platform.told] == [1] and provider.charges[1].callbacks

        await eventually(told)
        platform.up = False
        await pay(first, 2, outcome="refused")  # confirmed, but the platform does not answer
        await pay(first, 3, confirm_s=60)  # not confirmed yet
        await pay(first, 4, silent=True)

        async def confirmed() -> Any:
            return provider.charges[2].confirmed is not None and provider.charges[4].confirmed is not None

        await eventually(confirmed)
    with path.open("ab") as file:
        file.write(b'{"payment_id": 9, "amo')  # killed in mid-write
    platform.up = True
    second = start()
    again: Provider = second.state.provider
    assert again.charges.keys() == {1, 2, 3, 4}
    async with again.lifespan(second):

        async def all_told() -> Any:
            clock.advance(60.0)
            return sorted(entry["payment_id"] for entry in platform.told) == [1, 2, 3]

        await eventually(all_told)
        assert {entry["payment_id"]: entry["outcome"] for entry in platform.told} == {1: "ok", 2: "refused", 3: "ok"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(second)) as client:
            body = msgspec.json.encode({"payment_id": 1, "amount_fen": 100})
            for _ in range(2):  # asked twice is given back once
                refund = await client.post("http://provider/refunds", content=body, headers={HEADER: sign("s", body)})
                assert refund.json() == {"payment_id": 1, "refunded_fen": 100}
            assert (await client.post("http://provider/refunds", content=body)).status_code == 403
    third = Journal(path)
    assert [entry["payment_id"] for entry in third.last.values()] == [1, 2, 3, 4]
    assert third.last[1]["refunded_fen"] == 100
    third.close()
