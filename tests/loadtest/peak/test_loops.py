"""Closed and open loop, users who retry and pay, and the figures that are left."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from o2o_loadtest.peak import spec as specs
from o2o_loadtest.peak.closed import ClosedLoop
from o2o_loadtest.peak.figures import LATE_MS, figures, percentiles
from o2o_loadtest.peak.http import Pool
from o2o_loadtest.peak.journey import Log
from o2o_loadtest.peak.open import OpenLoop, schedule
from o2o_loadtest.peak.orders import Orders, pay_link
from o2o_loadtest.peak.spec import Spec
from o2o_loadtest.peak.world import Shop, World

pytestmark = pytest.mark.anyio


def world(url: str = "http://127.0.0.1:1") -> World:
    shops = [Shop(number, 30.0, 120.0, [10 * number + dish for dish in range(5)]) for number in range(1, 9)]
    return World([url], [(100 + number, f"token-{number}") for number in range(50)], shops, ["C1", "C2"])


def key_of(request: bytes) -> str:
    found = re.search(rb"Idempotency-Key: (\S+)\r\n", request)
    assert found
    return found[1].decode()


def test_orders_are_those_of_their_seed_and_well_formed() -> None:
    one, same, other = (Orders(world(), seed=seed, prefix="p-", coupon_share=0.5) for seed in (3, 3, 4))
    first = [one.next() for _ in range(200)]
    assert first == [same.next() for _ in range(200)]
    assert first != [other.next() for _ in range(200)]
    assert len({order.key for order in first}) == 200
    shops = {shop.id: shop for shop in world().shops}
    coupons = 0
    for order in first:
        head, _, body = order.request.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert key_of(order.request) == order.key
        told = json.loads(body)
        assert told["merchant_id"] == order.merchant_id
        assert f"Bearer token-{order.user_id - 100}\r\n".encode() in head + b"\r\n"
        dishes = [item["dish_id"] for item in told["items"]]
        assert len(set(dishes)) == len(dishes)
        assert set(dishes) <= set(shops[order.merchant_id].dishes)
        assert "pay_with" not in told
        coupons += "coupon_code" in told
    assert 60 < coupons < 140


def test_pay_with_is_said_when_asked_for() -> None:
    order = Orders(world(), seed=1, prefix="", pay_with="balance").next()
    assert json.loads(order.request.partition(b"\r\n\r\n")[2])["pay_with"] == "balance"


def test_the_pay_link_is_found_in_an_answer() -> None:
    answer = b'{"order_id":1,"payment":{"payment_id":9,"pay_url":"http://127.0.0.1:81/pay/9?amount_fen=5&sig=ab"}}'
    base, request = pay_link(answer) or ("", b"")
    assert base == "http://127.0.0.1:81"
    assert request.startswith(b"POST /pay/9?amount_fen=5&sig=ab HTTP/1.1\r\nHost: 127.0.0.1:81\r\n")
    assert pay_link(b'{"order_id":1,"payment":{}}') is None


def test_the_schedule_is_the_seeds_and_keeps_the_rate() -> None:
    times = schedule(200.0, 5.0, 7)
    assert times == schedule(200.0, 5.0, 7) != schedule(200.0, 5.0, 8)
    assert len(times) == 1000
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < 5.0


def test_a_late_generator_makes_the_run_invalid() -> None:
    slow = [LATE_MS * 1.5e-3] * 2 + [0.0] * 98
    fine = [LATE_MS * 1.5e-3] + [0.0] * 199
    told = [figures("open", 1.0, Counter({201: 5}), [0.01], late, cpu_s=0.0, epoch=0.0) for late in (slow, fine)]
    assert [one.valid for one in told] == [False, True]
    assert percentiles([0.001, 0.003])["max"] == 3.0
    assert percentiles([]) == {}


async def test_a_closed_loop_keeps_its_connections_busy(stub: Any, respond: Any) -> None:
    stub.answer = lambda _, n: respond(503 if n % 10 == 9 else 201)
    pool = Pool(stub.url, limit=4)
    loop = ClosedLoop(pool, Orders(world(), seed=1, prefix="k"), connections=4, seconds=0.4, warmup_s=0.1)
    told = await loop.run()
    assert stub.connections == 4
    assert len({key_of(request) for request in stub.requests}) == len(stub.requests)
    assert 0 < told.placed == told.statuses["201"] <= loop.placed
    assert told.statuses["503"] > 0
    assert told.per_s == pytest.approx(told.placed / 0.4, abs=0.01)
    pool.close()


async def test_an_open_loop_does_not_wait_for_the_server(stub: Any, respond: Any) -> None:
    async def slowly(_: bytes, n: int) -> bytes:
        await asyncio.sleep(0.3)
        return bytes(respond(201))

    stub.answer = slowly
    pool = Pool(stub.url, limit=200)
    times = schedule(200.0, 0.5, 1)
    loop = OpenLoop([pool], Orders(world(), seed=1, prefix="k"), times, seconds=0.5, connections=200)
    told = await loop.run()
    assert told.sent == told.placed == 100
    assert told.latency_ms["p50"] >= 300
    assert stub.connections > 30  # at 200/s and 0.3 s each some 60 are under way
    pool.close()


async def test_warm_up_is_sent_and_not_counted(stub: Any) -> None:
    pool = Pool(stub.url, limit=8)
    orders = Orders(world(), seed=1, prefix="k")
    loop = OpenLoop([pool], orders, [0.0, 0.05, 0.2, 0.25], seconds=0.2, warmup_s=0.1, connections=8)
    told = await loop.run()
    assert (loop.placed, told.placed, told.per_s) == (4, 2, 10.0)
    assert len(stub.requests) == 4
    pool.close()


async def test_users_ask_again_with_the_same_key_and_pay_once_they_have_an_answer(stub: Any, respond: Any) -> None:
    seen: Counter[str] = Counter()

    def moody(request: bytes, n: int) -> bytes | None:
        path = request.split(b" ", 2)[1].decode()
        name = path if path.startswith("/pay") else key_of(request)
        seen[name] += 1
        if seen[name] < 3:
            return None if seen[name] == 1 else respond(503)
        if path.startswith("/pay"):
            return bytes(respond(202))
        number = name[1:]
        if number == "3":
            return bytes(respond(409, b'{"error":{"code":"sold_out"}}'))
        link = f"{stub.url}/pay/{number}?amount_fen=1&sig=x"
        return bytes(
            respond(201, json.dumps({"order_id": 7, "payment": {"pay_url": link}}, separators=(",", ":")).encode())
        )

    stub.answer = moody
    pool, log = Pool(stub.url, limit=8), Log()
    orders = Orders(world(), seed=1, prefix="k")
    loop = OpenLoop([pool], orders, [0.0] * 5, seconds=0.1, connections=8, pay=True, give_up_s=20.0, log=log)
    told = await loop.run()
    assert told.statuses == {"201": 4, "409": 1}
    assert loop.paid == 4  # the last user is not home before all have paid
    assert set(seen.values()) == {3}
    assert {name for name in seen if name.startswith("/pay")} == {f"/pay/{n}?amount_fen=1&sig=x" for n in (0, 1, 2, 4)}
    rows = {row["n"]: row for row in log.orders}
    assert [rows[n]["outcome"] for n in range(5)] == ["placed", "placed", "placed", "refused", "placed"]
    assert rows[3]["answer"]["error"]["code"] == "sold_out"
    assert all((rows[n]["paid"] is not None) == (n != 3) for n in range(5))
    tries = Counter((row["order_id"], row["name"]) for row in log.requests)
    assert set(tries.values()) == {3}
    assert [row["status"] for row in log.requests if row["order_id"] == 3] == [0, 503, 409]
    pool.close()


async def test_a_user_gives_up_in_the_end(stub: Any) -> None:
    stub.answer = lambda _, n: None
    pool, log = Pool(stub.url, limit=2), Log()
    loop = OpenLoop(
        [pool], Orders(world(), seed=1, prefix="k"), [0.0], seconds=0.1, connections=2, give_up_s=0.5, log=log
    )
    assert (await loop.run()).statuses == {"0": 1}
    assert log.orders[0]["outcome"] == "lost"
    assert [row["status"] for row in log.requests] == [0, 0, 0]
    pool.close()


async def test_the_load_process_leaves_figures_and_what_users_saw(stub: Any, respond: Any, tmp_path: Path) -> None:
    world(stub.url).write(tmp_path / "world.json")
    assert (tmp_path / "world.json").stat().st_mode & 0o77 == 0
    spec = Spec(
        mode="open",
        world=str(tmp_path / "world.json"),
        out=str(tmp_path / "open.json"),
        seconds=0.5,
        rate=100.0,
        log=str(tmp_path / "users"),
    )
    told = await asyncio.to_thread(specs.play, spec, tmp_path)
    assert (told.sent, told.placed) == (50, 50)
    assert told.cpu_us > 0
    rows = (tmp_path / "users-orders.jsonl").read_bytes().splitlines()
    assert [json.loads(row)["outcome"] for row in rows] == ["placed"] * 50
    assert len((tmp_path / "users-requests.jsonl").read_bytes().splitlines()) == 50


async def test_a_load_process_can_be_stopped_early(stub: Any, respond: Any, tmp_path: Path) -> None:
    world(stub.url).write(tmp_path / "world.json")
    spec = Spec(
        mode="open", world=str(tmp_path / "world.json"), out=str(tmp_path / "open.json"), seconds=600.0, rate=50.0
    )
    said = asyncio.Event()
    loop = asyncio.get_running_loop()
    child = specs.start(spec, tmp_path, on_line=lambda line: loop.call_soon_threadsafe(said.set))
    try:
        await asyncio.wait_for(said.wait(), 30)
        child.say({"stop": True})
        told = await asyncio.to_thread(specs.figures_of, child, spec, patience_s=30)
        assert told.sent == told.placed < 50 * 600
    finally:
        await asyncio.to_thread(child.stop)
