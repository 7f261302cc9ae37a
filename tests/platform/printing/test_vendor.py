"""A14: printers behind vendors' clouds, against a cloud that says what the test wants."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from o2o_platform.kit.clock import ManualClock
from o2o_platform.printing import remote, vendor_poll

pytestmark = pytest.mark.anyio

USER, UKEY = "shop@example.com", "ukey-that-nobody-may-see"
CLIENT, SECRET, ACCESS = "1098", "secret-that-nobody-may-see", "access-that-nobody-may-see"
SILENCE = None
"""An answer that never comes."""
Say = Callable[[dict[str, str]], Any]


class Cloud:
    """Both vendors' APIs on one port. Answers by call (apiname or path): a dict, an HTTP status, or SILENCE."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.say: dict[str, Say] = {
            "Open_printMsg": lambda form: {"ret": 0, "msg": "ok", "data": f"{form['sn']}_1_{len(self.asked)}"},
            "Open_queryOrderState": lambda form: {"ret": 0, "msg": "ok", "data": False},
            "Open_queryPrinterStatus": lambda form: {"ret": 0, "msg": "ok", "data": "在线，工作状态正常"},
            "/print/index": lambda form: {"error": "0", "body": {"id": "77", "origin_id": form["origin_id"]}},
            "/printer/getorderstatus": lambda form: {"error": "0", "body": {"status": 0}},
            "/printer/getprintstatus": lambda form: {"error": "0", "body": {"state": "1"}},
            "/printer/cancelone": lambda form: {"error": "0", "body": {"status": 2}},
        }
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def calls(self, name: str) -> list[dict[str, str]]:
        return [form for call, form in self.asked if call == name]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = int(next(line for line in head.lower().splitlines() if line.startswith("content-length"))[15:])
                form = dict(parse_qsl((await reader.readexactly(length)).decode(), keep_blank_values=True))
                call = form.get("apiname") or urlsplit(head.split()[1]).path
                self.asked.append((call, form))
                answer = self.say[call](form)
                if answer is SILENCE:
                    continue
                status, body = (answer, b"{}") if isinstance(answer, int) else (200, json.dumps(answer).encode())
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        except (OSError, asyncio.IncompleteReadError):
            pass


@pytest.fixture
async def cloud(anyio_backend: str) -> AsyncIterator[Cloud]:
    one = Cloud()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def world(settings: Any, cloud: Cloud, open_world: Any) -> AsyncIterator[Any]:
    with_clouds = replace(
        settings,
        feie_url=f"http://127.0.0.1:{cloud.port}/Api/Open/",
        feie_user=USER,
        feie_ukey=UKEY,
        yilianyun_url=f"http://127.0.0.1:{cloud.port}",
        yilianyun_client_id=CLIENT,
        yilianyun_client_secret=SECRET,
        yilianyun_access_token=ACCESS,
        vendor_timeout_s=0.3,
    )
    async with open_world(with_clouds, ManualClock()) as opened:
        yield opened


@pytest.fixture
def one_order(world: Any) -> Any:
    """A function: a paid order at a shop whose printer has this address; the shop."""

    async def make(url: str, **dish: Any) -> Any:
        shop = await world.shop(printer={"url": url, "width_cols": 48})
        await world.paid(await world.actor("consumer"), shop)
        return shop

    return make


@pytest.fixture
def state_is(tickets: Any, eventually: Any) -> Any:
    """Wait until the tickets are in these states; the rows."""

    async def wait(*states: str) -> Any:
        async def look() -> Any:
            rows = await tickets()
            return rows if [row["state"] for row in rows] == list(states) else None

        return await eventually(look)

    return wait


async def taken(world: Any, eventually: Any) -> Any:
    """The jobs that the cloud has, once there is one and the dispatcher knows."""

    async def look() -> Any:
        rows = await world.db(lambda conn: list(conn.exec_driver_sql("SELECT * FROM vendor_jobs")))
        hands = await world.db(lambda conn: list(conn.exec_driver_sql("SELECT claimed_by FROM tickets")))
        return rows if rows and all(row.claimed_by == 0 for row in hands) else None

    return await eventually(look)


def feie_told(form: dict[str, str], **changes: str) -> tuple[str, dict[str, str]]:
    """The callback for a job that was asked for with this form."""
    sign = hashlib.sha1((USER + UKEY + "1700000009").encode()).hexdigest()
    told = {"orderId": "x", "status": "1", "stime": "1700000009", "sign": sign, **changes}
    return urlsplit(form["backurl"]).path, told


def yilianyun_told(form: dict[str, str], **changes: str) -> tuple[str, dict[str, str]]:
    stamp = "1700000009"
    sign = hashlib.md5((CLIENT + stamp + SECRET).encode()).hexdigest()
    told = {
        "cmd": "oauth_finish", "client_id": CLIENT, "machine_code": form["machine_code"], "order_id": "77",
        "origin_id": form["origin_id"], "state": "1", "push_time": stamp, "sign": sign, **changes,
    }  # fmt: skip
    return "/printing/yilianyun", told


ASKING = {"feie": "Open_printMsg", "yilianyun": "/print/index"}
TOLD = {"feie": feie_told, "yilianyun": yilianyun_told}
ADDRESS = {"feie": "feie://960000001", "yilianyun": "yilianyun://4004000001"}
VENDORS = pytest.mark.parametrize("vendor", ["feie", "yilianyun"])


async def test_a_feie_request_is_signed_and_ends_with_the_tickets_deadline(
    world: Any, cloud: Cloud, one_order: Any, eventually: Any
) -> None:
    await one_order("feie://960000001")
    (job,) = await taken(world, eventually)
    (form,) = cloud.calls("Open_printMsg")
    now = world.clock.now()
    assert form["sig"] == hashlib.sha1((USER + UKEY + form["stime"]).encode()).hexdigest()
    assert (form["user"], form["sn"], form["times"]) == (USER, "960000001", "1")
    assert form["content"].startswith("<CB>O2O 外卖</CB><BR>")
    assert int(form["expired"]) == int(now + 180.0)
    assert (job.order_id, job.vendor, job.serial) == ("960000001_1_2", "feie", "960000001")
    assert UKEY not in json.dumps(cloud.asked)


async def test_a_yilianyun_request_is_signed_and_has_an_id_of_ours(
    world: Any, cloud: Cloud, one_order: Any, eventually: Any
) -> None:
    await one_order("yilianyun://4004000001")
    (job,) = await taken(world, eventually)
    (form,) = cloud.calls("/print/index")
    assert form["sign"] == hashlib.md5((CLIENT + form["timestamp"] + SECRET).encode()).hexdigest()
    assert (form["client_id"], form["access_token"], form["machine_code"]) == (CLIENT, ACCESS, "4004000001")
    assert form["idempotence"] == "1"
    assert len(form["id"]) == 36
    assert job.token == form["origin_id"]
    assert len(form["origin_id"].encode()) <= 64
    assert SECRET not in json.dumps(cloud.asked)


@VENDORS
async def test_taken_is_not_printed_and_the_callback_says_so(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, eventually: Any, vendor: str
) -> None:
    await one_order(ADDRESS[vendor])
    await taken(world, eventually)
    (row,) = await state_is("claimed")
    path, told = TOLD[vendor](cloud.calls(ASKING[vendor])[0])
    answer = await world.client.post(path, data=told)
    assert answer.status_code == 200
    assert answer.text == ("SUCCESS" if vendor == "feie" else '{"data":"OK"}')
    (row,) = await state_is("printed")
    assert row["attempts"] == 1
    for _ in range(2):  # once more, and again: no effect
        assert (await world.client.post(path, data=told)).status_code == 200
    assert [row["state"] for row in await world.export("tickets")] == ["printed"]
    assert len(cloud.calls(ASKING[vendor])) == 1


@VENDORS
async def test_a_forged_callback_is_refused_and_changes_nothing(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, eventually: Any, vendor: str
) -> None:
    await one_order(ADDRESS[vendor])
    await taken(world, eventually)
    path, told = TOLD[vendor](cloud.calls(ASKING[vendor])[0])
    forged = [(path, {**told, "sign": "0" * 32}), (path, {**told, "stime": "1700000010", "push_time": "1700000010"})]
    forged.append((path, {name: value for name, value in told.items() if name != "sign"}))
    if vendor == "feie":
        token, mark = path.split("/")[-2:]
        forged += [(path.replace(mark, "0" * 32), told), (path.replace(token, "o2o-2.1"), told)]
    else:
        forged.append((path, {**told, "client_id": "1099"}))
    for where, form in forged:
        assert (await world.client.post(where, data=form)).status_code == 403
    await state_is("claimed")


async def test_a_job_of_another_database_with_the_same_number_is_not_believed(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, eventually: Any
) -> None:
    await one_order(ADDRESS["yilianyun"])
    await taken(world, eventually)
    form = cloud.calls("/print/index")[0]
    number, _, queued = form["origin_id"].partition(".")
    for other in (f"{number}.{int(queued) + 1}", number, "", "o2o-99999." + queued, "x"):
        path, told = yilianyun_told({**form, "origin_id": other})
        assert (await world.client.post(path, data=told)).json() == {"data": "OK"}  # else it would be told again
    await state_is("claimed")
    path, told = yilianyun_told(form)
    assert (await world.client.post(path, json=told)).json() == {"data": "OK"}  # as JSON
    await state_is("printed")


@VENDORS
async def test_a_lost_callback_is_repaired_by_asking(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, eventually: Any, vendor: str
) -> None:
    """A14: unconfirmed takes the late result."""
    await one_order(ADDRESS[vendor])
    await taken(world, eventually)

    async def unconfirmed() -> Any:  # nothing is told, and the cloud knows of nothing yet
        world.clock.advance(5.0)
        (row,) = await world.export("tickets")
        return row["state"] == "unconfirmed" and row

    row = await eventually(unconfirmed)
    assert (row["code"], row["escalation"]) == ("no_result", "app")
    cloud.say["Open_queryOrderState"] = lambda form: {"ret": 0, "msg": "ok", "data": True}
    cloud.say["/printer/getorderstatus"] = lambda form: {"error": 0, "body": {"status": "1"}}

    async def repaired() -> Any:
        world.clock.advance(5.0)
        return [row["state"] for row in await world.export("tickets")] == ["printed"]

    await eventually(repaired)
    (job,) = await world.db(lambda conn: list(conn.exec_driver_sql("SELECT * FROM vendor_jobs")))
    assert job.done is not None
    path, told = TOLD[vendor](cloud.calls(ASKING[vendor])[0])
    assert (await world.client.post(path, data=told)).status_code == 200  # and then it comes after all
    assert len(cloud.calls(ASKING[vendor])) == 1


async def test_feie_is_never_asked_twice_when_it_did_not_answer(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, eventually: Any
) -> None:
    """No idempotency key: nobody knows, so unconfirmed; the callback may still tell."""
    cloud.say["Open_printMsg"] = lambda form: SILENCE
    await one_order(ADDRESS["feie"])
    (row,) = await state_is("unconfirmed")
    assert row["code"] == "silent"
    world.clock.advance(60.0)
    await asyncio.sleep(0.1)
    assert len(cloud.calls("Open_printMsg")) == 1
    path, told = feie_told(cloud.calls("Open_printMsg")[0])
    await world.client.post(path, data=told)
    await state_is("printed")


async def test_a_callback_may_overtake_the_answer(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, tickets: Any, eventually: Any
) -> None:
    cloud.say["Open_printMsg"] = lambda form: SILENCE
    await one_order(ADDRESS["feie"])

    async def asked() -> Any:
        return cloud.calls("Open_printMsg")

    (form,) = await eventually(asked)
    path, told = feie_told(form)
    await world.client.post(path, data=told)
    await state_is("printed")
    await asyncio.sleep(0.4)  # the request runs out of time now
    await state_is("printed")


async def test_yilianyun_is_asked_again_with_the_same_id_when_it_did_not_answer(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, eventually: Any
) -> None:
    usual = cloud.say["/print/index"]
    cloud.say["/print/index"] = lambda form: usual(form) if len(cloud.calls("/print/index")) > 1 else SILENCE
    await one_order(ADDRESS["yilianyun"])

    async def twice() -> Any:
        world.clock.advance(0.1)
        return len(cloud.calls("/print/index")) == 2

    await eventually(twice)
    await taken(world, eventually)
    first, second = cloud.calls("/print/index")
    assert first["origin_id"] == second["origin_id"]
    assert first["id"] != second["id"]
    await state_is("claimed")


@VENDORS
async def test_a_refusal_of_the_cloud_fails_the_ticket_visibly(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, vendor: str
) -> None:
    cloud.say["Open_printMsg"] = lambda form: {"ret": 1002, "msg": "no such printer", "data": None}
    cloud.say["/print/index"] = lambda form: {"error": "1002", "error_description": "no such printer"}
    await one_order(ADDRESS[vendor])
    (row,) = await state_is("failed")
    assert (row["code"], row["escalation"]) == (f"{vendor}_1002", "app")


@VENDORS
async def test_a_cloud_that_is_down_is_found_out_before_a_ticket_is_claimed(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, tickets: Any, eventually: Any, vendor: str
) -> None:
    await cloud.stop()
    await one_order(ADDRESS[vendor])

    async def tried() -> Any:
        (row,) = await tickets()
        return row["attempts"] and row["state"] == "queued"

    await eventually(tried)
    await cloud.start()  # the same port
    world.clock.advance(4.0)
    await taken(world, eventually)
    await state_is("claimed")


async def test_a_cloud_that_is_down_delays_no_other_printer(
    world: Any, cloud: Cloud, peer: Any, printer_at: Any, tickets: Any, eventually: Any
) -> None:
    for call in ("Open_queryPrinterStatus", "Open_printMsg"):
        cloud.say[call] = lambda form: SILENCE
    user = await world.actor("consumer")
    for number in range(8):
        shop = await world.shop(printer={"url": f"feie://96000001{number}", "width_cols": 48})
        await world.paid(user, shop)
    clouds = world.app.state.ctx.shelf["vendor clouds"]

    async def open_() -> Any:
        return clouds["feie"].breaker.state == "open"

    await eventually(open_)
    asked = len(cloud.asked)
    await world.paid(user, await world.shop(printer=printer_at(peer)))
    await world.paid(user, await world.shop(printer={"url": "yilianyun://4004000009", "width_cols": 48}))

    async def printed() -> Any:
        rows = await tickets()
        return rows[8]["state"] == "printed" and cloud.calls("/print/index")

    await eventually(printed)
    assert len(cloud.calls("Open_queryPrinterStatus")) <= asked
    assert cloud.calls("Open_printMsg") == []


async def test_a_status_is_a_hint_and_stops_nothing(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, eventually: Any
) -> None:
    cloud.say["/printer/getprintstatus"] = lambda form: {"error": "0", "body": {"state": "0"}}
    shop = await one_order(ADDRESS["yilianyun"])
    await taken(world, eventually)
    sign = await world.db(lambda conn: remote.sign(conn, shop.id))
    assert sign.status == "offline"
    _, told = yilianyun_told(cloud.calls("/print/index")[0], cmd="oauth_printStatus", state="2")
    assert (await world.client.post("/printing/yilianyun", data=told)).json() == {"data": "OK"}
    sign = await world.db(lambda conn: remote.sign(conn, shop.id))
    assert sign.status == "paper_end"
    await state_is("claimed")


async def test_yilianyun_jobs_are_withdrawn_at_the_deadline(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, tickets: Any, eventually: Any
) -> None:
    """Not printed long after: what has no time of its own to expire is cancelled."""
    await one_order(ADDRESS["yilianyun"])
    await taken(world, eventually)

    async def failed() -> Any:
        world.clock.advance(5.0)
        (row,) = await tickets()
        return row["state"] == "failed" and row

    row = await eventually(failed)
    assert row["code"] == "expired"
    assert world.clock.now() >= row["queued"] + 180.0
    (form,) = cloud.calls("/printer/cancelone")
    assert form["order_id"] == "77"


async def test_feie_jobs_that_expired_stay_unconfirmed_and_are_asked_for_no_longer(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, tickets: Any, eventually: Any
) -> None:
    await one_order(ADDRESS["feie"])
    await taken(world, eventually)

    async def given_up() -> Any:
        world.clock.advance(10.0)
        (job,) = await world.db(lambda conn: list(conn.exec_driver_sql("SELECT * FROM vendor_jobs")))
        return job.done

    await eventually(given_up)
    (row,) = await state_is("unconfirmed")
    assert world.clock.now() >= row["queued"] + 180.0 + vendor_poll.MARGIN_S
    asked = len(cloud.calls("Open_queryOrderState"))
    assert 5 < asked < 25
    world.clock.advance(500.0)
    await asyncio.sleep(0.05)
    assert len(cloud.calls("Open_queryOrderState")) == asked


async def test_credentials_are_in_no_log_line_and_no_repr(
    world: Any, cloud: Cloud, one_order: Any, state_is: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud.say["Open_printMsg"] = lambda form: 500
    await one_order(ADDRESS["feie"])
    await state_is("unconfirmed")
    settings = world.app.state.ctx.settings
    for text in (caplog.text, repr(settings)):
        for secret in (UKEY, SECRET, ACCESS, "13812345678"):
            assert secret not in text


async def test_without_an_account_the_attempts_fail_and_the_ticket_says_so(
    settings: Any, open_world: Any, eventually: Any
) -> None:
    async with open_world(settings, ManualClock()) as bare:
        shop = await bare.shop(printer={"url": "feie://960000001", "width_cols": 48})
        await bare.paid(await bare.actor("consumer"), shop)

        async def failed() -> Any:
            bare.clock.advance(30.0)
            (row,) = await bare.export("tickets")
            return row["state"] == "failed" and row

        assert (await eventually(failed))["code"] in ("refused", "attempts", "deadline")
        path, told = feie_told({"backurl": "http://x/printing/feie/o2o-1.1/" + "0" * 32})
        assert (await bare.client.post(path, data=told)).status_code == 403
