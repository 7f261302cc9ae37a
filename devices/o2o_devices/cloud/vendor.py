"""A stand-in for the cloud of a Chinese printer vendor: jobs, the printers behind it, and the callbacks (A14).

Decides what such a cloud does between its API (`vendor_api`) and the paper. A printer prints its jobs one after the
other, in the order in which they were taken. While it is off the line or out of paper its jobs wait, and are printed
when it is back, unless they have expired or were withdrawn: a backlog comes out on recovery, as vendors' clouds do. A
job that stopped in the middle is tried again by itself; one whose printer lost power, or its answer, is `unknown` and
stays so. What was printed is told: at most three pushes, none is taken for heard but on a good answer.

What a printer does with its jobs, and what the cloud believes of it, is `vendor_printer`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from o2o_devices.cloud.vendor_book import OPEN, PUSHES, Book, Brand, Job, State
from o2o_devices.cloud.vendor_plan import Plan
from o2o_devices.cloud.vendor_printer import VendorPrinter
from o2o_devices.printer import VirtualPrinter

log = logging.getLogger("o2o.devices.vendor")

PUSH_TIMEOUT_S = 3.0
"""A push must be answered within it (Yilianyun; taken over for Feie)."""
AT_ONCE = 64
"""Pushes under way at once."""


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """Who may use the cloud, and where Yilianyun's pushes go (Feie's go where each job says)."""

    feie_user: str = ""
    feie_ukey: str = ""
    client_id: str = ""
    client_secret: str = ""
    access_token: str = ""
    push_url: str = ""


class VendorCloud:
    """Printers by (brand, serial), the book of their jobs, and what is told. `start` and `stop` on one loop."""

    def __init__(
        self,
        account: Account,
        book: Book,
        plan: Plan | None = None,
        *,
        now: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.account = account
        self.book = book
        self.plan = plan or Plan()
        self.now = now
        self.printers: dict[tuple[Brand, str], VendorPrinter] = {}
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._left: dict[tuple[Brand, str], list[Job]] = {}  # by the last process, for printers that have not come yet

    def front(self, brand: Brand, serial: str) -> Callable[[int, VirtualPrinter], VendorPrinter]:
        """For `PrinterSpec.front`: the printer is behind this cloud, under this number."""

        def make(_: int, printer: VirtualPrinter) -> VendorPrinter:
            made = self.printers[brand, serial] = VendorPrinter(self, brand, serial, printer)
            return made

        return make

    async def start(self) -> None:
        """Be ready to tell; what the book says was not told is told now."""
        self._client = httpx.AsyncClient(transport=self._transport, timeout=PUSH_TIMEOUT_S, trust_env=False)
        for job in self.book.jobs.values():
            if job.state == "waiting":
                self._left.setdefault((job.brand, job.serial), []).append(job)
            elif job.state == "printed" and not job.told:
                self.spawn(self._tell(job))

    async def stop(self) -> None:
        """Tell nothing more; the book is closed."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
        self.book.close()

    def waiting(self, printer: VendorPrinter) -> list[Job]:
        """What the book has for a printer that has just come."""
        return self._left.pop((printer.brand, printer.serial), [])

    # --- jobs --------------------------------------------------------------------------------------------------------

    def take(
        self,
        printer: VendorPrinter,
        content: str,
        *,
        expires: float | None = None,
        origin_id: str = "",
        backurl: str = "",
    ) -> Job:
        """A job that is on file when this returns."""
        now, number = self.now(), len(self.book.jobs) + 1
        brand = printer.brand
        name = f"{printer.serial}_{int(now)}_{number}" if brand == "feie" else f"{int(now)}{number:08d}"
        fate = self.plan.fate(number)
        job = Job(name, brand, printer.serial, now, content, expires, origin_id, backurl, fate=fate, number=number)
        self.book.take(job)
        printer.put(job)
        return job

    def expire(self, job: Job) -> bool:
        """Drop the job if its time is over."""
        if job.state == "waiting" and job.expires is not None and self.now() >= job.expires:
            self.book.end(job, "expired", self.now())
        return job.state == "expired"

    def withdraw(self, job: Job) -> None:
        """Cancel a job that the printer was not given."""
        if job.state == "waiting":
            self.book.end(job, "cancelled", self.now())

    def over(self, job: Job, state: State) -> None:
        """The printer is done with a job."""
        self.book.end(job, state, self.now())
        if state == "printed":
            self.spawn(self._tell(job))

    def counts(self) -> dict[str, int]:
        """Jobs by state and by fate."""
        found: dict[str, int] = {"jobs": len(self.book.jobs), "told": 0, "pushes": 0}
        for job in self.book.jobs.values():
            self.expire(job)
            found[job.state] = found.get(job.state, 0) + 1
            found[f"fate_{job.fate}"] = found.get(f"fate_{job.fate}", 0) + 1
            found["told"] += job.told and job.state == "printed"
            found["pushes"] += job.pushes
        found["open"] = sum(found.get(state, 0) for state in OPEN)
        return found

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Keep a task for a coroutine that nobody awaits."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("vendor cloud: %r", error, exc_info=error)

    # --- telling -----------------------------------------------------------------------------------------------------

    async def _tell(self, job: Job) -> None:
        """Push the result, as the job's fate has it."""
        if job.fate == "lost":
            job.told = True
            self.book.note(job)
            return
        if job.fate == "late" and job.pushes == 0:
            await asyncio.sleep(self.plan.late_by(job.number))
        heard = False
        while job.pushes < PUSHES and not heard:
            if job.pushes:
                await asyncio.sleep(self.plan.push_pause_s)
            job.pushes += 1
            self.book.note(job)
            heard = await self._push(job)
        if heard and job.fate == "doubled":
            job.pushes += 1
            await self._push(job)
        job.told = True  # or given up: it is not pushed again
        self.book.note(job)

    async def _push(self, job: Job) -> bool:
        """One push of a job's result; True if it was answered well."""
        stamp, account = str(int(self.now())), self.account
        if job.brand == "feie":
            sign = feie_sign(account, stamp)
            return await self._post(job.backurl, {"orderId": job.id, "status": "1", "stime": stamp, "sign": sign})
        return await self._post(
            account.push_url,
            {
                "cmd": "oauth_finish",
                "client_id": account.client_id,
                "machine_code": job.serial,
                "order_id": job.id,
                "origin_id": job.origin_id,
                "state": "1",
                "print_time": str(int(job.ended or 0)),
                "push_time": stamp,
                "sign": yilianyun_sign(account, stamp),
            },
            wanted={"data": "OK"},
        )

    async def _post(self, url: str, form: Mapping[str, str], wanted: object = None) -> bool:
        if not url or self._client is None:
            return False
        try:
            async with self._gate, asyncio.timeout(PUSH_TIMEOUT_S):
                answer = await self._client.post(url, data=dict(form))
            return answer.status_code == 200 and (wanted is None or answer.json() == wanted)
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            log.info("push: %s", type(error).__name__)
            return False

    def changed(self, printer: VendorPrinter) -> None:
        """A printer's state has changed: Yilianyun tells of it, once the cloud knows."""
        if printer.brand == "yilianyun" and self._client is not None and self.account.push_url:
            self.spawn(self._tell_status(printer))

    async def _tell_status(self, printer: VendorPrinter) -> None:
        down_at = printer.down_at
        if down_at is not None:
            await asyncio.sleep(self.plan.lag_of(printer.serial, printer.outages) + 0.01)
            if printer.down_at != down_at:
                return  # it has come back, and nobody has noticed
        stamp = str(int(self.now()))
        told = {"cmd": "oauth_printStatus", "client_id": self.account.client_id, "machine_code": printer.serial}
        more = {"state": str(printer.believed()), "push_time": stamp, "sign": yilianyun_sign(self.account, stamp)}
        await self._post(self.account.push_url, {**told, **more})


def feie_sign(account: Account, stime: str) -> str:
    """sha1(user + ukey + stime)."""
    text = account.feie_user + account.feie_ukey + stime
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def yilianyun_sign(account: Account, stamp: str) -> str:
    """md5(client_id + time + client_secret)."""
    text = account.client_id + stamp + account.client_secret
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
