"""A Star printer on MQTT, against a mosquitto of this test's own and a server that says what the test wants (A14)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from mosquitto_server import OwnMosquitto
from o2o_devices.cloud import mqtt_session, star_server
from o2o_devices.cloud.machine import Machine
from o2o_devices.cloud.mqtt import MqttPrinter
from o2o_devices.cloud.mqtt_line import Account
from o2o_devices.control import Control
from o2o_devices.faults import TicketFault
from o2o_devices.mechanism import Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

FAST = Profile(mm_s=2_000.0, cut_s=0.0, cut_feed_mm=0.0, line_dots=40)
KEEPS = replace(FAST, on_paper_end="resume")
STARPRNT = "application/vnd.star.starprnt"
UTF8 = b"\x1b\x1d)U\x02\x000\x01"
CUT = b"\x1bd\x03"
_MACS = (f"0011620000{number:02x}" for number in itertools.count(1))


def starprnt(text: str) -> bytes:
    return UTF8 + f"{text}\n".encode() + CUT


class Server:
    """A CloudPRNT server on the broker, without sessions: it publishes and hears everything."""

    def __init__(self, client: aiomqtt.Client, mac: str) -> None:
        self._client = client
        self._colons = ":".join(mac[at : at + 2] for at in range(0, 12, 2))
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def hear(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            assert (message.qos, message.retain) == (1, False), "QoS 1, and nothing is retained"
            fields = json.loads(message.payload)
            method = str(message.topic).rpartition("/")[2]
            assert fields["title"] == method
            assert fields["printerMAC"] == self._colons
            self.heard.append((method, fields))

    def all(self, method: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.heard if name == method]

    @property
    def results(self) -> list[tuple[str, bool, str]]:
        return [(one["jobToken"], one["printSucceeded"], one["statusCode"][:3]) for one in self.all("print-result")]

    @property
    def codes(self) -> list[str]:
        return [one["statusCode"][:3] for one in self.all("client-status")]

    async def say(self, method: str, **fields: Any) -> None:
        topic = f"star/cloudprnt/to-device/{self._colons}/{method}"
        await self._client.publish(topic, json.dumps({"title": method, **fields}), qos=1)

    async def job(self, token: str, text: str = "宫保鸡丁 x1", **fields: Any) -> None:
        data = base64.b64encode(starprnt(text)).decode()
        await self.say(
            "print-job", **{"jobToken": token, "jobType": "raw", "mediaTypes": [STARPRNT], "printData": data, **fields}
        )


class Kitchen:
    """A printer on MQTT, the paper that came out of it, and its server."""

    def __init__(self, broker: OwnMosquitto, profile: Profile, *faults: TicketFault, **options: Any) -> None:
        self.broker = broker
        self.mac = next(_MACS)
        self.paper: list[Receipt] = []
        self.printer = VirtualPrinter(
            profile, on_paper=lambda receipt, at: self.paper.append(receipt), plan=dict(enumerate(faults)).get
        )
        where = options.pop("server", Account("127.0.0.1", broker.port))
        self.front = MqttPrinter(Machine(self.printer), self.mac, where, **options)
        self.control = Control(self.front)

    @property
    def texts(self) -> list[str]:
        return [receipt.text for receipt in self.paper]


@asynccontextmanager
async def kitchen_of(broker: OwnMosquitto, profile: Profile = FAST, *faults: TicketFault, **options: Any) -> Any:
    kitchen = Kitchen(broker, profile, *faults, **options)
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        server = Server(client, kitchen.mac)
        await client.subscribe(f"star/cloudprnt/to-server/{server._colons}/#", qos=1)
        hearing = asyncio.create_task(server.hear())
        await kitchen.front.start()
        if "server" not in options:
            await until(lambda: kitchen.front.connected)
        try:
            yield kitchen, server
        finally:
            await kitchen.front.stop()
            hearing.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await hearing


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnMosquitto]:
    monkeypatch.setattr(mqtt_session, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(mqtt_session, "LAST_RETRY_S", 0.2)
    monkeypatch.setattr(star_server, "PAUSE_S", 0.01)
    own = OwnMosquitto(tmp_path)
    own.start()
    yield own
    own.kill()


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop run until something is so."""
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came to that")


def run(test: Any) -> None:
    asyncio.run(test)


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_a_job_is_printed_and_told_when_the_paper_is_out(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            await server.job("t1")
            await until(lambda: server.results)
            assert kitchen.texts == ["宫保鸡丁 x1"]
            assert server.results == [("t1", True, "200")]
            await until(lambda: len(server.all("client-status")) == 3)
            assert [one["printingInProgress"] for one in server.all("client-status")] == [False, True, False]

    run(test())


def test_jobs_are_printed_one_after_the_other(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            for number in range(12):
                await server.job(f"t{number}", f"菜 {number}")
            await until(lambda: len(server.results) == 12)
            assert kitchen.texts == [f"菜 {number}" for number in range(12)]

    run(test())


def test_a_token_of_the_last_ten_is_not_printed_again(broker: OwnMosquitto) -> None:
    """ "A printer remembers the past 10 jobTokens." """

    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            for number in range(10):
                await server.job(f"t{number}", f"菜 {number}")
            for again in ("t0", "t9"):
                await server.job(again)
            await until(lambda: len(server.results) == 12)
            duplicates = [result for result in server.results if not result[1]]
            assert duplicates == [("t0", False, "530"), ("t9", False, "530")]
            assert (len(kitchen.paper), kitchen.front.duplicates) == (10, 2)
            await server.job("t10")
            await server.job("t0", "again")  # forgotten by now
            await until(lambda: len(server.results) == 14)
            assert len(kitchen.paper) == 12

    run(test())


def test_what_the_broker_delivers_again_is_not_printed_again(broker: OwnMosquitto) -> None:
    """QoS 1: the printer's acknowledgement was lost; the broker delivers the job on the next connection."""

    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            kitchen.front.acks_to_withhold = 1
            await server.job("t1")
            await until(lambda: server.results == [("t1", True, "200")])
            kitchen.control.offline()
            kitchen.control.online()
            await until(lambda: len(server.results) == 2)
            assert server.results[1] == ("t1", False, "530")
            assert len(kitchen.paper) == 1

    run(test())


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"mediaTypes": ["image/jpeg"]}, "510"),
        ({"printData": "no base64"}, "511"),
        ({"printData": base64.b64encode(UTF8 + b"\xff\xfe").decode()}, "511"),
        ({"jobType": "fax"}, "500"),
        ({"mediaTypes": []}, "500"),
        ({"jobType": "url", "printData": "http://127.0.0.1:9/job"}, "520"),
    ],
)
def test_a_job_that_cannot_be_printed_is_answered_with_why(
    broker: OwnMosquitto, fields: dict[str, Any], code: str
) -> None:
    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            await server.job("t1", **fields)
            await server.job("t2")
            await until(lambda: len(server.results) == 2)
            assert server.results == [("t1", False, code), ("t2", True, "200")]
            assert len(kitchen.paper) == 1

    run(test())


def test_text_is_cut_as_the_server_wants_it(broker: OwnMosquitto) -> None:
    async def test() -> None:
        control = {"cutter": {"type": "full", "feed": True}}
        async with kitchen_of(broker) as (kitchen, server):
            await server.job("t1", mediaTypes=["text/plain"], printData="米饭 x2", printerControl=control)
            await until(lambda: server.results)
            assert [(receipt.text, receipt.cut) for receipt in kitchen.paper] == [("米饭 x2", "full")]

    run(test())


# --- status -----------------------------------------------------------------------------------------------------------


def test_changes_are_told_and_questions_answered(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            await until(lambda: server.codes == ["200"])
            kitchen.control.open_cover()
            await until(lambda: server.codes == ["200", "420"])
            kitchen.control.close_cover()
            kitchen.control.paper_end()
            await until(lambda: server.codes[-1] == "410")
            kitchen.control.refill(500.0)
            await until(lambda: server.codes[-1] == "211")
            before = len(server.codes)
            await server.say("request-client-status")
            await until(lambda: len(server.codes) == before + 1)
            await server.say("order-client-action", clientAction=[{"request": "ClientType", "options": ""}, {}, 7])
            await until(lambda: len(server.codes) == before + 2)
            (answer,) = server.all("client-status")[-1]["clientAction"]
            assert answer["request"] == "ClientType"
            assert answer["result"]

    run(test())


def test_paper_that_ends_in_a_job_is_told_as_its_failure(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker, FAST, TicketFault("paper_end", 2.0, 0.2)) as (kitchen, server):
            await server.job("t1", "a\nb\nc\nd")
            await until(lambda: server.results)
            assert server.results == [("t1", False, "410")]
            await until(lambda: server.codes[-1] == "200")  # somebody has put paper in
            await server.job("t2")
            await until(lambda: len(server.results) == 2)
            assert server.results[1] == ("t2", True, "200")
            assert [receipt.complete for receipt in kitchen.paper] == [False, True]

    run(test())


def test_a_printer_that_keeps_its_data_goes_on_and_answers_late(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker, KEEPS, TicketFault("paper_end", 2.0, 0.1)) as (kitchen, server):
            await server.job("t1", "a\nb\nc\nd")
            await until(lambda: "410" in server.codes)
            assert server.results == []
            await until(lambda: server.results == [("t1", True, "200")])
            assert len(kitchen.paper) == 1

    run(test())


# --- the connection ---------------------------------------------------------------------------------------------------


def test_power_lost_is_told_by_the_will_and_takes_the_jobs(broker: OwnMosquitto) -> None:
    async def test() -> None:
        slow = replace(FAST, mm_s=20.0)  # the second job is there before the power goes
        async with kitchen_of(broker, slow, TicketFault("power_off", 5.0, 0.1)) as (kitchen, server):
            await server.job("t1", "a\nb\nc\nd")
            await server.job("t2")
            await until(lambda: server.all("client-will"))
            assert server.all("client-will")[0]["unintentionalDisconnection"] is True
            await until(lambda: kitchen.front.connected)
            await server.job("t1")  # remembered without power
            await server.job("t3")
            await until(lambda: ("t3", True, "200") in server.results)
            assert server.results == [("t1", False, "530"), ("t3", True, "200")]
            assert [receipt.complete for receipt in kitchen.paper] == [False, True]

    run(test())


def test_a_lost_link_delays_the_result(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker, FAST, TicketFault("offline", 2.0, 0.2)) as (kitchen, server):
            await server.job("t1", "a\nb\nc\nd")
            await until(lambda: server.all("client-will"))
            await until(lambda: kitchen.paper)
            assert server.results == []
            await until(lambda: server.results)
            assert server.results == [("t1", True, "200")]

    run(test())


def test_jobs_wait_for_a_printer_that_is_away(broker: OwnMosquitto) -> None:
    """The backlog is printed on its return (mike42/escpos-php#411)."""

    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            kitchen.control.offline()
            await until(lambda: server.all("client-will"))
            await server.job("t1")
            await server.job("t2")
            kitchen.control.online()
            await until(lambda: len(server.results) == 2)
            assert len(kitchen.paper) == 2

    run(test())


def test_a_flapping_link_loses_nothing(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker, FAST, TicketFault("flapping", 2.0, 0.25)) as (kitchen, server):
            await server.job("t1", "a\nb\nc\nd")
            await until(lambda: len(server.all("client-will")) >= 1 and server.results)
            await until(lambda: kitchen.front.connected)
            await server.job("t2")
            await until(lambda: ("t2", True, "200") in server.results)
            assert ("t1", True, "200") in server.results
            assert len(kitchen.paper) == 2

    run(test())


def test_connected_but_silent_says_nothing_until_it_is_over(broker: OwnMosquitto) -> None:
    """star-micronics/star-cloudprnt-for-woocommerce#13: what came meanwhile is delivered again and printed then."""

    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            await until(lambda: server.codes)
            kitchen.control.silent()
            await server.say("request-client-status")
            await server.job("t1")
            await asyncio.sleep(0.1)
            assert (server.results, server.codes, kitchen.paper) == ([], ["200"], [])
            assert kitchen.front.connected
            kitchen.control.silent(False)
            kitchen.control.offline()
            kitchen.control.online()
            await until(lambda: server.results)
            assert server.results == [("t1", True, "200")]

    run(test())


def test_a_lost_answer_is_told_later_or_never(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker, FAST, TicketFault("lost_ack"), late_result_s=0.1) as (kitchen, server):
            await server.job("t1")
            await server.job("t2")
            await until(lambda: len(server.results) == 2)
            assert server.results == [("t2", True, "200"), ("t1", True, "200")]
        async with kitchen_of(broker, FAST, TicketFault("lost_ack"), late_result_s=None) as (kitchen, server):
            await server.job("t1")
            await server.job("t2")
            await until(lambda: server.results)
            assert server.results == [("t2", True, "200")]
            assert len(kitchen.paper) == 2

    run(test())


def test_a_slow_link_brings_the_job_late_and_whole(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            kitchen.control.slow_link(20_000.0)
            await server.job("t1", "面 " * 400)
            await until(lambda: server.results)
            assert kitchen.texts[0].count("面") == 400

    run(test())


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_brokers_restart(broker: OwnMosquitto, how: str) -> None:
    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, _):
            getattr(broker, how)()
            await until(lambda: not kitchen.front.connected)
            broker.start()
            await until(lambda: kitchen.front.connected)
            async with aiomqtt.Client("127.0.0.1", broker.port) as client:
                server = Server(client, kitchen.mac)
                await server.job("t1")
                await until(lambda: kitchen.paper)

    run(test())


def test_a_result_that_the_broker_has_not_acknowledged_is_sent_again(broker: OwnMosquitto) -> None:
    async def test() -> None:
        slow = replace(FAST, mm_s=20.0)
        async with kitchen_of(broker, slow) as (kitchen, server):
            topic = f"star/cloudprnt/to-server/{server._colons}/#"
            ours: dict[str, Any] = {"identifier": "server", "clean_session": False}  # what comes waits for us
            async with aiomqtt.Client("127.0.0.1", broker.port, **ours) as client:
                await client.subscribe(topic, qos=1)
            await server.job("t1")
            await until(lambda: kitchen.front._worker is not None)
            broker.stop()
            await until(lambda: kitchen.paper)
            broker.start()
            async with aiomqtt.Client("127.0.0.1", broker.port, **ours) as client:
                again = Server(client, kitchen.mac)
                hearing = asyncio.create_task(again.hear())
                await until(lambda: again.results)
                assert again.results[0] == ("t1", True, "200")
                hearing.cancel()

    run(test())


def test_switched_off_properly_it_says_so(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker) as (kitchen, server):
            await kitchen.front.stop()
            await until(lambda: server.all("client-will"))
            assert [one["unintentionalDisconnection"] for one in server.all("client-will")] == [False]

    run(test())


def test_a_memory_that_needs_power_prints_again(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with kitchen_of(broker, keeps_tokens=False) as (kitchen, server):
            await server.job("t1")
            await until(lambda: server.results)
            kitchen.control.power_cut()
            kitchen.control.power_on()
            await until(lambda: server.all("client-will") and kitchen.front.connected)
            await server.job("t1")
            await until(lambda: len(server.results) == 2)
            assert len(kitchen.paper) == 2

    run(test())


@pytest.mark.parametrize("answer", [b"", b"\x20\x02\x00\x05", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_broker_that_is_none_is_left_and_tried_again(broker: OwnMosquitto, answer: bytes) -> None:
    """One that does not answer, one that refuses us (not authorized), and no broker at all."""

    async def test() -> None:
        visits = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal visits
            visits += 1
            with contextlib.suppress(OSError):
                while await reader.read(4096):
                    writer.write(answer)
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        where = Account("127.0.0.1", listening.sockets[0].getsockname()[1])
        kitchen = Kitchen(broker, FAST, server=where, keepalive_s=1)
        await kitchen.front.start()
        await until(lambda: visits >= 2)
        assert not kitchen.front.connected
        await kitchen.front.stop()
        listening.close()

    run(test())


# --- its server -------------------------------------------------------------------------------------------------------


class Http:
    """Answers by path: (status, body) of a list, the last one for ever; keeps what was asked."""

    def __init__(self, **answers: list[tuple[int, bytes]]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Http:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/shop/cloudprnt"
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split(" ", 2)
            self.asked.append(f"{method} {target}")
            name = target.partition("?")[0].rpartition("/")[2].replace("-", "_").replace(".", "_")
            answers = self.answers.get(name, [(404, b"")])
            status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
            writer.close()


def setting(port: int, **more: Any) -> bytes:
    return json.dumps(
        {
            "title": "star_cloudprnt_server_setting",
            "version": "1.0.0",
            "serverSupportProtocol": ["HTTP", "MQTT"],
            "settingForMQTT": {
                "useTriggerPOST": False,
                "mqttConnectionSetting": {"hostName": "127.0.0.1", "portNumber": port, "useTls": False},
                **more,
            },
        }
    ).encode()


@asynccontextmanager
async def asking(broker: OwnMosquitto, **answers: list[tuple[int, bytes]]) -> AsyncIterator[tuple[Any, Any, Http]]:
    async with Http(**answers) as http, kitchen_of(broker, server=http.url) as (kitchen, server):
        yield kitchen, server, http


def test_it_asks_its_server_where_the_broker_is(broker: OwnMosquitto) -> None:
    async def test() -> None:
        body = setting(broker.port, pollingTimeSec=0.05)
        async with asking(broker, cloudprnt_setting_json=[(200, body)]) as (kitchen, server, http):
            await until(lambda: kitchen.front.connected)
            mac = "%3A".join(kitchen.mac[at : at + 2] for at in range(0, 12, 2))
            assert http.asked == [f"GET /shop/cloudprnt-setting.json?mac={mac}&replaced_path=cloudprnt"]
            await until(lambda: len(server.codes) > 3)  # from time to time, as the server wants it
            await server.say("request-post")
            await until(lambda: http.asked[-1] == "POST /shop/cloudprnt")

    run(test())


def test_a_job_is_fetched_from_the_url_that_the_server_names(broker: OwnMosquitto) -> None:
    """Pass URL."""

    async def test() -> None:
        answers = {
            "cloudprnt_setting_json": [(200, setting(broker.port))],
            "job": [(200, starprnt("从网址来")), (500, b"")],
        }
        async with asking(broker, **answers) as (kitchen, server, http):
            await until(lambda: kitchen.front.connected)
            url = http.url.replace("cloudprnt", "job")
            await server.job("t1", jobType="url", printData=url)
            await server.job("t2", jobType="url", printData=url)
            await until(lambda: len(server.results) == 2)
            assert kitchen.texts == ["从网址来"]
            assert server.results == [("t1", True, "200"), ("t2", False, "520")]
            assert "token=t1" in http.asked[1]

    run(test())


def test_404_means_that_the_server_wants_to_be_polled(broker: OwnMosquitto) -> None:
    async def test() -> None:
        async with asking(broker) as (kitchen, _, http):
            await until(lambda: kitchen.front.mode == "http")
            await asyncio.sleep(0.2)
            assert (len(http.asked), kitchen.front.connected) == (1, False)

    run(test())


def test_a_server_in_trouble_is_asked_three_times_and_later_again(broker: OwnMosquitto) -> None:
    async def test() -> None:
        answers = [(500, b""), (503, b""), (502, b""), (200, b"rubbish"), (200, setting(broker.port))]
        async with asking(broker, cloudprnt_setting_json=answers) as (kitchen, _, http):
            await until(lambda: kitchen.front.connected)
            assert len(http.asked) == 5

    run(test())


def test_it_moves_to_another_broker_when_it_is_told_to_look(broker: OwnMosquitto, tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "other").mkdir()
        other = OwnMosquitto(tmp_path / "other")
        other.start()
        try:
            answers = [(200, setting(broker.port)), (200, setting(other.port))]
            async with asking(broker, cloudprnt_setting_json=answers) as (kitchen, server, _):
                await until(lambda: kitchen.front.connected)
                await server.say("request-get-server-info")
                async with aiomqtt.Client("127.0.0.1", other.port) as client:
                    there = Server(client, kitchen.mac)
                    await until(lambda: kitchen.front.connected and not kitchen.front._task)
                    await there.job("t1")
                    await until(lambda: kitchen.paper)
        finally:
            other.kill()

    run(test())
