"""Star CloudPRNT over HTTP: every word a printer can say, and what becomes of its ticket (A14)."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from o2o_domain.ticket_layout import parse
from o2o_platform.kit.clock import ManualClock
from o2o_platform.kit.context import context_of
from o2o_platform.kit.tables import outbox
from o2o_platform.printing.protocols.cloudprnt import MEDIA, PATH, STARPRNT, TEXT
from o2o_platform.settings import Settings

pytestmark = pytest.mark.anyio

_macs = (f"0011620000{number:02x}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def world(shared_world: Any) -> Any:
    return shared_world


@dataclass
class Star:
    """A printer as its server sees it: three kinds of requests."""

    world: Any
    shop: Any
    mac: str
    secret: str | None = None
    client: httpx.AsyncClient | None = None

    @property
    def _http(self) -> httpx.AsyncClient:
        client: httpx.AsyncClient = self.client or self.world.client
        return client

    def _headers(self) -> dict[str, str]:
        if self.secret is None:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.mac}:{self.secret}".encode()).decode()}

    async def post(self, code: str = "200%20OK", **more: Any) -> httpx.Response:
        body = {"statusCode": code, "printerMAC": ":".join(self.mac[n : n + 2] for n in range(0, 12, 2)), **more}
        return await self._http.post(PATH, json=body, headers=self._headers())

    async def poll(self, code: str = "200%20OK", **more: Any) -> dict[str, Any]:
        answer = await self.post(code, **more)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def offered(self) -> str:
        """The token of the job that it is offered; what it is asked, it does not answer."""
        said = await self.poll()
        if "clientAction" in said:
            said = await self.poll()
        assert said["jobReady"] is True, said
        return str(said["jobToken"])

    async def get(self, token: str | None, medium: str = STARPRNT) -> httpx.Response:
        params = {"mac": self.mac, "type": medium, **({} if token is None else {"token": token})}
        return await self._http.get(PATH, params=params, headers=self._headers())

    async def delete(self, token: str | None, code: str = "200 OK", **more: Any) -> httpx.Response:
        params = {"mac": self.mac, "code": code, **({} if token is None else {"token": token}), **more}
        answer = await self._http.request("DELETE", PATH, params=params, headers=self._headers())
        assert answer.status_code == 200
        return answer

    async def order(self, **fields: Any) -> int:
        return int(await self.world.paid(await self.world.actor("consumer"), self.shop, **fields))

    async def tickets(self) -> list[dict[str, Any]]:
        return [row for row in await self.world.export("tickets") if row["merchant_id"] == self.shop.id]

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.tickets()]

    async def out(self) -> str:
        """Order, be offered, fetch: the token."""
        await self.order()
        token = await self.offered()
        assert (await self.get(token)).status_code == 200
        assert (await self.states())[-1] == "claimed"
        return token


async def star_of(world: Any, secret: str | None = None, width: int = 48) -> Star:
    mac = next(_macs)
    printer = {"url": f"cloudprnt://{mac}", "width_cols": width, **({} if secret is None else {"secret": secret})}
    return Star(world, await world.shop(("宫保鸡丁(微辣)", 2000, 99), printer=printer), mac, secret)


@pytest.fixture
async def star(world: Any) -> Star:
    return await star_of(world)


async def flushed(world: Any) -> None:
    """As if `printer_sign_s` had gone by."""
    (closer,) = [one for one in context_of(world.app).background._closers if "Signs" in one.__qualname__]
    await closer()


# --- the ordinary way -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [32, 48])
async def test_from_payment_to_paper(world: Any, width: int) -> None:
    """A14: offered, fetched, confirmed; what was fetched reads back as the order."""
    star = await star_of(world, width=width)
    assert (await star.poll())["jobReady"] is False
    order_id = await star.order(note="不要香菜")
    said = await star.poll()
    token = said["jobToken"]
    assert said == {"jobReady": True, "mediaTypes": list(MEDIA), "jobToken": token, "deleteMethod": "DELETE"}
    assert await star.states() == ["offered"]
    job = await star.get(token)
    assert (job.status_code, job.headers["content-type"]) == (200, STARPRNT)
    assert job.content.startswith(b"\x1b\x1d)U\x02\x000\x01")
    assert job.content.endswith(b"\x1bd\x03")
    assert f"/orders/{order_id}".encode() in job.content
    plain = await star.get(token, TEXT)
    assert (plain.headers["content-type"], plain.headers["x-star-cut"]) == (
        "text/plain; charset=utf-8",
        "partial; feed=true",
    )
    read = parse(plain.text.split("\n"))
    order = await world.order_now(order_id)
    assert read.complete
    assert (read.order_no, read.note, read.lines) == (order["order_no"], "不要香菜", (("宫保鸡丁(微辣)", 1),))
    assert await star.states() == ["claimed"]
    await star.delete(token)
    (row,) = await star.tickets()
    assert (row["state"], row["attempts"], row["code"]) == ("printed", 1, None)
    times = [row[name] for name in ("queued", "claimed", "printed")]
    assert times == sorted(times)
    assert (await star.poll())["jobReady"] is False


async def test_one_job_at_a_time_in_the_order_of_the_queue(star: Star) -> None:
    await star.order()
    await star.order()
    first = await star.offered()
    assert await star.offered() == first  # asked again, it is the same
    await star.get(first)
    assert (await star.poll())["jobReady"] is False  # while it is out
    await star.delete(first)
    second = await star.offered()
    assert second != first
    await star.get(second)
    await star.delete(second)
    assert await star.states() == ["printed", "printed"]


async def test_it_is_asked_once_what_it_is_and_its_answers_are_kept(world: Any, star: Star) -> None:
    await star.order()
    said = await star.poll()
    assert said["jobReady"] is False
    asked = [one["request"] for one in said["clientAction"]]
    assert asked == ["ClientType", "ClientVersion", "Encodings", "GetPollInterval"]
    answers = {
        "ClientType": "Star mC-Print3",
        "ClientVersion": "5.1",
        "Encodings": "text/plain",
        "GetPollInterval": "30",
    }
    actions: list[Any] = [{"request": name, "result": text} for name, text in answers.items()]
    actions += [{"request": "Unasked", "result": "x"}, {"request": None, "result": None}]
    assert (await star.poll(clientAction=actions))["jobReady"] is True  # the answer needs no poll of its own
    # Nothing was flushed: it is asked once only, and the process that heard it may be killed.
    shown = (await star.shop.owner.get(f"/merchants/{star.shop.id}/printer")).json()
    assert shown["device"] == {**answers, "interval_s": 30.0}
    assert "clientAction" not in await star.poll()
    await flushed(world)
    shown = (await star.shop.owner.get(f"/merchants/{star.shop.id}/printer")).json()
    assert shown["device"]["ClientType"] == "Star mC-Print3"  # a plain sign of life takes nothing away


async def test_one_that_does_not_answer_is_not_asked_again(star: Star) -> None:
    assert "clientAction" in await star.poll()
    assert await star.poll() == {"jobReady": False}


# --- GET ------------------------------------------------------------------------------------------------------------


async def test_a_job_is_the_same_however_often_it_is_fetched(star: Star) -> None:
    await star.order()
    token = await star.offered()
    first = await star.get(token)
    (before,) = await star.tickets()
    for _ in range(3):
        again = await star.get(token)
        assert (again.status_code, again.content) == (200, first.content)
    (after,) = await star.tickets()
    assert after == before
    assert (after["state"], after["attempts"]) == ("claimed", 1)


async def test_a_type_that_cannot_be_had_changes_nothing(star: Star) -> None:
    await star.order()
    token = await star.offered()
    for medium in ("image/png", "application/octet-stream"):
        assert (await star.get(token, medium)).status_code == 415
    assert await star.states() == ["offered"]
    assert (await star.get(token, "text/plain; charset=utf-8")).status_code == 200


async def test_what_was_not_offered_is_not_given(world: Any, star: Star) -> None:
    other = await star_of(world)
    assert (await star.get("o2o-1")).status_code == 404
    await star.order()
    for token in ("", "o2o-", "o2o-9999999999999999999", "o2o-²", "7", "x" * 500):
        assert (await star.get(token)).status_code == 404, token
    token = await star.offered()
    assert (await other.get(token)).status_code == 404  # another printer's
    assert await star.states() == ["offered"]


async def test_a_client_without_tokens_means_the_job_that_is_out(star: Star) -> None:
    """Firmware before 1.8 / 3.2 knows no tokens."""
    assert (await star.get(None)).status_code == 404
    await star.delete(None)  # nothing is out
    await star.order()
    await star.offered()
    assert (await star.get(None)).status_code == 200
    assert (await star.get(None)).status_code == 200
    await star.delete(None)
    await star.delete(None)
    assert await star.states() == ["printed"]


# --- confirmations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "state", "reason"),
    [
        ("OK", "printed", None),
        ("200 OK", "printed", None),
        ("200%20OK", "printed", None),
        ("211 Paper low", "printed", None),
        ("2000", "printed", None),
        ("410", "failed", "paper_end"),
        ("420 Cover open", "failed", "cover_open"),
        ("499", "failed", "star_499"),
        ("510", "failed", "media_type"),
        ("511", "failed", "decode_error"),
        ("521", "failed", "too_large"),
        ("599", "failed", "star_599"),
        ("520", "queued", "download_timeout"),
        ("300", "claimed", None),
        ("what", "claimed", None),
        ("", "claimed", None),
    ],
)
async def test_what_a_confirmation_says(star: Star, code: str, state: str, reason: str | None) -> None:
    token = await star.out()
    await star.delete(token, code)
    (row,) = await star.tickets()
    assert (row["state"], row["code"]) == (state, reason)
    assert row["escalation"] == ("app" if state == "failed" else None)  # whoever waits for paper is told


async def test_a_download_that_timed_out_is_tried_again_and_not_for_ever(world: Any, star: Star) -> None:
    most = context_of(world.app).settings.print_max_attempts
    token = await star.out()
    for attempt in range(2, most + 1):
        await star.delete(token, "520")
        assert await star.offered() != token
        token = await star.offered()
        assert (await star.get(token)).status_code == 200
        assert (await star.tickets())[0]["attempts"] == attempt
    await star.delete(token, "520")
    (row,) = await star.tickets()
    assert (row["state"], row["code"], row["attempts"]) == ("failed", "download_timeout", most)


async def test_a_word_about_an_earlier_attempt_is_not_about_this_one(star: Star) -> None:
    """A "could not download" that was on its way twice must not put a ticket back that is being printed."""
    first = await star.out()
    await star.delete(first, "520")
    assert (await star.get(first)).status_code == 404
    second = await star.offered()
    await star.delete(first, "520", retry="1")
    assert await star.states() == ["offered"]
    assert (await star.get(second)).status_code == 200
    for code in ("520", "410", "511", "200"):
        await star.delete(first, code, retry="2")
        await star.delete(second + "0", code)
    assert await star.states() == ["claimed"]
    await star.delete(second)
    assert await star.states() == ["printed"]


@pytest.mark.parametrize(
    ("code", "state"), [("510", "failed"), ("410", "queued"), ("520", "queued"), ("200", "offered")]
)
async def test_a_word_about_a_job_that_was_never_fetched(star: Star, code: str, state: str) -> None:
    await star.order()
    await star.delete(await star.offered(), code)
    assert await star.states() == [state]


@pytest.mark.parametrize(("first", "state"), [("200", "printed"), ("511", "failed")])
async def test_a_word_that_is_said_again_or_taken_back_changes_nothing(
    world: Any, star: Star, first: str, state: str
) -> None:
    token = await star.out()
    await star.delete(token, first)
    (before,), told = await star.tickets(), await count(world, outbox)
    for code in (first, "200", "410", "511", "520"):
        await star.delete(token, code, retry="1")
    (after,) = await star.tickets()
    assert (after, after["state"]) == (before, state)
    assert await count(world, outbox) == told


async def test_tokens_that_are_not_its_own_are_passed_over(world: Any, star: Star) -> None:
    other = await star_of(world)
    theirs, ours = await other.out(), await star.out()
    for token in (theirs, "o2o-99999", "o2o-x", "\x00", "' OR 1=1"):
        await star.delete(token, "511")
    assert (await other.states(), await star.states()) == (["claimed"], ["claimed"])
    await star.delete(ours)
    assert (await other.states(), await star.states()) == (["claimed"], ["printed"])


async def test_confirmation_by_get(star: Star) -> None:
    """`deleteMethod` GET: the same in a GET with `delete` in its query."""
    token = await star.out()
    params = {"mac": star.mac, "code": "200 OK", "token": token, "delete": ""}
    answer = await star.world.client.get(PATH, params=params)
    assert (answer.status_code, answer.content) == (200, b"")
    assert await star.states() == ["printed"]


async def test_a_confirmation_without_a_code_is_no_request(star: Star) -> None:
    token = await star.out()
    params = {"mac": star.mac, "token": token}
    assert (await star.world.client.request("DELETE", PATH, params=params)).status_code == 400
    assert (await star.world.client.get(PATH, params={**params, "delete": ""})).status_code == 400
    assert await star.states() == ["claimed"]


# --- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"), [("410", "paper_end"), ("420%20Cover", "cover_open"), ("511", "decode_error")]
)
async def test_trouble_while_a_job_is_out_leaves_it_unconfirmed_and_never_out_again(
    star: Star, code: str, reason: str
) -> None:
    """Some of it may be on paper: the merchant is told, and the next ticket's turn comes."""
    token = await star.out()
    await star.order()
    assert await star.poll(code, printingInProgress=True) == {"jobReady": False}
    row, following = await star.tickets()
    assert (row["state"], row["code"], row["escalation"]) == ("unconfirmed", reason, "app")
    assert (await star.get(token)).status_code == 404
    assert await star.poll(code) == {"jobReady": False}
    assert following["state"] == (await star.states())[1] == "queued"  # it would not fetch anything
    assert await star.offered() not in (token, None)
    assert await star.states() == ["unconfirmed", "offered"]


@pytest.mark.parametrize(("late", "state"), [("200 OK", "printed"), ("410", "failed"), ("511", "failed")])
async def test_the_word_after_trouble_is_believed(star: Star, late: str, state: str) -> None:
    """The paper was replaced, and the printer went on where it was; or it did not."""
    token = await star.out()
    await star.poll("410")
    await star.delete(token, late)
    assert await star.states() == [state]
    await star.delete(token, "200 OK")
    assert await star.states() == [state]


async def test_a_second_download_that_fails_says_nothing_of_the_first(star: Star) -> None:
    """The printer tries once more what it was not given any more, and reports that it could not have it."""
    token = await star.out()
    await star.poll("410")
    assert (await star.get(token)).status_code == 404
    await star.delete(token, "520")
    assert await star.states() == ["unconfirmed"]
    await star.delete(token, "200")
    assert await star.states() == ["printed"]


async def test_trouble_with_no_job_out_keeps_jobs_back_until_it_is_over(star: Star) -> None:
    await star.poll()
    await star.order()
    for code in ("410", "420", "511", "999", ""):
        assert await star.poll(code) == {"jobReady": False}
    assert await star.states() == ["queued"]
    assert (await star.poll("211 Paper low"))["jobReady"] is True


async def test_trouble_with_another_job_is_none_of_this_one_s(star: Star) -> None:
    token = await star.out()
    await star.poll("410", jobToken="o2o-77777777")
    assert await star.states() == ["claimed"]
    await star.poll("410", jobToken=token)
    assert await star.states() == ["unconfirmed"]


async def test_without_a_word_it_is_unconfirmed_and_a_late_one_is_believed(star: Star, eventually: Any) -> None:
    """A14: a claim that is too old is not offered again; the late DELETE lands (wcpos/woocommerce-pos PR 1790)."""
    token = await star.out()
    settings = context_of(star.world.app).settings

    async def unconfirmed() -> bool:
        star.world.clock.advance(settings.sweep_interval_s)
        return await star.states() == ["unconfirmed"]

    star.world.clock.advance(settings.print_result_s)
    await eventually(unconfirmed)
    (row,) = await star.tickets()
    assert row["code"] == "no_result"
    assert await star.poll() == {"jobReady": False}
    assert (await star.get(token)).status_code == 404
    await star.delete(token, "200 OK", retry="3")
    (row,) = await star.tickets()
    assert row["state"] == "printed"


async def test_a_printer_that_is_well_and_has_no_job_any_more_gets_the_next_one(star: Star) -> None:
    """Its power was cut in mid-ticket: the next ticket need not wait until the time for a result has passed."""
    clock = star.world.clock
    token = await star.out()
    await star.order()
    clock.advance(15.0)
    assert await star.poll(printingInProgress=False) == {"jobReady": False}
    assert (await star.states())[0] == "claimed"  # it may be about to begin
    clock.advance(0.1)
    for more in ({"printingInProgress": True}, {"printingInProgress": False, "jobToken": token}, {}):
        assert await star.poll(**more) == {"jobReady": False}
    assert (await star.states())[0] == "claimed"
    await star.poll(printingInProgress=False)
    (row, _) = await star.tickets()
    assert (row["state"], row["code"], row["escalation"]) == ("unconfirmed", "no_result", "app")
    assert await star.offered() != token
    await star.delete(token)  # only its confirmation was late
    assert await star.states() == ["printed", "offered"]


async def test_an_offer_that_is_not_taken_lapses_and_is_made_again(star: Star, eventually: Any) -> None:
    await star.order()
    token = await star.offered()
    settings = context_of(star.world.app).settings

    async def queued() -> bool:
        star.world.clock.advance(settings.sweep_interval_s)
        return await star.states() == ["queued"]

    star.world.clock.advance(settings.print_offer_s)
    await eventually(queued)
    assert (await star.get(token)).status_code == 404  # it was taken back
    assert await star.offered() == token
    assert (await star.get(token)).status_code == 200


async def test_what_cannot_be_drawn_fails_and_does_not_block_the_queue(
    star: Star, monkeypatch: pytest.MonkeyPatch
) -> None:
    await star.order()
    await star.order()
    token = await star.offered()

    def broken(*_: Any) -> bytes:
        raise ValueError("no such glyph")

    with monkeypatch.context() as patched:
        patched.setitem(MEDIA, STARPRNT, broken)
        assert (await star.get(token)).status_code == 404
    assert [(row["state"], row["code"]) for row in await star.tickets()] == [
        ("failed", "not_printable"),
        ("queued", None),
    ]
    assert await star.offered() != token


# --- who it is ------------------------------------------------------------------------------------------------------


async def test_who_has_a_secret_shows_it(world: Any) -> None:
    star = await star_of(world, "s3cret-of-the-shop")
    token = await star.out()
    wrong = [
        replace(star, secret=None),
        replace(star, secret="other"),
        replace(star, secret=""),
        replace(star, secret="s3cret-of-the-shop "),
    ]
    for one in wrong:
        for answer in (await one.post(), await one.get(token)):
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
        params = {"mac": star.mac, "code": "200", "token": token}
        answer = await world.client.request("DELETE", PATH, params=params, headers=one._headers())
        assert answer.status_code == 401
    for header in (
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"nocolon").decode(),
        "Bearer s3cret-of-the-shop",
        "Basic /w==",
    ):
        assert (
            await world.client.get(PATH, params={"mac": star.mac}, headers={"Authorization": header})
        ).status_code == 401
    assert await star.states() == ["claimed"]
    await star.delete(token)
    assert await star.states() == ["printed"]


async def test_one_printer_s_secret_does_not_open_another_s(world: Any) -> None:
    star, other = await star_of(world, "s3cret-of-the-shop"), await star_of(world, "s3cret-of-the-shop")
    token = await star.out()
    headers = other._headers()
    assert (await world.client.get(PATH, params={"mac": star.mac, "token": token}, headers=headers)).status_code == 401
    body = {"statusCode": "200", "printerMAC": star.mac}
    assert (await world.client.post(PATH, json=body, headers=headers)).status_code == 401


async def test_a_printer_that_nobody_has_waits_in_peace(world: Any) -> None:
    body = {"statusCode": "200 OK", "printerMAC": "00:11:62:ff:ff:ff"}
    answer = await world.client.post(PATH, json=body)
    assert (answer.status_code, answer.json()) == (200, {"jobReady": False})
    params = {"mac": "001162ffffff", "token": "o2o-1", "code": "200"}
    assert (await world.client.get(PATH, params={"mac": "001162ffffff", "token": "o2o-1"})).status_code == 404
    assert (await world.client.request("DELETE", PATH, params=params)).status_code == 200


@pytest.mark.parametrize("notation", [str.upper, lambda mac: "-".join(mac[n : n + 2] for n in range(0, 12, 2))])
async def test_every_way_to_say_who_one_is(star: Star, notation: Callable[[str], str]) -> None:
    client, mac = star.world.client, notation(star.mac)
    basic = {"Authorization": "Basic " + base64.b64encode(f"{mac}:".encode()).decode()}
    nobody = {"statusCode": "200 OK", "printerMAC": None}
    await star.order()
    ways = [
        client.post(PATH, json={"statusCode": "200 OK", "printerMAC": mac}),
        client.post(PATH, json=nobody, params={"mac": mac}),
        client.post(PATH, json=nobody, headers={"X-Star-Mac": mac}),
        client.post(PATH, json=nobody, headers=basic),
    ]
    said = [(await way).json() for way in ways]
    assert "clientAction" in said[0]
    assert [one["jobReady"] for one in said] == [False, True, True, True]


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"nonsense", b'{"printerMAC":"001162000001"}', b'{"statusCode":null}', b'{"statusCode":200}',
     b'{"statusCode":"200 OK"}', b'{"statusCode":"200","printerMAC":"zz"}', b'{"statusCode":"200","printerMAC":7}',
     b'{"statusCode":"200","clientAction":{}}', b'\xff\xfe', b'{"statusCode":"' + b"2" * 70_000 + b'"}'],
)  # fmt: skip
async def test_what_makes_no_sense_is_answered_400(world: Any, body: bytes) -> None:
    answer = await world.client.post(PATH, content=body)
    assert answer.status_code == 400, answer.text


async def test_all_but_the_status_code_may_be_absent_or_null(star: Star) -> None:
    body: Any = {"status": None, "uniqueID": None, "jobToken": None, "printingInProgress": None,
            "clientAction": None, "barcodeReader": None, "keyboard": None, "display": None}  # fmt: skip
    await star.poll()
    assert await star.poll(**body) == {"jobReady": False}
    more: Any = {"barcodeReader": [{"name": "x", "status": {"connected": True}}], "status": "23 6 0 0 0 0 0 0 0"}
    assert await star.poll(**more) == {"jobReady": False}


# --- signs of life --------------------------------------------------------------------------------------------------


async def test_a_poll_without_a_job_writes_nothing(world: Any, star: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of them do: one read each; the signs of life are written together, later."""
    await star.poll()  # asked, once
    database, written = context_of(world.app).db, []
    write = database.write

    async def noted(unit: Any, **how: Any) -> Any:
        if unit.__qualname__.startswith(("_Server.", "Signs.")):
            written.append(unit.__qualname__)
        return await write(unit, **how)

    monkeypatch.setattr(database, "write", noted)
    for _ in range(25):
        assert await star.poll() == {"jobReady": False}
        assert await star.poll("410") == {"jobReady": False}
    assert written == []
    await flushed(world)
    assert written == ["Signs.flush.<locals>.<lambda>"]


async def test_offline_after_two_intervals_and_five_seconds(world: Any, star: Star) -> None:
    path, clock = f"/merchants/{star.shop.id}/printer", world.clock

    async def shown() -> dict[str, Any]:
        await flushed(world)
        found: dict[str, Any] = (await star.shop.owner.get(path)).json()
        return found

    never = await shown()
    assert (never["online"], never["status"], never["seen"]) == (False, "offline", None)
    await star.poll("211%20Paper%20Low")
    there = await shown()
    assert (there["online"], there["status"], there["seen"]) == (True, "211 Paper Low", clock.now())
    clock.advance(15.0)
    assert (await shown())["online"] is True
    clock.advance(0.1)
    gone = await shown()
    assert (gone["online"], gone["status"]) == (False, "offline")
    await star.poll(clientAction=[{"request": "GetPollInterval", "result": 60}])
    clock.advance(125.0)  # 2 x 60 + 5
    assert (await shown())["online"] is True
    clock.advance(0.1)
    assert (await shown())["online"] is False


async def test_a_printer_that_prints_may_be_silent_for_a_minute(world: Any, star: Star) -> None:
    await star.out()
    await flushed(world)
    path = f"/merchants/{star.shop.id}/printer"
    world.clock.advance(60.0)
    shown = (await star.shop.owner.get(path)).json()
    assert (shown["online"], shown["under_way"], shown["waiting"]) == (True, 1, 0)
    world.clock.advance(0.1)
    assert (await star.shop.owner.get(path)).json()["online"] is False


async def test_how_a_printer_is_shown_to_those_who_run_the_shop(world: Any) -> None:
    star = await star_of(world, "s3cret-of-the-shop", width=32)
    path = f"/merchants/{star.shop.id}/printer"
    await star.order()
    shown = (await star.shop.owner.get(path)).json()
    assert shown.pop("has_secret") is True
    assert shown == {
        "merchant_id": star.shop.id, "url": f"cloudprnt://{star.mac}", "width_cols": 32, "online": False,
        "status": "offline", "seen": None, "device": {}, "waiting": 1, "under_way": 0,
    }  # fmt: skip
    assert "s3cret-of-the-shop" not in str(shown)
    other = await world.shop()
    assert (await other.owner.get(path)).status_code == 403
    assert (await world.admin.get(path)).status_code == 200
    assert (await world.admin.get("/merchants/999999/printer")).status_code == 404
    plain = (await other.owner.get(f"/merchants/{other.id}/printer")).json()
    assert (plain["url"], plain["online"], plain["status"]) == (None, None, None)


async def test_another_printer_begins_anew(world: Any, star: Star) -> None:
    """What the last one was offered and did not take waits for it, and what it said of itself is forgotten."""
    await star.order()
    token = await star.offered()
    mac = next(_macs)
    body = {"url": f"cloudprnt://{mac}", "width_cols": 48}
    assert (await star.shop.owner.call("PUT", f"/merchants/{star.shop.id}/printer", json=body)).status_code == 200
    assert (await star.get(token)).status_code == 404
    assert await star.poll() == {"jobReady": False}
    assert await star.states() == ["queued"]
    following = replace(star, mac=mac)
    assert "clientAction" in await following.poll()
    assert await following.offered() == token
    assert (await following.get(token)).status_code == 200


async def count(world: Any, table: Any) -> int:
    return len(await world.db(lambda conn: list(conn.execute(table.select()))))


# --- several processes ----------------------------------------------------------------------------------------------


@pytest.fixture
async def first(open_world: Any, settings: Settings, manual_clock: Any) -> AsyncIterator[Any]:
    async with open_world(settings, manual_clock) as opened:
        yield opened


@pytest.fixture
def manual_clock() -> ManualClock:
    return ManualClock()


async def test_a_restart_between_get_and_delete_is_not_noticed(
    open_world: Any, settings: Settings, manual_clock: Any
) -> None:
    async with open_world(settings, manual_clock) as before:
        star = await star_of(before)
        token = await star.out()
        job = await star.get(token)
    async with open_world(settings, manual_clock) as after:
        star = replace(star, world=after)
        assert await star.states() == ["claimed"]
        assert (await star.get(token)).content == job.content
        await star.delete(token)
        assert await star.states() == ["printed"]


@pytest.mark.parametrize("deployment", ["scaled"], indirect=True)
async def test_two_workers_serve_one_printer(
    open_world: Any, settings: Settings, manual_clock: Any, first: Any
) -> None:
    """Each request at another worker; a lot of them at once: one claim, one result."""
    async with open_world(settings, manual_clock) as second:
        star = await star_of(first)
        other = replace(star, client=second.client)
        assert "clientAction" in await star.poll()
        await flushed(first)
        assert await other.poll() == {"jobReady": False}  # it was asked by the other one
        await star.order()
        said = await asyncio.gather(*(one.poll() for one in (star, other) * 5))
        assert {one["jobToken"] for one in said} == {f"o2o-{(await star.tickets())[0]['ticket_id']}-1"}
        token = said[0]["jobToken"]
        jobs = await asyncio.gather(*(one.get(token) for one in (star, other) * 5))
        assert {(job.status_code, job.content) for job in jobs} == {(200, jobs[0].content)}
        (row,) = await star.tickets()
        assert (row["state"], row["attempts"]) == ("claimed", 1)
        told = await count(first, outbox)
        await asyncio.gather(*(one.delete(token, retry=str(n)) for n, one in enumerate((star, other) * 5)))
        assert await star.states() == ["printed"]
        assert await count(first, outbox) == told + 1
