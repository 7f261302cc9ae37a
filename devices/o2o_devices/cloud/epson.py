"""An Epson printer on Server Direct Print and Status Notification: it fetches its jobs and tells how they went (A14).

Decides when it asks and tells, and what of it when things go wrong; `epson_wire` knows the words, `media.epos` jobs.
- It asks again `interval_s` after it had an answer, or later if it prints until then. What it has to tell goes first.
- A result is told when the paper is out, or at once when the printer cannot print. A job that is stopped in the middle
  is dropped and told as stopped. One that takes longer than its timeout is told as EX_TIMEOUT, and may come out yet.
- A result that was not answered with 200 is told again after the interval, so that results come late and repeated.
  Nothing is fetched before they are through (assumed: the manual does not say).
- What is no PrintRequestInfo is dropped without a word, and counted; what is too large or no XML is told as that.
- Status goes out every `status_interval_s`, in an exchange of its own.
- Power lost: the job, and what was not told, are gone. Link lost: the exchange fails, what there is to tell waits.
- An answer lost after the paper (lost_ack) is told `late_result_s` later, or never.
- Connected but silent (half_open): it asks and tells nothing until that is over.

A printer between two polls is a few objects and a timer: no task, and (keep_alive False) no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from o2o_devices.cloud import epson_wire as wire
from o2o_devices.cloud.auth import Digest
from o2o_devices.cloud.http import TIMEOUT_S, HttpClient
from o2o_devices.cloud.machine import Machine
from o2o_devices.errors import DecodeError, HttpError, NoAnswer, PowerLost
from o2o_devices.media.epos import SCHEMA_ERROR, escpos_of
from o2o_devices.printer import VirtualPrinter

REMEMBERED = 100
"""Results that the printer can be asked for again, by their job's id."""


class _Told(NamedTuple):
    """A message that is to be told: its XML, not before this time (loop's clock)."""

    file: str
    due: float


class EpsonPrinter:
    """One printer, known by its ID. `url`: the server's address as set in it; `secret`: password for Digest.

    first_s: seconds from the start to the first poll (a fleet spreads them). status_interval_s None: no notification.
    """

    __slots__ = (
        "_client",
        "_interval_s",
        "_known",
        "_late_result_s",
        "_outages",
        "_power_cuts",
        "_status_interval_s",
        "_status_timer",
        "_stopped",
        "_tasks",
        "_tell",
        "_timer",
        "discarded",
        "failures",
        "first_s",
        "jobs",
        "machine",
        "name",
        "polls",
        "refused",
        "results_to_lose",
        "results_to_repeat",
        "told",
    )

    def __init__(
        self,
        machine: Machine,
        name: str,
        url: str,
        *,
        secret: str | None = None,
        interval_s: float = 5.0,
        status_interval_s: float | None = None,
        late_result_s: float | None = 30.0,
        first_s: float = 0.0,
        timeout_s: float = TIMEOUT_S,
        keep_alive: bool = False,
    ) -> None:
        self.machine = machine
        self.name = name
        self.first_s = first_s
        self.polls = self.jobs = self.told = self.failures = self.discarded = self.refused = 0
        """Requests for jobs; jobs that came; messages that were heard; exchanges that came to nothing; answers that
        were dropped without a word, and that were refused as a whole."""
        self.results_to_lose = 0
        """So many of the next results are never told."""
        self.results_to_repeat = 0
        """So many of the next results are told once more after they were heard, as if the server's word were lost."""
        auth = None if secret is None else Digest(name, secret)
        self._client = HttpClient(
            url,
            timeout_s=timeout_s,
            auth=auth,
            keep_alive=keep_alive,
            max_body=wire.MAX_BYTES,
            bytes_s=self._rate,
        )
        self._interval_s = interval_s
        self._status_interval_s = status_interval_s
        self._late_result_s = late_result_s
        self._timer: asyncio.TimerHandle | None = None
        self._status_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._tell: list[_Told] = []
        self._known: dict[str, wire.Result] = {}
        self._outages = self._power_cuts = 0
        self._stopped = True
        machine.keeps = False  # what is stopped is dropped, and told
        machine.on_change = self._changed

    @property
    def printer(self) -> VirtualPrinter:
        """The printer behind it."""
        return self.machine.printer

    @property
    def owes(self) -> bool:
        """There is something that it has not told yet, or prints."""
        return bool(self._tell) or self.machine.busy

    def _rate(self) -> float | None:
        return self.printer.link_bytes_s

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Switch it on."""
        self._stopped = False
        self.machine.start()
        self._outages, self._power_cuts = self.printer.outages, self.printer.power_cuts
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.first_s, self._due)
        if self._status_interval_s is not None:
            self._status_timer = loop.call_later(self.first_s, self._status_due)

    async def stop(self) -> None:
        """Take it off the network; what is half printed stays so."""
        self._stopped = True
        for timer in (self._timer, self._status_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._status_timer = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._client.close()
        self.machine.stop()

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        """Change the printer (paper, cover, power ...) now and see to what follows."""
        self.machine.act(change)

    def _changed(self) -> None:
        printer = self.printer
        if printer.power_cuts != self._power_cuts:
            self._power_cuts = printer.power_cuts
            self._tell.clear()
            self._known.clear()
        if printer.outages != self._outages or not self.machine.reachable:
            self._outages = printer.outages
            self._client.drop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def _on_line(self) -> bool:
        return self.machine.reachable and not self.machine.silent

    # --- asking and telling ------------------------------------------------------------------------------------------

    def _due(self) -> None:
        self._timer = None
        if self._on_line:
            self._spawn(self._turn())
        else:
            self._again(self._interval_s)

    def _again(self, seconds: float) -> None:
        if not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._due)

    async def _turn(self) -> None:
        """Tell what there is to tell, ask for jobs, print them, tell of them."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            if await self._tell_all():
                body = await self._fetch()
                since = loop.time()
                if body:
                    await self._work(body)
                    await self._tell_all()
                    since = max(since, loop.time() - self._interval_s)
        finally:
            self._again(since + self._interval_s - loop.time())

    async def _fetch(self) -> bytes:
        """What the server answers to a request for jobs; nothing if that came to nothing."""
        self.polls += 1
        try:
            answer = await self._client.request("POST", "", wire.FORM, wire.form("GetRequest", self.name))
        except HttpError as error:
            self.failures += 1
            if error.reason == "too_large":
                self._refuse(wire.RefusedWhole(*wire.TOO_BIG))
                await self._tell_all()
            return b""
        if answer.status != 200:
            self.failures += 1
            return b""
        return answer.body

    async def _work(self, body: bytes) -> None:
        try:
            answer = wire.read(body)
        except wire.Foreign:
            self.discarded += 1
            return
        except wire.RefusedWhole as refused:
            self._refuse(refused)
            return
        said: list[wire.Result] = []
        due = 0.0
        cuts = self._power_cuts
        for job in answer.jobs:
            result, late = await self._one(job)
            if self._power_cuts != cuts:
                return  # whatever was printed, nobody is left to tell
            if result is None:
                continue
            if job.token:
                self._known[job.token] = result
                while len(self._known) > REMEMBERED:
                    del self._known[next(iter(self._known))]
            if late:
                due = asyncio.get_running_loop().time() + (self._late_result_s or 0.0)
            said.append(result)
        if said and self.results_to_lose > 0:
            self.results_to_lose -= 1
        elif said:
            self._tell.append(_Told(wire.results(answer.version, said), due))

    async def _one(self, job: wire.Job) -> tuple[wire.Result | None, bool]:
        """Print one job: its result (None: it will never be told), and whether it is told late."""
        if job.document is None:
            unknown = self._result(job, False, "JobNotFound")
            return self._known.get(job.token, unknown), False
        self.jobs += 1
        if job.device != wire.DEVICE_ID:
            return self._result(job, False, "DeviceNotFound"), False
        try:
            data = escpos_of(job.document)
        except DecodeError:
            return self._result(job, False, SCHEMA_ERROR), False
        loop = asyncio.get_running_loop()
        until = loop.time() + job.timeout_s
        try:
            outcome = await self.machine.print(data, job.timeout_s)
        except PowerLost:
            return None, False
        except NoAnswer as lost:
            if lost.printed:
                result = self._result(job, True, "")
                return (None, False) if self._late_result_s is None else (result, True)
            if loop.time() >= until:
                return self._result(job, False, "EX_TIMEOUT"), False
            return self._result(job, False, "EX_BADPORT")._replace(status=wire.NO_RESPONSE), False
        if outcome.ok:
            return self._result(job, True, ""), False
        return self._result(job, False, wire.CODES.get(outcome.code or "", wire.OTHER_CODE)), False

    def _result(self, job: wire.Job, success: bool, code: str) -> wire.Result:
        word = wire.status_word(self.machine.status())
        return wire.Result(job.device, job.token, success, code, word | (wire.PRINTED if success else 0))

    def _refuse(self, refused: wire.RefusedWhole) -> None:
        self.refused += 1
        self._tell.append(_Told(wire.refusal(refused), 0.0))

    async def _tell_all(self) -> bool:
        """Tell what is due, in order; True if nothing that is due is left."""
        while True:
            now = asyncio.get_running_loop().time()
            told = next((one for one in self._tell if one.due <= now), None)
            if told is None:
                return True
            if not self._on_line or not await self._say("SetResponse", ResponseFile=told.file):
                return False
            if told not in self._tell:
                continue  # the power went meanwhile
            self._tell.remove(told)
            if self.results_to_repeat > 0:
                self.results_to_repeat -= 1
                self._tell.append(_Told(told.file, asyncio.get_running_loop().time() + self._interval_s))

    async def _say(self, kind: str, **more: str) -> bool:
        """One message; True if it was heard."""
        try:
            answer = await self._client.request("POST", "", wire.FORM, wire.form(kind, self.name, **more))
        except HttpError:
            self.failures += 1
            return False
        if answer.status != 200:
            self.failures += 1
            return False
        self.told += 1
        return True

    # --- status ------------------------------------------------------------------------------------------------------

    def _status_due(self) -> None:
        self._status_timer = None
        if self._on_line:
            self._spawn(self._notify())
        else:
            self._status_again()

    def _status_again(self) -> None:
        if not self._stopped and self._status_interval_s is not None:
            loop = asyncio.get_running_loop()
            self._status_timer = loop.call_later(self._status_interval_s, self._status_due)

    async def _notify(self) -> None:
        try:
            await self._say("SetStatus", Status=wire.notification(wire.status_word(self.machine.status())))
        finally:
            self._status_again()
