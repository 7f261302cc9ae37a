"""The load process: `python -m o2o_loadtest.peak SPEC`, where SPEC is a JSON file (see `spec`).

It says {"ready": true} when the first request is about to be sent, then {"at", "placed", "paid"} every half second
(unix time, counted since the start), and at the end leaves its figures, and what the users saw if that is asked for, in
the files that the spec names. A line on its standard input, or the end of it, stops the load early.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path

import msgspec
import uvloop

from o2o_loadtest.peak.closed import ClosedLoop
from o2o_loadtest.peak.http import Pool
from o2o_loadtest.peak.journey import Log
from o2o_loadtest.peak.open import OpenLoop, schedule
from o2o_loadtest.peak.orders import Orders
from o2o_loadtest.peak.spec import Spec
from o2o_loadtest.peak.world import World

REPORT_EVERY_S = 0.5


async def play(spec: Spec) -> None:
    """The whole life of the process."""
    world = World.read(Path(spec.world))
    pools = [Pool(url, limit=spec.connections, timeout_s=spec.timeout_s) for url in world.targets]
    orders = Orders(world, seed=spec.seed, prefix=spec.prefix, pay_with=spec.pay_with, coupon_share=spec.coupon_share)
    log = Log() if spec.log else None
    loop: ClosedLoop | OpenLoop
    if spec.mode == "closed":
        loop = ClosedLoop(pools[0], orders, connections=spec.connections, seconds=spec.seconds, warmup_s=spec.warmup_s)
    else:
        loop = OpenLoop(
            pools,
            orders,
            schedule(spec.rate, spec.warmup_s + spec.seconds, spec.seed),
            seconds=spec.seconds,
            warmup_s=spec.warmup_s,
            connections=spec.connections,
            pay=spec.pay,
            give_up_s=spec.give_up_s,
            log=log,
        )
    gc.collect()
    gc.freeze()  # the orders' parts are no garbage
    running = asyncio.get_running_loop()

    def stop() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            running.call_soon_threadsafe(loop.stop)

    threading.Thread(target=_listen, args=(stop,), daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    report = asyncio.create_task(_report(loop))
    try:
        figures = await loop.run()
    finally:
        report.cancel()
        for pool in pools:
            pool.close()
    if log is not None:
        _lines(Path(spec.log + "-orders.jsonl"), log.orders)
        _lines(Path(spec.log + "-requests.jsonl"), log.requests)
    _whole(spec.out, msgspec.json.encode(figures))
    print(json.dumps({"at": time.time(), "placed": loop.placed, "paid": loop.paid, "done": True}), flush=True)


async def _report(loop: ClosedLoop | OpenLoop) -> None:
    while True:
        print(json.dumps({"at": time.time(), "placed": loop.placed, "paid": loop.paid}), flush=True)
        await asyncio.sleep(REPORT_EVERY_S)


def _listen(stop: object) -> None:
    assert callable(stop)
    sys.stdin.readline()
    stop()


def _lines(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(row) + b"\n")


def _whole(path: str, data: bytes) -> None:
    """The file is there with all of it, or not at all."""
    part = Path(f"{path}.part")
    part.write_bytes(data)
    os.replace(part, path)


def main() -> None:
    """Play the spec that is named on the command line."""
    uvloop.run(play(Spec.read(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
