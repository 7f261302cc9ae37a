"""The server side of Epson Server Direct Print, on both deployments (A14): jobs, results late and again, status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as Tree

import httpx
import pytest

from o2o_domain.epson import HOLD_S
from o2o_domain.ticket_layout import parse
from o2o_platform.kit.clock import ManualClock
from o2o_platform.printing import remote
from o2o_platform.printing.protocols import epson
from o2o_platform.printing.protocols.digest import LIFE_S
from o2o_platform.settings import Settings

pytestmark = pytest.mark.anyio

NS = "http://www.epson-pos.com/schemas/2011/03/epos-print"
ID, SECRET = "shop-17", "s3cret-of-it"


class Printer:
    """What a printer says, word by word; no clock of its own."""

    def __init__(self, world: Any, name: str = ID, auth: httpx.Auth | None = None) -> None:
        self.world = world
        self.name = name
        self.auth = auth

    async def post(self, kind: str, **fields: str) -> httpx.Response:
        body = urlencode({"ConnectionType": kind, "ID": self.name, **fields})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer: httpx.Response = await self.world.client.post("/epson", content=body, headers=headers, auth=self.auth)
        return answer

    async def get(self) -> httpx.Response:
        answer = await self.post("GetRequest")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        assert int(answer.headers["content-length"]) == len(answer.content)
        return answer

    async def token(self) -> str | None:
        """The printjobid of the job that it gets; None: there is none."""
        answer = await self.get()
        if not answer.content:
            return None
        found = Tree.fromstring(answer.content).findtext("ePOSPrint/Parameter/printjobid")
        assert found
        return found

    async def tell(self, token: str, success: bool, code: str = "", status: int = 251658262) -> None:
        """A result in version 2.00."""
        answer = await self.post("SetResponse", ResponseFile=result(token, success, code, status))
        assert (answer.status_code, answer.content) == (200, b"")

    async def status(self, word: int, device: str = "local_printer") -> None:
        one = f'<printerstatus devicename="{device}" asbstatus="{word:#010x}"/>'
        answer = await self.post("SetStatus", Status=f'<statusmonitor Version="1.00">{one}</statusmonitor>')
        assert (answer.status_code, answer.content) == (200, b"")


def result(token: str, success: bool, code: str = "", status: int = 251658262) -> str:
    named = f"<printjobid>{token}</printjobid>" if token else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><PrintResponseInfo Version="2.00"><ePOSPrint><Parameter>'
        f"<devid>local_printer</devid>{named}</Parameter><PrintResponse>"
        f'<response xmlns="{NS}" success="{str(success).lower()}" code="{code}" status="{status}" battery="0"/>'
        f"</PrintResponse></ePOSPrint></PrintResponseInfo>"
    )


REFUSAL = (
    '<PrintResponseInfo Version="3.00"><ServerDirectPrint><Response Success="false"><ErrorSummary>Invalid XML format'
    "</ErrorSummary><ErrorDetail>line 1</ErrorDetail></Response></ServerDirectPrint></PrintResponseInfo>"
)


async def opened(world: Any, *, secret: str | None = None, orders: int = 1) -> tuple[Printer, Any]:
    """A shop with an Epson printer and paid orders."""
    printer = {"url": f"epson://{ID}", "width_cols": 32, **({"secret": secret} if secret else {})}
    shop = await world.shop(printer=printer)
    user = await world.actor("consumer")
    for _ in range(orders):
        await world.paid(user, shop)
    return Printer(world), shop


async def rows(world: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await world.export("tickets")
    return found


async def states(world: Any) -> list[str]:
    return [row["state"] for row in await rows(world)]


async def test_from_a_paid_order_to_paper(world: Any) -> None:
    printer, shop = await opened(world, orders=0)
    assert (await printer.get()).content == b""
    order = await world.place(await world.actor("consumer"), shop, note="<b>不要&香菜</b>")
    assert (await printer.get()).content == b"", "it is not paid"
    await world.pay_at_provider(order)
    answer = await printer.get()
    root = Tree.fromstring(answer.content)
    assert (root.tag, root.get("Version")) == ("PrintRequestInfo", "2.00")
    (job,) = root
    token = job.findtext("Parameter/printjobid") or ""
    assert job.findtext("Parameter/devid") == "local_printer"
    assert job.findtext("Parameter/timeout") == "20000"
    (paper,) = job.findall(f"PrintData/{{{NS}}}epos-print")
    lines = "".join(text.text or "" for text in paper.iter(f"{{{NS}}}text")).split("\n")
    read = parse(lines)
    assert read.complete
    assert read.order_no == order.json()["order_no"]
    assert read.note == "<b>不要&香菜</b>"
    (link,) = [symbol.text for symbol in paper.iter(f"{{{NS}}}symbol")]
    assert link == f"{world.app.state.ctx.settings.public_url}/orders/{order.json()['order_id']}"
    (row,) = await rows(world)
    assert (row["state"], row["attempts"]) == ("claimed", 1)
    world.clock.advance(2.0)
    await printer.tell(token, True)
    (row,) = await rows(world)
    assert (row["state"], row["printed"], row["code"]) == ("printed", world.clock.now(), None)
    assert (await printer.get()).content == b""


async def test_a_printer_that_asks_again_while_its_job_is_out_gets_nothing(world: Any) -> None:
    printer, _ = await opened(world, orders=2)
    first = await printer.token()
    assert first is not None
    assert await printer.token() is None, "no rule says what a printer does with a job that comes twice"
    assert await states(world) == ["claimed", "queued"], "one job is out at a time"
    await printer.tell(first, True)
    second = await printer.token()
    assert second not in (None, first)
    await printer.tell(second or "", True)
    assert await states(world) == ["printed", "printed"]


async def test_two_requests_at_once_get_one_job(world: Any) -> None:
    printer, _ = await opened(world)
    answers = await asyncio.gather(*(printer.get() for _ in range(8)))
    assert sorted(bool(answer.content) for answer in answers) == [False] * 7 + [True]


async def test_a_result_counts_once(world: Any) -> None:
    printer, _ = await opened(world)
    token = await printer.token() or ""
    await printer.tell(token, True)
    before = await rows(world)
    world.clock.advance(5.0)
    await printer.tell(token, True)
    await printer.tell(token, False, "EPTR_REC_EMPTY")
    assert await rows(world) == before


async def test_without_a_result_it_is_unconfirmed_and_a_late_one_is_believed(world: Any, eventually: Any) -> None:
    printer, _ = await opened(world, orders=2)
    token = await printer.token() or ""
    world.clock.advance(world.app.state.ctx.settings.print_result_s + 1.0)

    async def given_up() -> bool:
        world.clock.advance(world.app.state.ctx.settings.sweep_interval_s)
        return (await states(world))[0] == "unconfirmed"

    await eventually(given_up)
    assert (await rows(world))[0]["code"] == "no_result"
    following = await printer.token()
    assert following not in (None, token), "it is not sent again, and the next one goes"
    world.clock.advance(3.0)
    await printer.tell(token, True)
    row = (await rows(world))[0]
    assert (row["state"], row["printed"]) == ("printed", world.clock.now())
    before = await rows(world)
    await printer.tell(token, True)
    assert await rows(world) == before


@pytest.mark.parametrize(
    ("code", "state", "ours"),
    [
        ("EPTR_REC_EMPTY", "failed", "paper_end"),
        ("EPTR_COVER_OPEN", "failed", "cover_open"),
        ("SchemaError", "failed", "schema"),
        ("EX_TIMEOUT", "unconfirmed", "timeout"),
        ("EX_BADPORT", "unconfirmed", "no_response"),
        ("EPTR_OF_TOMORROW", "unconfirmed", "unknown"),
        ("Printing", "claimed", None),
    ],
)
async def test_what_codes_do_to_the_ticket(world: Any, code: str, state: str, ours: str | None) -> None:
    printer, _ = await opened(world)
    token = await printer.token() or ""
    await printer.tell(token, False, code)
    (row,) = await rows(world)
    assert (row["state"], row["code"]) == (state, ours)
    assert row["escalation"] == (None if state == "claimed" else "app")


async def test_a_timeout_that_is_resolved_later(world: Any) -> None:
    printer, _ = await opened(world)
    token = await printer.token() or ""
    await printer.tell(token, False, "EX_TIMEOUT")
    await printer.tell(token, True)
    assert await states(world) == ["printed"]


async def test_results_that_name_no_job_of_this_printer_change_nothing(world: Any) -> None:
    printer, _ = await opened(world)
    token = await printer.token() or ""
    other = await world.shop(printer={"url": "epson://other"})
    await world.paid(await world.actor("consumer"), other)
    for strange in ("ABC123", "o2o-999999", "o2o-", "x" * 500, "o2o-\u00b2"):
        await printer.tell(strange, True)
        await printer.tell(strange, False, "EPTR_REC_EMPTY")
    await printer.tell("", True)
    await Printer(world, "other").tell(token, True)
    assert await states(world) == ["claimed", "queued"]


@pytest.mark.parametrize("text", [REFUSAL, result("", False, "SchemaError")])
async def test_a_refused_answer_leaves_the_job_that_is_out_unconfirmed(world: Any, text: str) -> None:
    printer, _ = await opened(world, orders=2)
    token = await printer.token() or ""
    answer = await printer.post("SetResponse", ResponseFile=text)
    assert answer.status_code == 200
    assert [(row["state"], row["code"]) for row in await rows(world)] == [("unconfirmed", "refused"), ("queued", None)]
    await printer.tell(token, True)
    assert await states(world) == ["printed", "queued"], "it was another answer that was refused"
    await printer.post("SetResponse", ResponseFile=text)
    assert await states(world) == ["printed", "queued"], "nothing is out"


async def test_results_of_several_jobs_in_one_message(world: Any) -> None:
    printer, _ = await opened(world, orders=2)
    first = await printer.token() or ""
    await printer.tell(first, False, "EX_TIMEOUT")
    second = await printer.token() or ""
    both = result(first, True).replace("</PrintResponseInfo>", "") + result(second, True).partition('"2.00">')[2]
    assert (await printer.post("SetResponse", ResponseFile=both)).status_code == 200
    assert await states(world) == ["printed", "printed"]


@pytest.mark.parametrize("text", ["", "<a", "<a/>", "<!DOCTYPE a><PrintResponseInfo/>", "\x00", "<a>" * 9000])
@pytest.mark.parametrize(("kind", "field"), [("SetResponse", "ResponseFile"), ("SetStatus", "Status")])
async def test_what_cannot_be_read_is_heard_and_does_nothing(world: Any, kind: str, field: str, text: str) -> None:
    printer, _ = await opened(world)
    await printer.token()
    answer = await printer.post(kind, **{field: text})
    assert (answer.status_code, answer.content) == (200, b"")
    assert await states(world) == ["claimed"]


async def test_requests_that_are_none(world: Any) -> None:
    await opened(world)
    assert (await Printer(world, "nobody").post("GetRequest")).status_code == 404
    assert (await Printer(world, "a/b?c").post("GetRequest")).status_code == 404
    assert (await Printer(world, "a\x00").post("GetRequest")).status_code == 404
    assert (await Printer(world).post("SetSomething")).content == b""
    assert (await world.client.post("/epson", content=b"ID=" + b"1" * 70_000)).status_code == 422
    assert (await world.client.post("/epson", content=b"ID=%ff")).status_code == 422
    assert (await world.client.get("/epson")).status_code == 405


async def test_a_printer_in_trouble_gets_nothing_until_it_is_well_or_has_been_silent_for_long(world: Any) -> None:
    printer, shop = await opened(world)
    await printer.status(0x0F0C001C)
    assert await printer.token() is None
    assert await states(world) == ["queued"]
    await printer.status(0x0F030014)
    token = await printer.token()
    assert token is not None, "near its end is not the end"
    await printer.tell(token, True)
    await world.paid(await world.actor("consumer"), shop)
    await printer.status(0x0F00003C)
    world.clock.advance(HOLD_S - 0.1)
    assert await printer.token() is None
    world.clock.advance(0.1)
    assert await printer.token() is not None, "a notification is the merchant's to switch on"


async def test_trouble_in_a_result_holds_the_next_job_back(world: Any) -> None:
    printer, _ = await opened(world, orders=2)
    token = await printer.token() or ""
    await printer.tell(token, False, "EPTR_REC_EMPTY", 0x0F0C001C)
    assert await printer.token() is None
    await printer.status(0x0F000014)
    assert await printer.token() is not None


async def test_a_late_result_says_nothing_of_the_printer_now(world: Any) -> None:
    printer, _ = await opened(world, orders=2)
    token = await printer.token() or ""
    await printer.tell(token, False, "EX_TIMEOUT", 0x0F000014)
    await printer.status(0x0F00003C)
    await printer.tell(token, True, "", 0x0F000016)
    assert await states(world) == ["printed", "queued"]
    assert await printer.token() is None, "its cover is open since"


async def test_what_a_printer_says_of_itself_is_kept(world: Any) -> None:
    printer, shop = await opened(world)

    async def sign() -> Any:
        return await world.db(lambda conn: remote.sign(conn, shop.id))

    await printer.status(0x0F00003C)
    row = await sign()
    assert (row.seen, row.status) == (world.clock.now(), "cover_open")
    assert json.loads(row.detail) == {"at": world.clock.now(), "trouble": "cover_open", "asb": "0x0f00003c"}
    await printer.status(0x0F030014, "the_only_one")
    assert (await sign()).status == "near_end"
    told = '<statusmonitor><printerstatus devicename="x" asbstatus="0x1"/><printerstatus devicename="local_printer" '
    await printer.post("SetStatus", Status=told + 'asbstatus="0x0F000014"/></statusmonitor>')
    assert (await sign()).status == "ok", "the printer itself, not what is attached to it"


async def test_a_poll_without_a_job_writes_nothing(world: Any) -> None:
    printer, _ = await opened(world, orders=0)
    await printer.get()
    before = world.app.state.ctx.db.units
    for _ in range(20):
        await printer.get()
    assert world.app.state.ctx.db.units == before


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
async def test_a_poll_is_one_look_by_indexes(world: Any) -> None:
    """No table is gone through, however many merchants and tickets there are."""
    sql, binds = "EXPLAIN QUERY PLAN " + epson._LOOK._sqlite.sql, {"url": f"epson://{ID}", "param_1": 1, "param_2": 0}
    plan = await world.db(lambda conn: [row[3] for row in conn.exec_driver_sql(sql, binds)])
    assert len([step for step in plan if step.startswith("SEARCH")]) == 3
    assert not [step for step in plan if step.startswith("SCAN ")], plan


class TestSecrets:
    """A printer whose merchant has set a secret must show it (RFC 7616)."""

    async def test_the_right_secret(self, world: Any) -> None:
        await opened(world, secret=SECRET)
        printer = Printer(world, auth=httpx.DigestAuth(ID, SECRET))
        token = await printer.token() or ""
        await printer.tell(token, True)
        assert await states(world) == ["printed"]

    async def test_none_and_wrong_ones(self, world: Any) -> None:
        await opened(world, secret=SECRET)
        token = await Printer(world, auth=httpx.DigestAuth(ID, SECRET)).token() or ""
        for auth in (
            None,
            httpx.DigestAuth(ID, "guess"),
            httpx.DigestAuth("other", SECRET),
            httpx.BasicAuth(ID, SECRET),
        ):
            stranger = Printer(world, auth=auth)
            for kind, fields in (
                ("GetRequest", {}),
                ("SetResponse", {"ResponseFile": result(token, True)}),
                ("SetStatus", {"Status": "<statusmonitor/>"}),
            ):
                answer = await stranger.post(kind, **fields)
                assert answer.status_code == 401
                assert [value[:6] for value in answer.headers.get_list("www-authenticate")] == ["Digest", "Digest"]
        assert await states(world) == ["claimed"]

    async def test_another_printers_secret_is_not_this_ones(self, world: Any) -> None:
        await opened(world, secret=SECRET)
        await world.shop(printer={"url": "epson://other", "secret": "another-secret"})
        mixed = Printer(world, auth=httpx.DigestAuth("other", "another-secret"))
        assert (await mixed.post("GetRequest")).status_code == 401

    async def test_firmware_without_an_id_in_its_form_is_known_by_its_user(self, world: Any) -> None:
        await opened(world, secret=SECRET)
        empty = await world.client.post("/epson", content=b"")
        assert empty.status_code == 401, "a request to be challenged"
        assert await Printer(world, "", auth=httpx.DigestAuth(ID, SECRET)).token() is not None

    async def test_an_old_nonce_is_stale_and_the_next_is_fresh(self, world: Any) -> None:
        await opened(world, secret=SECRET)
        auth = httpx.DigestAuth(ID, SECRET)
        printer = Printer(world, auth=auth)
        assert (await printer.post("GetRequest")).status_code == 200
        world.clock.advance(LIFE_S + 1.0)
        said: list[httpx.Response] = []

        async def heard(answer: httpx.Response) -> None:
            said.append(answer)

        world.client.event_hooks["response"].append(heard)
        try:
            assert (await printer.post("GetRequest")).status_code == 200
        finally:
            world.client.event_hooks["response"].remove(heard)
        assert [answer.status_code for answer in said] == [401, 200]
        assert "stale=true" in said[0].headers["www-authenticate"]


class TestSeveralProcesses:
    """Any worker answers any request, and one that ends between two is not missed."""

    @pytest.fixture
    async def two(self, settings: Settings, open_world: Any, anyio_backend: str) -> AsyncIterator[tuple[Any, Any]]:
        clock = ManualClock()
        if settings.database_url.startswith("sqlite"):
            pytest.skip("an SQLite file has one process")
        async with open_world(settings, clock) as one, open_world(settings, clock) as other:
            yield one, other

    async def test_a_job_is_fetched_from_one_worker_and_told_to_another(self, two: tuple[Any, Any]) -> None:
        one, other = two
        await opened(one, secret=SECRET)
        auth = httpx.DigestAuth(ID, SECRET)
        token = await Printer(one, auth=auth).token() or ""
        assert await Printer(other, auth=auth).token() is None
        await Printer(other, auth=auth).tell(token, True)
        assert await states(one) == ["printed"]

    async def test_two_workers_asked_at_once_give_one_job(self, two: tuple[Any, Any]) -> None:
        await opened(two[0])
        answers = await asyncio.gather(*(Printer(two[i % 2]).get() for i in range(8)))
        assert sorted(bool(answer.content) for answer in answers) == [False] * 7 + [True]

    async def test_a_restart_between_job_and_result(self, settings: Settings, open_world: Any) -> None:
        clock = ManualClock()
        async with open_world(settings, clock) as world:
            await opened(world, secret=SECRET)
            token = await Printer(world, auth=httpx.DigestAuth(ID, SECRET)).token() or ""
        async with open_world(settings, clock) as world:
            auth = httpx.DigestAuth(ID, SECRET)
            assert await Printer(world, auth=auth).token() is None, "it is out with the printer still"
            await Printer(world, auth=auth).tell(token, True)
            assert await states(world) == ["printed"]
