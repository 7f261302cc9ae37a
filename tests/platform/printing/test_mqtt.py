"""A14: printers on Star CloudPRNT over MQTT, through a mosquitto of this test's own, both killed and started again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import pytest

from mosquitto_server import OwnMosquitto
from o2o_platform.app import create_app
from o2o_platform.errors import PlatformError
from o2o_platform.kit.clock import ManualClock
from o2o_platform.printing import remote
from o2o_platform.printing.drivers import mqtt_broker, mqtt_settle

pytestmark = pytest.mark.anyio

_MACS = (f"0011620000{number:02x}" for number in itertools.count(1))


class StarPeer:
    """A printer that answers what the test says. Its session outlives its connection, as a real one's may."""

    def __init__(self, broker: OwnMosquitto) -> None:
        self.mac = next(_MACS)
        self.url = f"cloudprnt-mqtt://{self.mac}"
        self.code = "200%20OK"
        self.speaks = True  # to requests for its status
        self.answers = True  # jobs, with success
        self.jobs: list[dict[str, Any]] = []
        self.asked = 0
        self._broker = broker
        self._colons = ":".join(self.mac[at : at + 2] for at in range(0, 12, 2))
        self._client: aiomqtt.Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._up = asyncio.Event()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        async with asyncio.timeout(10):
            await self._up.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def tokens(self) -> list[str]:
        return [job["jobToken"] for job in self.jobs]

    def ticket(self, at: int = -1) -> bytes:
        return base64.b64decode(self.jobs[at]["printData"])

    async def say(self, method: str, **fields: Any) -> None:
        assert self._client is not None
        payload = json.dumps({"title": method, "printerMAC": self._colons, **fields})
        await self._client.publish(f"star/cloudprnt/to-server/{self._colons}/{method}", payload, qos=1)

    async def status(self, code: str | None = None) -> None:
        self.code = code or self.code
        await self.say("client-status", statusCode=self.code, printingInProgress=False)

    async def result(self, token: str, ok: bool = True, code: str = "200%20OK") -> None:
        await self.say("print-result", jobToken=token, printSucceeded=ok, statusCode=code)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    "127.0.0.1", self._broker.port, identifier=self._colons, clean_session=False
                ) as client:
                    await client.subscribe(f"star/cloudprnt/to-device/{self._colons}/#", qos=1)
                    self._client = client
                    if self.speaks:
                        await self.status()
                    self._up.set()
                    async for message in client.messages:
                        await self._meet(message)
            self._up.clear()
            await asyncio.sleep(0.02)

    async def _meet(self, message: aiomqtt.Message) -> None:
        assert isinstance(message.payload, bytes)
        fields = json.loads(message.payload)
        if fields["title"] == "request-client-status":
            self.asked += 1
            if self.speaks:
                await self.status()
        elif fields["title"] == "print-job":
            self.jobs.append(fields)
            if self.answers:
                await self.result(fields["jobToken"])


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnMosquitto]:
    own = OwnMosquitto(tmp_path)
    own.start()
    yield own
    own.kill()


@pytest.fixture
def with_broker(settings: Any, broker: OwnMosquitto, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(mqtt_settle, "SETTLE_S", 0.05)
    monkeypatch.setattr(mqtt_broker, "LAST_PAUSE_S", 0.2)
    return replace(settings, mqtt_url=broker.url, mqtt_client="test")


@pytest.fixture
async def world(with_broker: Any, open_world: Any) -> AsyncIterator[Any]:
    async with open_world(with_broker, ManualClock()) as opened:
        await link(opened).wait_up(10)
        yield opened


def link(world: Any) -> mqtt_broker.Broker:
    found: mqtt_broker.Broker = world.app.state.ctx.shelf["mqtt broker"]
    return found


@pytest.fixture
async def star(broker: OwnMosquitto, anyio_backend: str) -> AsyncIterator[StarPeer]:
    printer = StarPeer(broker)
    yield printer
    await printer.stop()


@pytest.fixture
def order(world: Any, star: StarPeer) -> Any:
    """A function: one more paid order at the shop of this printer."""
    made: list[Any] = []

    async def make() -> int:
        if not made:
            made.extend([await world.shop(printer={"url": star.url, "width_cols": 32}), await world.actor("consumer")])
        number: int = await world.paid(made[1], made[0])
        return number

    return make


@pytest.fixture
def state_is(tickets: Any, eventually: Any) -> Any:
    """Wait until the tickets are in these states; the rows."""

    async def wait(*states: str) -> Any:
        return await are(eventually, tickets, *states)

    return wait


@pytest.fixture
def given_up(world: Any, tickets: Any, eventually: Any) -> Any:
    """Let time go by until the last ticket is unconfirmed; its row."""

    async def wait() -> Any:
        async def look() -> Any:
            world.clock.advance(2.0)
            await asyncio.sleep(0.01)
            rows = await tickets()
            return rows[-1] if rows[-1]["state"] == "unconfirmed" else None

        return await eventually(look)

    return wait


async def are(eventually: Any, rows_of: Any, *states: str) -> Any:
    async def look() -> Any:
        rows = await rows_of()
        return rows if [row["state"] for row in rows] == list(states) else None

    return await eventually(look)


async def holds(eventually: Any, condition: Any) -> None:
    async def look() -> Any:
        return condition()

    await eventually(look)


# --- paper ------------------------------------------------------------------------------------------------------------


async def test_a_paid_order_is_one_job_and_printed_when_the_printer_says_so(
    star: StarPeer, order: Any, state_is: Any, eventually: Any
) -> None:
    star.answers = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.jobs)
    (row,) = await state_is("claimed")
    await star.result(star.tokens[0])
    (row,) = await state_is("printed")
    assert (row["attempts"], star.tokens) == (1, [remote.token_of(row["ticket_id"])])
    assert "宫保鸡丁" in star.ticket().decode("utf-8", "replace")
    assert star.jobs[0]["mediaTypes"] == ["application/vnd.star.starprnt"]


async def test_tickets_come_out_in_their_order(star: StarPeer, order: Any, state_is: Any) -> None:
    await star.start()
    for _ in range(5):
        await order()
    rows = await state_is(*["printed"] * 5)
    assert star.tokens == [remote.token_of(row["ticket_id"]) for row in rows]


async def test_a_job_that_was_delivered_twice_is_printed_by_its_first_result(
    star: StarPeer, order: Any, state_is: Any, eventually: Any
) -> None:
    """The broker has delivered it again: the printer says first that it has met the token, then that it is printed."""
    star.answers = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.jobs)
    await star.result(star.tokens[0], ok=False, code="530%20Duplicate")
    await star.result(star.tokens[0])
    await star.result(star.tokens[0])
    (row,) = await state_is("printed")
    assert row["code"] is None


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "outcome"), [("410%20Out%20of%20paper", "paper_end"), ("420", "cover_open"), ("400", "error")]
)
async def test_nothing_is_sent_to_a_printer_that_cannot_print(
    world: Any, star: StarPeer, order: Any, state_is: Any, tickets: Any, eventually: Any, code: str, outcome: str
) -> None:
    star.code = code
    await star.start()
    await order()

    async def tried() -> Any:
        return [row["code"] for row in await tickets()] == [outcome]

    await eventually(tried)
    assert star.jobs == []
    await star.status("200%20OK")
    world.clock.advance(10.0)
    await state_is("printed")
    assert len(star.jobs) == 1


async def test_a_printer_that_was_not_heard_of_is_asked_first(star: StarPeer, order: Any, state_is: Any) -> None:
    star.speaks = False
    await star.start()  # without a word
    star.speaks = True
    await order()
    await state_is("printed")
    assert star.asked == 1


async def test_a_printer_that_does_not_answer_is_not_sent_to(
    world: Any, star: StarPeer, order: Any, tickets: Any, eventually: Any
) -> None:
    star.speaks = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.asked)

    async def tried() -> Any:
        world.clock.advance(0.5)
        return [row["code"] for row in await tickets()] == ["broken_before_send"]

    await eventually(tried)
    assert star.jobs == []


async def test_a_printer_that_is_gone_is_not_bothered_until_it_is_back(
    world: Any, star: StarPeer, order: Any, state_is: Any, tickets: Any, eventually: Any
) -> None:
    await star.start()
    await star.say("client-will", unintentionalDisconnection=True)
    await order()

    async def tried() -> Any:
        return [row["code"] for row in await tickets()] == ["refused"]

    await eventually(tried)
    assert (star.asked, star.jobs) == (0, [])
    await star.status()
    world.clock.advance(10.0)
    await state_is("printed")


async def test_a_job_that_was_not_printed_fails_with_its_reason(
    star: StarPeer, order: Any, state_is: Any, eventually: Any
) -> None:
    star.answers = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.jobs)
    await star.result(star.tokens[0], ok=False, code="410%20Out%20of%20paper")
    (row,) = await state_is("failed")
    assert (row["code"], row["escalation"]) == ("paper_end", "app")


# --- late -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ok", "code", "state"), [(True, "200", "printed"), (False, "511", "failed")])
async def test_a_lost_result_is_unconfirmed_and_a_late_one_believed(
    star: StarPeer, order: Any, state_is: Any, given_up: Any, eventually: Any, ok: bool, code: str, state: str
) -> None:
    star.answers = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.jobs)
    row = await given_up()
    assert (row["code"], row["escalation"]) == ("silent", "app")
    await star.result(star.tokens[0], ok, code)
    await star.result(star.tokens[0], ok, code)
    await state_is(state)
    assert len(star.jobs) == 1, "never sent again by itself"


async def test_the_next_ticket_goes_on_after_an_unconfirmed_one(
    star: StarPeer, order: Any, state_is: Any, given_up: Any, eventually: Any
) -> None:
    star.answers = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.jobs)
    await given_up()
    star.answers = True
    await order()
    await state_is("unconfirmed", "printed")
    await star.result(star.tokens[0])
    await state_is("printed", "printed")


async def test_a_printer_that_left_a_job_unanswered_is_asked_before_the_next(
    world: Any, star: StarPeer, order: Any, tickets: Any, given_up: Any, eventually: Any
) -> None:
    """Connected but silent: one ticket is unconfirmed, the others wait."""
    star.answers = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.jobs)
    star.speaks = False
    await given_up()
    await order()

    async def tried() -> Any:
        world.clock.advance(0.5)
        return [row["code"] for row in await tickets()] == ["silent", "broken_before_send"]

    await eventually(tried)
    assert (len(star.jobs), star.asked > 0) == (1, True)
    star.answers = star.speaks = True
    await star.status()

    async def printed() -> Any:
        world.clock.advance(0.5)
        return [row["state"] for row in await tickets()] == ["unconfirmed", "printed"]

    await eventually(printed)


async def test_a_result_of_somebody_elses_printer_is_not_believed(
    world: Any, star: StarPeer, broker: OwnMosquitto, order: Any, state_is: Any, given_up: Any, eventually: Any
) -> None:
    star.answers = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.jobs)
    await given_up()
    other = StarPeer(broker)
    await other.start()
    try:
        await world.shop(printer={"url": other.url, "width_cols": 48})
        await other.result(star.tokens[0])
        await other.result("o2o-999999")
        await other.result("nonsense")
        await holds(eventually, lambda: link(world).figures["unclaimed"] == 3)
        await asyncio.sleep(0.2)  # they have been looked at by then, or are looked at too late to matter
        await state_is("unconfirmed")
    finally:
        await other.stop()


# --- the broker -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_the_brokers_restart_in_mid_job_loses_nothing_and_sends_nothing_twice(
    world: Any, star: StarPeer, broker: OwnMosquitto, order: Any, state_is: Any, eventually: Any, how: str
) -> None:
    star.answers = False
    await star.start()
    await order()
    await holds(eventually, lambda: star.jobs)
    await state_is("claimed")
    connections = link(world).figures["connections"]
    getattr(broker, how)()
    await holds(eventually, lambda: not link(world).connected)
    broker.start()
    await holds(eventually, lambda: link(world).figures["connections"] > connections)
    await holds(eventually, lambda: star._up.is_set())
    await star.result(star.tokens[0])
    await state_is("printed")
    assert len(star.jobs) == 1
    await order()  # and goes on
    await holds(eventually, lambda: len(star.jobs) == 2)
    await star.result(star.tokens[1])
    await state_is("printed", "printed")


async def test_without_a_broker_nothing_is_sent_and_tickets_wait(
    world: Any, star: StarPeer, broker: OwnMosquitto, order: Any, state_is: Any, tickets: Any, eventually: Any
) -> None:
    await star.start()
    broker.stop()
    await holds(eventually, lambda: not link(world).connected)
    await order()

    async def tried() -> Any:
        return [(row["state"], row["code"]) for row in await tickets()] == [("queued", "refused")]

    await eventually(tried)
    broker.start()
    await link(world).wait_up(10)
    await holds(eventually, lambda: star._up.is_set())
    world.clock.advance(10.0)
    await state_is("printed")
    assert len(star.jobs) == 1


async def test_a_result_that_comes_while_the_platform_is_away_waits_at_the_broker(
    with_broker: Any, open_world: Any, star: StarPeer, eventually: Any
) -> None:
    """A14, A13: the process ends with a job out; the paper comes out; the next process hears of it."""
    star.answers = False
    await star.start()
    clock = ManualClock()
    settings = replace(with_broker, print_drain_s=0.05)
    async with open_world(settings, clock) as first:
        await link(first).wait_up(10)
        shop = await first.shop(printer={"url": star.url, "width_cols": 48})
        await first.paid(await first.actor("consumer"), shop)
        await holds(eventually, lambda: star.jobs)
        await are(eventually, lambda: first.export("tickets"), "claimed")
    await star.result(star.tokens[0])
    async with open_world(settings, clock) as second:
        await are(eventually, lambda: second.export("tickets"), "printed")
        assert len(star.jobs) == 1


@pytest.mark.parametrize("deployment", ["scaled"], indirect=True)
async def test_of_several_dispatchers_one_settles_and_any_can(
    with_broker: Any, open_world: Any, star: StarPeer, eventually: Any
) -> None:
    """Every dispatcher hears every result: the one who waits for it takes it; without him, another does."""
    star.answers = False
    await star.start()
    clock = ManualClock()
    async with contextlib.AsyncExitStack() as stack:
        names = ("a", "b")
        worlds = {
            name: await stack.enter_async_context(open_world(replace(with_broker, mqtt_client=name), clock))
            for name in names
        }
        for one in worlds.values():
            await link(one).wait_up(10)
        first = worlds["a"]
        shop = await first.shop(printer={"url": star.url, "width_cols": 48})
        user = await first.actor("consumer")
        rows = lambda: first.export("tickets")  # noqa: E731
        await first.paid(user, shop)
        await holds(eventually, lambda: star.jobs)
        await star.result(star.tokens[0])
        await are(eventually, rows, "printed")
        await holds(eventually, lambda: sum(link(one).figures["unclaimed"] for one in worlds.values()) == 1)
        await first.paid(user, shop)
        await holds(eventually, lambda: len(star.jobs) == 2)

        async def given_up() -> Any:
            clock.advance(2.0)
            await asyncio.sleep(0.01)
            return [row["state"] for row in await rows()] == ["printed", "unconfirmed"]

        await eventually(given_up)
        before = sum(link(one).figures["settled"] for one in worlds.values())
        await star.result(star.tokens[1])
        await are(eventually, rows, "printed", "printed")
        await holds(eventually, lambda: sum(link(one).figures["settled"] for one in worlds.values()) == before + 1)
        assert len(star.jobs) == 2


# --- setting and signs ------------------------------------------------------------------------------------------------


async def test_a_printer_learns_where_the_broker_is(world: Any, star: StarPeer, broker: OwnMosquitto) -> None:
    await world.shop(printer={"url": star.url, "width_cols": 48})
    mac = ":".join(star.mac[at : at + 2] for at in range(0, 12, 2))
    answer = await world.client.get("/cloudprnt-setting.json", params={"mac": mac, "replaced_path": "cloudprnt"})
    assert answer.status_code == 200
    assert answer.json() == {
        "title": "star_cloudprnt_server_setting",
        "version": "1.0.0",
        "serverSupportProtocol": ["HTTP", "MQTT"],
        "settingForMQTT": {
            "useTriggerPOST": False,
            "pollingTimeSec": 60,
            "mqttConnectionSetting": {"hostName": "127.0.0.1", "portNumber": broker.port, "useTls": False},
        },
    }


async def test_a_printer_that_is_not_on_mqtt_is_to_poll(world: Any, star: StarPeer) -> None:
    await world.shop(printer={"url": f"cloudprnt://{star.mac}", "width_cols": 48})
    for query in ({"mac": star.mac}, {"mac": "ffffffffffff"}, {"mac": "?"}, {}):
        assert (await world.client.get("/cloudprnt-setting.json", params=query)).status_code == 404


async def test_a_printer_with_a_secret_shows_it_and_uses_it_at_the_broker(world: Any, star: StarPeer) -> None:
    await world.shop(printer={"url": star.url, "width_cols": 48, "secret": "geheim-1234"})

    async def ask(*who: str) -> Any:
        auth = httpx.BasicAuth(*who) if who else None
        return await world.client.get("/cloudprnt-setting.json", params={"mac": star.mac}, auth=auth)

    assert (await ask()).status_code == 401
    assert (await ask(star.mac, "wrong")).status_code == 401
    assert (await ask("ffffffffffff", "geheim-1234")).status_code == 401
    connection = (await ask(star.mac, "geheim-1234")).json()["settingForMQTT"]["mqttConnectionSetting"]
    assert connection["authenticationSetting"] == {"username": star.mac, "password": "geheim-1234"}


async def test_what_a_printer_says_of_itself_is_shown_to_its_owner(world: Any, star: StarPeer, eventually: Any) -> None:
    shop = await world.shop(printer={"url": star.url, "width_cols": 48})
    await star.start()

    async def said(text: str) -> None:
        async def look() -> Any:
            return (await shop.owner.get(f"/merchants/{shop.id}/printer")).json()["status"] == text

        await eventually(look)

    await said("200 OK")
    await star.status("410%20Out%20of%20paper")
    await said("410 Out of paper")
    await star.say("client-will", unintentionalDisconnection=True)
    await said("gone")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1883", "mqtt://", "mqtt://host:port", "mqtt://host/path"])
@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
async def test_a_bad_url_is_told_at_start_without_its_password(settings: Any, url: str) -> None:
    with pytest.raises(PlatformError, match="mqtt_url"):
        create_app(replace(settings, mqtt_url=url))
    with pytest.raises(PlatformError) as told:
        create_app(replace(settings, mqtt_url="http://user:geheim@host"))
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
async def test_a_broker_url_in_its_parts(deployment: str) -> None:
    parse = mqtt_broker.BrokerUrl.parse
    assert parse("mqtt://broker") == mqtt_broker.BrokerUrl("broker", 1883, False, None, None)
    assert parse("mqtts://a:b%40c@broker:99/") == mqtt_broker.BrokerUrl("broker", 99, True, "a", "b@c")
