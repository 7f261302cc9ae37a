"""A virtual Star CloudPRNT printer against a server written from the protocol's text (A14).

The server is the reference of these tests: POST says whether there is a job, GET is without effect, DELETE ends a job
(code 520: the job stays; everything else clears it), as Star's guide and its sample server have it.
"""

import asyncio
import base64
import gc
import itertools
import json
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_devices.cloud import cloudprnt_wire as wire
from o2o_devices.cloud.cloudprnt import CloudPrntPrinter
from o2o_devices.cloud.machine import Machine
from o2o_devices.control import Control
from o2o_devices.escpos.status import Status
from o2o_devices.faults import KINDS, Kind, TicketFault
from o2o_devices.mechanism import Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

FAST = Profile(mm_s=2_000.0, cut_s=0.0, cut_feed_mm=0.0, line_dots=40)  # 5 mm a line, 2.5 ms
KEEPS = replace(FAST, on_paper_end="resume")
MAC = "001162aabbcc"
STARPRNT = "application/vnd.star.starprnt"
DISHES = ("宫保鸡丁 x1", "手撕包菜 x2", "米饭 x3", "酸梅汤 x1")
TICK_S = 0.02
NEVER_S = 3600.0
"""Repairs are made by hand where a test looks at what is before them, however fast this machine is."""


def job(*lines: str) -> bytes:
    """A ticket in StarPRNT: UTF-8, 5 mm a line, a cut."""
    return b"\x1b\x1d)U\x02\x000\x01" + "".join(f"{line}\n" for line in lines or DISHES).encode() + b"\x1bd\x01"


class Reference:
    """The server: jobs by token, in order; what was said to it."""

    def __init__(self) -> None:
        self.jobs: dict[str, bytes] = {}
        self.kinds = [STARPRNT, "text/plain"]
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.actions: list[dict[str, Any]] = []
        self.extra: dict[str, Any] = {}
        self.job_headers: dict[str, str] = {}
        self.codes: list[tuple[str | None, str]] = []
        self.refuse: Callable[[str], int | None] = lambda method: None
        """A status to answer a method with instead; 0: hang up."""
        self.then: dict[str, bytes] | None = None
        """The jobs from the next GET on."""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        body = b""
        try:
            while True:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    http.receive_data(await reader.read(65_536))
                elif isinstance(event, h11.Request):
                    request, body = event, b""
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    if not self._answer(http, writer, request, body):
                        return
                    if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                        return
                    http.start_next_cycle()
                else:
                    return
        except (ConnectionError, h11.RemoteProtocolError):
            pass
        finally:
            writer.close()

    def _answer(self, http: h11.Connection, writer: asyncio.StreamWriter, request: h11.Request, body: bytes) -> bool:
        method, target = request.method.decode(), urlsplit(request.target.decode())
        self.headers.append({name.decode(): value.decode() for name, value in request.headers})
        query = {name: values[0] for name, values in parse_qs(target.query, keep_blank_values=True).items()}
        refused = self.refuse(method)
        heard: dict[str, Any] = {"path": target.path, "query": query}
        if method == "POST":
            heard["body"] = json.loads(body)
        self.log.append((method, heard))
        if refused == 0:
            return False
        status, kind, answer, more = 200, "application/json", b"", {}
        if refused is not None:
            status = refused
        elif method == "POST":
            answer = json.dumps(self._poll(heard["body"])).encode()
        elif method == "GET" and not target.query.endswith("&delete"):
            wanted = self.jobs.get(query.get("token", "")) if "token" in query else next(iter(self.jobs.values()), None)
            if wanted is None:
                status = 404
            else:
                kind, answer, more = query["type"], wanted, self.job_headers
                if self.then is not None:
                    self.jobs, self.then = self.then, None
        else:
            self._confirm(query)
        lines = [("content-type", kind), ("content-length", str(len(answer))), *more.items()]
        writer.write(http.send(h11.Response(status_code=status, headers=lines)) or b"")
        writer.write(http.send(h11.Data(data=answer)) or b"")
        writer.write(http.send(h11.EndOfMessage()) or b"")
        return True

    def _poll(self, said: dict[str, Any]) -> dict[str, Any]:
        if self.actions and not said.get("clientAction"):
            actions, self.actions = self.actions, []
            return {"jobReady": False, "clientAction": actions}
        if not self.jobs:
            return {"jobReady": False}
        return {"jobReady": True, "mediaTypes": self.kinds, "jobToken": next(iter(self.jobs)), **self.extra}

    def _confirm(self, query: dict[str, str]) -> None:
        token = query.get("token")
        self.codes.append((token, query["code"]))
        if not query["code"].startswith("520"):
            self.jobs.pop(token or next(iter(self.jobs), ""), None)

    def said(self, method: str) -> list[dict[str, Any]]:
        return [heard for what, heard in self.log if what == method]

    @property
    def polls(self) -> list[dict[str, Any]]:
        return [heard["body"] for heard in self.said("POST")]


class Kitchen:
    """A printer, its server, its paper."""

    def __init__(self, server: Reference, profile: Profile, faults: tuple[TicketFault, ...], **options: Any) -> None:
        self.server = server
        self.paper: list[Receipt] = []
        self.engine = VirtualPrinter(
            profile, on_paper=lambda receipt, at: self.paper.append(receipt), plan=dict(enumerate(faults)).get
        )
        self.machine = Machine(self.engine)
        options = {"interval_s": TICK_S, "first_s": 0.0, "timeout_s": 5.0, "late_result_s": 0.05, **options}
        self.printer = CloudPrntPrinter(self.machine, MAC, server.url, **options)
        self.control = Control(self.printer)

    @property
    def texts(self) -> list[tuple[str, ...]]:
        return [receipt.text_lines for receipt in self.paper]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until something is so; `run` limits the wait."""
        for _ in itertools.count():
            if condition():
                return
            await asyncio.sleep(0.001)

    async def polls(self, count: int) -> None:
        """So many more polls."""
        wanted = len(self.server.polls) + count
        await self.until(lambda: len(self.server.polls) >= wanted)


def run(
    test: Callable[[Kitchen], Awaitable[None]], *faults: TicketFault, profile: Profile = FAST, **options: Any
) -> None:
    async def main() -> None:
        server = Reference()
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/cloudprnt"
        kitchen = Kitchen(server, profile, faults, **options)
        await kitchen.printer.start()
        try:
            await asyncio.wait_for(test(kitchen), 20.0)
        finally:
            await kitchen.printer.stop()
            listening.close()

    asyncio.run(main())


# --- the messages ----------------------------------------------------------------------------------------------------


def test_a_poll_is_as_the_guide_has_it() -> None:
    async def test(kitchen: Kitchen) -> None:
        await kitchen.polls(2)
        said = kitchen.server.polls[0]
        assert said == {
            "status": "23 6 0 0 0 0 0 0 0 ",
            "printerMAC": "00:11:62:aa:bb:cc",
            "uniqueID": None,
            "statusCode": "200%20OK",
            "jobToken": None,
            "printingInProgress": False,
            "clientAction": None,
        }
        headers = kitchen.server.headers[0]
        assert headers["content-type"] == "application/json"
        assert headers["x-star-mac"] == "00:11:62:aa:bb:cc"
        assert not kitchen.server.said("GET"), "no job, no GET"

    run(test)


def test_a_job_is_fetched_printed_and_confirmed() -> None:
    async def test(kitchen: Kitchen) -> None:
        server = kitchen.server
        server.jobs = {"o2o-1": job("一"), "o2o-2": job("二")}
        await kitchen.until(lambda: not server.jobs)
        assert kitchen.texts == [("一",), ("二",)]
        assert [heard["query"] for heard in server.said("GET")] == [
            {"mac": "00:11:62:aa:bb:cc", "type": STARPRNT, "token": token} for token in ("o2o-1", "o2o-2")
        ]
        assert [heard["query"] for heard in server.said("DELETE")] == [
            {"mac": "00:11:62:aa:bb:cc", "code": "200 OK", "token": token} for token in ("o2o-1", "o2o-2")
        ]
        methods = [method for method, _ in server.log if method != "POST"]
        assert methods == ["GET", "DELETE"] * 2
        accept = next(one for one in server.headers if "accept" in one)
        assert accept["accept"].startswith(STARPRNT)
        assert accept["x-star-print-width"] == "72"

    run(test)


def test_polls_go_on_while_a_job_prints() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.control.pause()
        kitchen.server.jobs = {"slow": job()}
        await kitchen.until(lambda: any(poll["printingInProgress"] for poll in kitchen.server.polls))
        during = next(poll for poll in kitchen.server.polls if poll["printingInProgress"])
        assert during["jobToken"] == "slow"
        kitchen.control.go_on()
        await kitchen.until(lambda: not kitchen.server.jobs)
        await kitchen.polls(1)
        assert kitchen.server.polls[-1]["jobToken"] is None

    run(test)


def test_text_is_cut_as_the_server_says() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.kinds = ["image/unheard-of", "text/plain"]
        kitchen.server.job_headers = {"X-Star-Cut": "full; feed=false"}
        kitchen.server.jobs = {"t": "米饭 x3".encode()}
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.server.said("GET")[0]["query"]["type"] == "text/plain"
        assert kitchen.texts == [("米饭 x3",)]
        assert kitchen.paper[0].cut == "full"

    run(test)


def test_addresses_and_the_method_of_confirmation_are_the_servers() -> None:
    async def test(kitchen: Kitchen) -> None:
        server = kitchen.server
        host = server.url.removesuffix("/cloudprnt")
        server.extra = {
            "jobGetUrl": f"{host}/jobs?key=7",
            "jobConfirmationUrl": f"{host}/done",
            "deleteMethod": "GET",
        }
        server.jobs = {"a": job()}
        await kitchen.until(lambda: not server.jobs)
        fetched, confirmed = server.said("GET")
        assert (fetched["path"], fetched["query"]["key"]) == ("/jobs", "7")
        assert fetched["query"]["token"] == "a"
        assert confirmed["path"] == "/done"
        assert confirmed["query"]["code"] == "200 OK"
        assert "delete" in confirmed["query"]
        assert not server.said("DELETE")

    run(test)


def test_a_server_without_tokens() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.extra = {"jobToken": None, "mediaTypes": None}
        kitchen.server.jobs = {"a": job("一")}
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.texts == [("一",)]
        assert "token" not in kitchen.server.said("DELETE")[0]["query"]

    run(test)


def test_client_actions_are_answered_at_once() -> None:
    async def test(kitchen: Kitchen) -> None:
        asked = ("ClientType", "ClientVersion", "Encodings", "GetPollInterval", "PageInfo", "BrewCoffee")
        kitchen.server.actions = [{"request": request, "options": ""} for request in asked]
        kitchen.server.actions.append({"request": "SetID", "options": "kitchen-1"})
        await kitchen.until(lambda: len(kitchen.server.polls) >= 2)
        results = {one["request"]: one["result"] for one in kitchen.server.polls[1]["clientAction"]}
        assert results == {
            "ClientType": "Star mC-Print3",
            "ClientVersion": "5.1",
            "Encodings": "application/vnd.star.starprnt;application/vnd.star.starprntcore;text/plain;image/png",
            "GetPollInterval": "3600",
            "PageInfo": {
                "paperWidth": "80",
                "printWidth": "72",
                "horizontalResolution": "8",
                "verticalResolution": "8",
            },
            "SetID": "kitchen-1",
        }
        assert kitchen.server.polls[1]["uniqueID"] == "kitchen-1"
        assert len(kitchen.server.polls) == 2, "and then it waits for its interval, an hour here"

    run(test, interval_s=3600.0)


def test_an_id_is_shown_with_job_and_confirmation_and_a_new_address_is_obeyed() -> None:
    async def test(kitchen: Kitchen) -> None:
        host = kitchen.server.url.removesuffix("/cloudprnt")
        kitchen.server.actions = [
            {"request": "SetID", "options": "k 1"},
            {"request": "SetPostUrl", "options": f"{host}/elsewhere"},
        ]
        await kitchen.until(lambda: bool(kitchen.printer.unique_id))
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.server.said("GET")[0]["query"]["uid"] == "k 1"
        assert kitchen.server.said("DELETE")[0]["query"]["uid"] == "k 1"
        assert kitchen.server.said("POST")[-1]["path"] == "/elsewhere"

    run(test)


def test_a_server_that_asks_for_ever_is_not_answered_for_ever() -> None:
    async def test(kitchen: Kitchen) -> None:
        asking = {"jobReady": False, "clientAction": [{"request": "ClientType", "options": None}]}
        kitchen.server._poll = lambda said: asking  # type: ignore[method-assign]
        await kitchen.polls(8)
        await asyncio.sleep(0.05)
        assert len(kitchen.server.polls) == 8

    run(test, interval_s=3600.0)


def test_credentials_are_the_mac_and_the_secret() -> None:
    async def test(kitchen: Kitchen) -> None:
        await kitchen.polls(1)
        shown = kitchen.server.headers[0]["authorization"]
        assert base64.b64decode(shown.removeprefix("Basic ")).decode() == f"{MAC}:hush"

    run(test, secret="hush")


@pytest.mark.parametrize(
    "answer", [b"", b"null", b"[]", b"{", b'{"jobReady":"yes"}', b'{"mediaTypes":3,"clientAction":{}}']
)
def test_an_answer_that_is_none_is_no_job(answer: bytes) -> None:
    read = wire.read_answer(answer)
    assert read is None or read == wire.Answer()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("jobReady", "mediaTypes", "jobToken", "deleteMethod", "clientAction", "jobGetUrl", "jobConfirmationUrl")
ACTION = st.fixed_dictionaries({"request": st.sampled_from(["SetID", "SetPostUrl", "PageInfo", "x"]), "options": JSON})


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON | st.lists(ACTION, max_size=3)))
def test_whatever_a_server_says_is_read_and_answered(said: dict[str, Any]) -> None:
    answer = wire.read_answer(json.dumps(said).encode())
    assert answer is not None
    kept = wire.Settings(MAC, 5.0, FAST, wire.MEDIA)
    results = []
    for request, options in answer.actions:
        kept, result = wire.act(kept, request, options)
        results.append((request, result))
    body = wire.poll(kept, Status(), "200 OK", token=answer.token, printing=False, results=results)
    assert json.loads(body)["printerMAC"] == "00:11:62:aa:bb:cc"
    kind = wire.choose(answer.media_types, wire.MEDIA)
    assert kind is None or wire.job_url("http://x/", kept, kind, answer.token).isascii()


@pytest.mark.parametrize(
    ("status", "hexadecimal"),
    [
        (Status(), "23 6 0 0 0 0 0 0 0 "),
        (Status(cover_open=True), "23 6 28 0 0 0 0 0 0 "),
        (Status(paper_end=True), "23 6 8 0 0 c 0 0 0 "),
        (Status(near_end=True), "23 6 0 0 0 4 0 0 0 "),
        (Status(overheated=True), "23 6 8 40 0 0 0 0 0 "),
    ],
)
def test_automatic_status(status: Status, hexadecimal: str) -> None:
    assert wire.asb(status) == hexadecimal


# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\x1b\x1d)U\x02\x000\x01" + "饭".encode("gb18030"), "511"), (b"", "511"), (bytes(2_000_001), "521")],
    ids=["bytes of another code", "empty", "too large"],
)
def test_data_that_cannot_be_printed_are_confirmed_with_class_5(data: bytes, code: str) -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.jobs = {"bad": data, "good": job("一")}
        await kitchen.until(lambda: not kitchen.server.jobs)
        (first, told), (second, fine) = kitchen.server.codes
        assert (first, second) == ("bad", "good")
        assert told.startswith(code)
        assert fine == "200 OK"
        assert kitchen.texts == [("一",)], "nothing of the bad one is on paper"

    run(test)


def test_media_that_it_has_not_are_510_without_a_get() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.kinds = ["application/escpos"]
        kitchen.server.jobs = {"a": b"\x1b@"}
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.server.codes == [("a", "510 Incompatible media type")]
        assert not kitchen.server.said("GET")

    run(test)


def test_a_job_that_does_not_come_is_520_and_fetched_again_when_the_server_keeps_it() -> None:
    async def test(kitchen: Kitchen) -> None:
        answers = iter([404, 0, 500])
        kitchen.server.refuse = lambda method: next(answers, None) if method == "GET" else None
        kitchen.server.jobs = {"a": job("一")}
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert [code for _, code in kitchen.server.codes] == ["520 Download timeout"] * 3 + ["200 OK"]
        assert kitchen.texts == [("一",)]

    run(test)


def test_without_paper_it_polls_and_does_not_fetch() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.control.paper_end()
        kitchen.server.jobs = {"a": job("一")}
        await kitchen.polls(3)
        assert kitchen.server.polls[-1]["statusCode"] == "410%20Out%20of%20paper"
        assert not kitchen.server.said("GET")
        kitchen.control.refill()
        kitchen.control.open_cover()
        await kitchen.polls(2)
        assert unquote(kitchen.server.polls[-1]["statusCode"]).startswith("420")
        kitchen.control.close_cover()
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.texts == [("一",)]
        await kitchen.polls(2)
        assert kitchen.server.polls[-1]["statusCode"] == "200%20OK"

    run(test)


def test_low_paper_is_told_and_does_not_stop_it() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.control.refill(100.0)
        kitchen.server.jobs = {"a": job("一")}
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert unquote(kitchen.server.polls[-1]["statusCode"]).startswith("211")

    run(test)


@pytest.mark.parametrize(("kind", "code"), [("paper_end", "410"), ("cover_open", "420")])
def test_a_job_that_stops_is_told_in_a_poll_and_printed_from_the_top_when_it_is_still_there(
    kind: Kind, code: str
) -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: not kitchen.server.jobs)
        failed = next(poll for poll in kitchen.server.polls if unquote(poll["statusCode"]).startswith(code))
        assert failed["jobToken"] == "a"
        assert failed["printingInProgress"] is False
        assert kitchen.server.codes == [("a", "200 OK")], "not a word in a confirmation until it is out"
        assert kitchen.texts == [DISHES[:2], DISHES], "half a ticket, then all of it"
        assert len(kitchen.server.said("GET")) == 2

    run(test, TicketFault(kind, 10.0, 0.1))


def test_a_printer_that_keeps_its_data_answers_late() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: any("410" in poll["statusCode"] for poll in kitchen.server.polls))
        during = next(poll for poll in kitchen.server.polls if "410" in poll["statusCode"])
        assert (during["jobToken"], during["printingInProgress"]) == ("a", True)
        kitchen.control.refill()
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.texts == [DISHES]
        assert len(kitchen.server.said("GET")) == 1

    run(test, TicketFault("paper_end", 10.0, NEVER_S), profile=KEEPS)


@pytest.mark.parametrize(
    ("kind", "papers"), [("power_before", []), ("power_off", [DISHES[:2]]), ("power_after", [DISHES])]
)
def test_a_power_cut_is_silence_and_the_job_is_fetched_again_if_the_server_still_offers_it(
    kind: Kind, papers: list[tuple[str, ...]]
) -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: not kitchen.machine.powered)
        before = len(kitchen.server.log)
        await asyncio.sleep(4 * TICK_S)
        assert len(kitchen.server.log) == before, "no poll without power"
        assert kitchen.texts == papers
        assert not kitchen.server.codes
        kitchen.control.power_on()
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.texts == [*papers, DISHES]
        assert kitchen.server.codes == [("a", "200 OK")]

    run(test, TicketFault(kind, 10.0, NEVER_S))


def test_a_confirmation_waits_for_the_link() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: not kitchen.machine.reachable)
        await kitchen.until(lambda: bool(kitchen.paper))
        assert kitchen.texts == [DISHES], "what was received is printed"
        assert not kitchen.server.codes
        kitchen.control.online()
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert len(kitchen.paper) == 1
        assert kitchen.server.codes == [("a", "200 OK")]

    run(test, TicketFault("offline", 10.0, NEVER_S))


def test_a_confirmation_is_tried_again_and_says_so() -> None:
    async def test(kitchen: Kitchen) -> None:
        answers = iter([0, 503])
        kitchen.server.refuse = lambda method: next(answers, None) if method == "DELETE" else None
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: not kitchen.server.jobs)
        retries = [heard["query"].get("retry") for heard in kitchen.server.said("DELETE")]
        assert retries[0] is None
        assert retries[-1] is not None
        assert kitchen.server.codes == [("a", "200 OK")]
        assert len(kitchen.paper) == 1

    run(test)


def test_nobody_hears_it() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.server.refuse = lambda method: 503 if method == "DELETE" else None
        kitchen.server.then = {}
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: kitchen.printer.jobs == 1 and not kitchen.printer.owes)
        assert len(kitchen.server.said("DELETE")) == 3
        assert kitchen.printer.told == 0

    run(test, tries=3)


def test_a_lost_confirmation_comes_late_or_never() -> None:
    async def late(kitchen: Kitchen) -> None:
        kitchen.server.then = {}  # the server gives it up
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: bool(kitchen.server.codes))
        assert kitchen.server.codes == [("a", "200 OK")]
        assert kitchen.server.said("DELETE")[0]["query"]["retry"] == "1"
        assert len(kitchen.paper) == 1

    async def never(kitchen: Kitchen) -> None:
        kitchen.server.then = {"b": job("二")}
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.texts == [DISHES, ("二",)]
        assert kitchen.server.codes == [("b", "200 OK")]

    run(late, TicketFault("lost_ack"))
    run(never, TicketFault("lost_ack"), late_result_s=None)


def test_results_can_be_lost_and_repeated_by_hand() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.printer.results_to_lose = kitchen.printer.results_to_repeat = 1
        kitchen.server.then = {"b": job("二")}
        kitchen.server.jobs = {"a": job("一")}
        await kitchen.until(lambda: len(kitchen.server.codes) == 2)
        assert kitchen.server.codes == [("b", "200 OK")] * 2
        assert kitchen.texts[-1] == ("二",)
        assert kitchen.texts.count(("二",)) == 1, "said twice, printed once"

    run(test)


def test_connected_but_silent() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.control.silent()
        kitchen.server.jobs = {"a": job("一")}
        await kitchen.polls(4)
        assert not kitchen.server.said("GET"), "it polls and takes no job"
        kitchen.control.silent(False)
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.texts == [("一",)]

    async def in_a_job(kitchen: Kitchen) -> None:
        kitchen.server.then = {"b": job("二")}
        kitchen.server.jobs = {"a": job()}
        await kitchen.until(lambda: kitchen.machine.silent)
        await kitchen.polls(2)
        assert len(kitchen.server.said("GET")) == 1
        kitchen.control.silent(False)
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.server.codes == [("b", "200 OK")], "of the other one it never says a word"

    run(test)
    run(in_a_job, TicketFault("half_open", 5.0, NEVER_S))


def test_a_slow_link_delays_and_loses_nothing() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.control.slow_link(20_000.0)
        kitchen.server.jobs = {"a": job("一")}
        await kitchen.until(lambda: not kitchen.server.jobs)
        assert kitchen.texts == [("一",)]

    run(test)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", [FAST, KEEPS], ids=["forgets", "keeps"])
def test_after_every_fault_the_next_job_comes_out_and_is_confirmed(kind: Kind, profile: Profile) -> None:
    """The server takes the job back as soon as its fate is in doubt: nothing is printed twice but by faults."""

    async def test(kitchen: Kitchen) -> None:
        server = kitchen.server
        server.then = {"b": job("二")}
        server.jobs = {"a": job()}
        await kitchen.until(lambda: not server.jobs and not kitchen.printer.owes)
        assert kitchen.texts[-1] == ("二",)
        assert kitchen.texts.count(("二",)) == 1
        assert kitchen.texts.count(DISHES) <= (2 if kind == "duplicate" else 1)
        said_ok = ("a", "200 OK") in server.codes
        blank = kind in ("no_print", "wrong_codepage", "overrun")
        assert not said_ok or blank or DISHES in kitchen.texts, "success is told of paper only, or by a fault that lies"
        assert ("b", "200 OK") in server.codes
        if kind == "duplicate":
            assert server.codes.count(("a", "200 OK")) == 2
        assert kitchen.engine.counters.met == {kind: 1}

    run(test, TicketFault(kind, 10.0, 0.06), profile=profile)


def test_thousands_do_not_poll_in_step_and_are_small() -> None:
    def printer(number: int) -> CloudPrntPrinter:
        machine = Machine(VirtualPrinter(FAST, on_paper=lambda receipt, at: None))
        return CloudPrntPrinter(machine, f"001162{number:06x}", "http://127.0.0.1:9/cloudprnt", interval_s=3600.0)

    async def main() -> None:
        first = printer(0)
        await first.start()
        gc.collect()
        tracemalloc.start()
        try:
            printers = [printer(number) for number in range(1, 1001)]
            for one in printers:
                await one.start()
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held / 1000 < 5_000, "bytes a printer that waits"
        assert len(asyncio.all_tasks()) <= 2, "no task while it waits"
        starts = sorted(one.first_s for one in printers)
        assert 0.0 <= starts[0] < starts[-1] < 3600.0
        tenth = [sum(part * 360.0 <= at < (part + 1) * 360.0 for at in starts) for part in range(10)]
        assert min(tenth) > 80, f"spread over the interval: {tenth}"
        for one in (first, *printers):
            await one.stop()

    asyncio.run(main())
