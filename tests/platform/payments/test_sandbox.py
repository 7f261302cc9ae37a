"""The sandbox provider's plan (G4): seeded fates, each counted; down windows; signed pages."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from o2o_platform.kit.clock import ManualClock
from o2o_platform.payments.sandbox import Provider, create_sandbox
from o2o_platform.payments.sandbox.plan import FATES, Plan, Standing
from o2o_platform.payments.signing import HEADER, holds, pay_url

pytestmark = pytest.mark.anyio

SHARES = {"late": 0.2, "lost": 0.1, "doubled": 0.1, "out_of_order": 0.1, "refused": 0.1, "amount_wrong": 0.1}


class Platform:
    """Takes callbacks, or does not answer."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.hosts: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        host = dict(scope["headers"])[b"host"].decode()
        status = 503 if host == "dead" else 200
        if status == 200:
            self.told.append(msgspec.json.decode(message["body"]))
            self.hosts.append(host)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Bank:
    """A provider in process, its platform and its clock."""

    def __init__(self, url: Any = "http://platform") -> None:
        self.platform, self.clock = Platform(), ManualClock()
        self.app = create_sandbox(url, "s", clock=self.clock, transport=httpx.ASGITransport(self.platform))
        self.provider: Provider = self.app.state.provider
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://provider")

    async def __aenter__(self) -> Bank:
        self._life = self.provider.lifespan(self.app)
        await self._life.__aenter__()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self._life.__aexit__(None, None, None)
        await self.client.aclose()

    async def plan(self, **plan: Any) -> httpx.Response:
        return await self.client.put("/plan", json=plan)

    async def pay(self, payment_id: int, **how: Any) -> httpx.Response:
        return await self.client.post(pay_url("http://provider", "s", payment_id, 1000), json=how)

    async def told(self, eventually: Any, number: int) -> list[dict[str, Any]]:
        async def heard() -> Any:
            return len(self.platform.told) >= number

        await eventually(heard)
        return self.platform.told


async def test_every_fate_is_met_and_counted(anyio_backend: str, eventually: Any) -> None:
    async with Bank() as bank:
        assert (await bank.plan(seed=3, late_s=5.0, **SHARES)).status_code == 200
        for number in range(1, 401):
            assert (await bank.pay(number)).status_code == 202
        counts = (await bank.client.get("/plan")).json()["counts"]
        assert counts.pop("charges") == 400
        assert counts.pop("turned_away") == 0
        counts.pop("to_tell")
        assert sum(counts.values()) == 400
        for fate in FATES:
            assert 0.5 * SHARES[fate] * 400 < counts[fate] < 1.6 * SHARES[fate] * 400, (fate, counts)
        at_once = 400 - counts["lost"] - counts["late"] + counts["doubled"] + counts["out_of_order"]
        assert len(await bank.told(eventually, at_once)) == at_once
        bank.clock.advance(10.0)
        told = await bank.told(eventually, at_once + counts["late"])
        assert len(told) == at_once + counts["late"]
        assert sum(one["outcome"] == "refused" for one in told) == counts["refused"] + counts["out_of_order"]
        assert sum(one["amount_fen"] != 1000 for one in told) == counts["amount_wrong"]
        by_fate: dict[str, list[Any]] = {}
        for charge in bank.provider.charges.values():
            by_fate.setdefault(charge.fate, []).append(charge)
        assert {charge.callbacks for charge in by_fate["doubled"]} == {2}
        assert {charge.callbacks for charge in by_fate["lost"]} == {0}
        assert {charge.taken_fen for charge in by_fate["lost"]} == {1000}  # the money is taken all the same
        assert {charge.taken_fen for charge in by_fate["refused"]} == {0}
        assert {charge.taken_fen for charge in by_fate["amount_wrong"]} == {900, 999, 1001, 1100}
        for charge in by_fate["out_of_order"]:
            words = [one["outcome"] for one in told if one["payment_id"] == charge.payment_id]
            assert words == ["ok", "refused"]


def test_a_payments_fate_depends_on_seed_and_payment_alone() -> None:
    one = Standing(Plan(seed=1, **SHARES), 0.0)
    again = Standing(Plan(seed=1, late_s=99.0, **SHARES), 50.0)
    other = Standing(Plan(seed=2, **SHARES), 0.0)
    fates = [one.draw(number).fate for number in range(500)]
    assert fates == [again.draw(number).fate for number in range(500)]
    assert fates != [other.draw(number).fate for number in range(500)]
    assert {Standing(Plan(), 0.0).draw(number).fate for number in range(50)} == {"as_asked"}
    assert {Standing(Plan(lost=1.0), 0.0).draw(number).fate for number in range(50)} == {"lost"}


async def test_a_plan_that_makes_no_sense_is_refused(anyio_backend: str) -> None:
    async with Bank() as bank:
        for wrong in ({"lost": 0.7, "late": 0.4}, {"lost": -0.1}, {"surprise": 1}, {"down": [{"after_s": -1}]}):
            assert (await bank.plan(**wrong)).status_code == 422
        assert (await bank.client.get("/statement?after=x")).status_code == 422
        assert (await bank.client.get("/statement?limit=0")).status_code == 422


async def test_while_it_is_down_nobody_is_answered_and_nobody_told(anyio_backend: str, eventually: Any) -> None:
    async with Bank() as bank:
        await bank.pay(1, callback_s=6.0)
        await bank.plan(down=[{"after_s": 5.0, "for_s": 10.0}])
        bank.clock.advance(5.0)
        answer = await bank.pay(2)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "11")
        assert (await bank.client.get("/statement")).status_code == 503
        assert (await bank.client.get("/healthz")).status_code == 200
        bank.clock.advance(1.0)  # the callback of payment 1 is due, but waits

        async def waits() -> Any:
            return len(bank.clock.alarms) == 1

        await eventually(waits)
        assert bank.platform.told == []
        bank.clock.advance(9.0)
        assert [one["payment_id"] for one in await bank.told(eventually, 1)] == [1]
        assert (await bank.pay(2)).status_code == 202
        assert (await bank.client.get("/plan")).json()["counts"]["turned_away"] == 2


async def test_pages_of_the_statement_are_signed(anyio_backend: str, eventually: Any) -> None:
    async with Bank() as bank:
        for number in range(1, 6):
            await bank.pay(number)
        page = await bank.client.get("/statement", params={"after": 0, "limit": 2})
        assert holds("s", page.content, page.headers[HEADER])
        assert [entry["payment_id"] for entry in page.json()["charges"]] == [1, 2]
        assert page.json()["more"] is True
        rest = (await bank.client.get("/statement", params={"after": page.json()["next"]})).json()
        assert [entry["payment_id"] for entry in rest["charges"]] == [3, 4, 5]
        assert (rest["more"], rest["charges"][0]["charged_fen"]) == (False, 1000)


async def test_a_platform_at_several_addresses_is_told_at_the_next(anyio_backend: str, eventually: Any) -> None:
    async with Bank(["http://dead", "http://alive"]) as bank:
        await bank.pay(1)

        async def told() -> Any:
            bank.clock.advance(1.0)
            return bank.platform.told

        await eventually(told)
        assert bank.platform.hosts == ["alive"]
