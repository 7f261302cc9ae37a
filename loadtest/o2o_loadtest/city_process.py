"""The city as a process of a live run: virtual printers on real sockets, and the model's actors on the wall clock.

Started by `live` as `python -m o2o_loadtest.city_process FOLDER`. It speaks JSON lines. On standard output:
{"printers": {merchant_id: URL}}; {"warm": true} when riders on shift have logged in; {"known", "settled",
"receipts", ...} once a second. On standard input: {"go": PATH of the LiveConfig}, {"epoch": unix time}, {"stop": true}.
At the end the tables that only the city knows (merchants, riders, visits, samples, receipts, what printers confess, its
requests) lie in the run's folder.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from o2o_devices.fleet import Fleet
from o2o_devices.receipt import Receipt
from o2o_domain.orders import OrderState, settled
from o2o_domain.ticket_layout import parse
from o2o_loadtest.attached import LivePrinters
from o2o_loadtest.config import LiveConfig
from o2o_loadtest.feed import Feed
from o2o_loadtest.live_port import LivePlatform
from o2o_loadtest.printers import Confessions, FaultPlayer, TicketFaults, fleet_of
from o2o_loadtest.realtime import RealtimeEnvironment
from o2o_results.tables import TABLES
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.actors.log import ActorLog
from o2o_sim.actors.spawn import spawn_actors
from o2o_sim.city.build import build_city
from o2o_sim.city.model import City
from o2o_sim.tempo import Tempo

CITY_FILE = "live-city"
REPORT_EVERY_S = 1.0
QUIET_POLL_S = 0.05
QUIET_POLLS = 3
"""An actor takes a moment between the answer to one call and the next call."""


class CityProcess:
    """Printers from the start, actors from "go" on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scenario = Scenario.model_validate_json((folder / "live-scenario.json").read_bytes())
        self.trace = Trace.read(folder / "trace.parquet")
        self.city: City = build_city(self.scenario)
        self.stopped = asyncio.Event()
        self.port: LivePlatform | None = None
        self.env: RealtimeEnvironment | None = None
        self.log: ActorLog | None = None
        self.faults = TicketFaults(self.scenario, self.trace)
        self.confessions = Confessions(self._unreadable)
        self.papers: list[tuple[int, Receipt, float]] = []
        """(printer_id, receipt, unix time) in the order of printing."""

    async def run(self) -> None:
        """The whole life of the process."""
        lines = await _standard_input()
        fleet = fleet_of(
            self.scenario, self.city, on_paper=self._paper, faults=self.faults, confessions=self.confessions
        )
        await fleet.start()
        try:
            numbers = [merchant.merchant_id for merchant in self.city.merchants]
            _say({"printers": {str(number): fleet.where(number) for number in numbers}})
            config_path = await self._go(lines)
            if config_path is not None:
                await self._live(LiveConfig.read(config_path), lines, fleet)
        finally:
            await fleet.stop()

    async def _go(self, lines: asyncio.StreamReader) -> Path | None:
        raw = await lines.readline()
        return Path(json.loads(raw)["go"]) if raw else None

    async def _live(self, config: LiveConfig, lines: asyncio.StreamReader, fleet: Fleet) -> None:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        timeout = httpx.Timeout(config.request_timeout_s)
        endless = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=config.base_url, limits=limits, timeout=timeout, trust_env=False) as http,
            httpx.AsyncClient(base_url=config.base_url, limits=endless, timeout=timeout, trust_env=False) as ears,
        ):
            env = self.env = RealtimeEnvironment()
            faults = FaultPlayer(self.faults, fleet, self.confessions)
            users = self.trace.table.column("user_id").to_pylist()
            port = self.port = LivePlatform(env, config, http, user_of=users, on_paid=faults.paid)
            token = config.ids.operator_token
            feeds = [Feed(http, path, token, port.feed_event) for path in ("/feed/orders", "/feed/riders")]
            attached: LivePrinters | None = None
            if self.scenario.printing.age == "app_printer":
                attached = LivePrinters(env, fleet, self.scenario.printing.ack_timeout_s)
                feeds += [
                    Feed(ears, "/feed/orders", keeper, partial(port.app_event, merchant_id))
                    for merchant_id, keeper in config.ids.merchant_tokens.items()
                ]
            tasks = [asyncio.create_task(feed.follow()) for feed in feeds]
            await asyncio.gather(*(feed.connected.wait() for feed in feeds))
            tempo = Tempo(config.speed)
            self.log = spawn_actors(env, self.scenario, self.city, self.trace, port, tempo, attached=attached)
            tasks += [
                asyncio.create_task(self._follow(lines, config)),
                asyncio.create_task(self._warm_up(port)),
                asyncio.create_task(self._report(port)),
            ]
            try:
                await env.play(self.stopped.is_set)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await port.close()
                if attached is not None:
                    await attached.close()
            # No printer may go on printing unseen: what the platform takes for printed must be among the receipts.
            await fleet.stop()
            self._write(config, env.wall_now(), lambda at: fleet.unix(at) - config.epoch)
            _say(
                {
                    "done": True,
                    "worst_lag_s": env.worst_lag_s,
                    "reconnects": sum(feed.reconnects for feed in feeds),
                }
            )

    def _paper(self, printer_id: int, receipt: Receipt, at: float) -> None:
        self.papers.append((printer_id, receipt, at))
        if self.port is None:
            return
        ticket = parse(receipt.text_lines)
        if ticket.order_no:
            self.port.paper(printer_id, ticket.order_no, ticket.copy_no or 1)

    def _unreadable(self, printer_id: int, order_no: str, copy_no: int) -> None:
        """A ticket came out that nobody can read: the merchant sees that one came, and reads the order in the app."""
        if self.port is not None:
            self.port.paper(printer_id, order_no, copy_no)

    async def _follow(self, lines: asyncio.StreamReader, config: LiveConfig) -> None:
        """Do what the orchestrator says; that nothing more can come from it means stop."""
        assert self.env is not None
        while raw := await lines.readline():
            said = json.loads(raw)
            if "epoch" in said:
                config.epoch = float(said["epoch"])
                self.env.start(config.epoch)
            elif "stop" in said:
                break
        self.stopped.set()

    async def _warm_up(self, port: LivePlatform) -> None:
        """Say when everybody who is on shift at the epoch has logged in: no call waits for an answer any more."""
        quiet = 0
        while quiet < QUIET_POLLS:
            await asyncio.sleep(QUIET_POLL_S)
            quiet = 0 if port.waiting else quiet + 1
        _say({"warm": True})

    async def _report(self, port: LivePlatform) -> None:
        while True:
            told = {**progress(port.state), "receipts": len(self.papers), "requests": len(port.requests)}
            _say({**told, "at": time.time()})
            await asyncio.sleep(REPORT_EVERY_S)

    def _write(self, config: LiveConfig, now: float, run_s: Callable[[float], float]) -> None:
        assert self.log is not None
        assert self.port is not None
        tables = self.log.tables(now)
        tables["samples"] = tables["samples"].filter(pa.compute.greater_equal(tables["samples"]["at"], 0.0))
        tables["receipts"] = pa.Table.from_pylist(
            [receipt_row(number, *paper, config.epoch) for number, paper in enumerate(self.papers)],
            schema=TABLES["receipts"],
        )
        tables["printer_faults"] = pa.Table.from_pylist(self.confessions.rows(run_s), schema=TABLES["printer_faults"])
        for name, table in tables.items():
            pq.write_table(table, self.folder / f"{CITY_FILE}-{name}.parquet")
        with (self.folder / f"{CITY_FILE}-requests.jsonl").open("wb") as file:
            for row in self.port.requests:
                file.write(msgspec.json.encode(row) + b"\n")


def progress(states: dict[int, str]) -> dict[str, int]:
    """How many orders the platform told of, and how many are settled (a deal is once its voucher is out)."""
    done = sum(any(settled(kind, OrderState(state)) for kind in ("order", "deal")) for state in states.values())
    return {"known": len(states), "settled": done}


def receipt_row(number: int, printer_id: int, receipt: Receipt, at: float, epoch: float) -> dict[str, Any]:
    """One row of the run table `receipts`: the paper, read back."""
    ticket = parse(receipt.text_lines)
    return {
        "receipt_id": number,
        "printer_id": printer_id,
        "printed": at - epoch,
        "order_no": ticket.order_no,
        "copy_no": ticket.copy_no,
        "complete": ticket.complete and receipt.complete,
        "lines": [{"name": name, "qty": qty} for name, qty in ticket.lines],
        "total_fen": ticket.total_fen,
        "length_mm": receipt.length_mm,
        "text": receipt.text,
    }


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def main(folder: Callable[[], str] = lambda: sys.argv[1]) -> None:
    """Run until told to stop."""
    asyncio.run(CityProcess(Path(folder())).run())


if __name__ == "__main__":
    main()
