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
from o2o_platform.payments.sandbox.books import Books, Charge
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

            async def refund(number: str, fen: int) -> Any:
                body = msgspec.json.encode({"refund_id": number, "payment_id": 1, "amount_fen": fen})
                url = "http://provider/refunds"
                assert (await client.post(url, content=body)).status_code == 403
                return await client.post(url, content=body, headers={HEADER: sign("s", body)})

            for number, fen, sum_fen in (("7", 60, 60), ("7", 60, 60), ("8", 40, 100), ("8", 40, 100)):
                assert (await refund(number, fen)).json() == {"payment_id": 1, "refunded_fen": sum_fen}
            assert (await refund("9", 1)).status_code == 422  # more than was taken
            assert (await refund("8", 39)).status_code == 422  # the id stands for another amount
    third = Books(Journal(path))
    assert [charge.payment_id for charge in sorted(third.charges.values(), key=lambda c: c.payment_id)] == [1, 2, 3, 4]
    assert (third.charges[1].refunded_fen, third.charges[1].refunds) == (100, {"7": 60, "8": 40})
    third.close()


async def test_the_statement_is_pulled_in_pieces_and_shows_each_change_under_a_new_number(tmp_path: Path) -> None:
    """G11: whoever goes on from his last number misses nothing, also across a kill."""
    path = tmp_path / "provider.jsonl"

    def charge(number: int) -> Charge:
        return Charge(number, 100, "ok", 1.0, confirmed=1.0, taken_fen=100)

    books = Books(Journal(path))
    for number in range(1, 8):
        books.open(charge(number), 1.0)
    seen, after = [], 0
    while True:
        page = books.page(after, 3)
        seen += [entry["payment_id"] for entry in page["charges"]]
        after = page["next"]
        if not page["more"]:
            break
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert books.refund(books.charges[2], "1", 30, 2.0)
    assert not books.refund(books.charges[2], "2", 71, 2.0)
    books.close()
    again = Books(Journal(path))
    again.open(charge(8), 3.0)
    page = again.page(after, 10)
    told = [(entry["payment_id"], entry["refunded_fen"], entry["changed"]) for entry in page["charges"]]
    assert told == [(2, 30, 2.0), (8, 0, 3.0)]
    assert again.page(page["next"], 10) == {"charges": [], "next": page["next"], "more": False}
    whole = [entry["payment_id"] for entry in again.page(0, 100)["charges"]]
    assert whole == [1, 3, 4, 5, 6, 7, 2, 8]
    again.close()
