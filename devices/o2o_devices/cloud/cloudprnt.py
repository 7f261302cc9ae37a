"""A printer that speaks Star CloudPRNT over HTTP: it polls, fetches its jobs and says how they went (A14).

Decides when the printer asks, when it takes a job, and what it says of it. Words are `cloudprnt_wire`'s and
`star_words`', paper is the `Machine`'s. Source: Star CloudPRNT Protocol Guide 2.4.0; office.star-emea.com's older
guide for what follows a failure.

- POST every `interval_s`, whatever else goes on, and at once to answer a client action or to tell of a failure. A
  printer that cannot print (cover, paper) goes on with POST and sends no GET.
- A job is fetched by GET and printed; then DELETE (or GET, if the server says so) with code and token. Media that are
  not known, do not decode or do not come in time are confirmed with a code of class 5.
- A printer that stops in a job and does not keep its data says so in a poll with a code of class 4 and the job's token.
  It does not confirm the job; if the server offers it again, it is printed again, from the top.
- A confirmation that does not get through is sent again, with `retry`, when the link is up; a power cut forgets it.

Faults beyond the machine's own: `results_to_lose` (confirmations that are never sent), `results_to_repeat` (jobs that
are fetched and confirmed twice; a duplicate of the plan is such a one too), `late_result_s` (when a confirmation that
was lost on the way, a lost_ack of the plan, is sent after all; None: never). A silent printer polls on and takes no
job.
Assumed, as no source at hand says: `tries`, the space between them (an interval), the time-out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from o2o_devices.cloud import cloudprnt_wire as wire
from o2o_devices.cloud import star_words as words
from o2o_devices.cloud.auth import Basic
from o2o_devices.cloud.http import TIMEOUT_S, HttpClient, Response
from o2o_devices.cloud.machine import Machine
from o2o_devices.errors import DecodeError, HttpError, NoAnswer, PowerLost
from o2o_devices.printer import VirtualPrinter

MAX_JOB_BYTES = 2_000_000
_AGENT = f"{wire.CLIENT_TYPE}/{wire.CLIENT_VERSION} (o2o)"
_CANNOT_PRINT = frozenset(("cover_open", "paper_end"))
_MOST_ACTIONS = 8
"""Polls in a row that answer actions: a server that always asks is not answered for ever."""


class CloudPrntPrinter:
    """One printer, known by its MAC (12 hexadecimal digits). `url`: the server's address as set in it; `secret`:
    password for Basic authentication, the user being the MAC.

    first_s: seconds from the start to the first poll (None: somewhere in the first interval, by the MAC, so that
    thousands do not poll in step).
    """

    __slots__ = (
        "_client",
        "_failed",
        "_job",
        "_late",
        "_outages",
        "_power_cuts",
        "_settings",
        "_stopped",
        "_talk",
        "_timer",
        "_token",
        "_tries",
        "_url",
        "failures",
        "first_s",
        "jobs",
        "late_result_s",
        "machine",
        "polls",
        "results_to_lose",
        "results_to_repeat",
        "told",
    )

    def __init__(
        self,
        machine: Machine,
        mac: str,
        url: str,
        *,
        secret: str | None = None,
        interval_s: float = 5.0,
        late_result_s: float | None = 30.0,
        first_s: float | None = None,
        timeout_s: float = TIMEOUT_S,
        keep_alive: bool = False,
        tries: int = 5,
        media: Mapping[str, wire.Decoder] = wire.MEDIA,
    ) -> None:
        self.machine = machine
        self.first_s = interval_s * (int(mac, 16) * 2_654_435_761 % 2**32 / 2**32) if first_s is None else first_s
        self.late_result_s = late_result_s
        self.polls = self.jobs = self.told = self.failures = 0
        """Polls that were answered; jobs that were taken; confirmations that were heard; exchanges that came to
        nothing."""
        self.results_to_lose = 0
        """So many of the next confirmations are never sent."""
        self.results_to_repeat = 0
        """So many of the next jobs are fetched and confirmed twice."""
        self._url = url
        self._settings = wire.Settings(mac, interval_s, machine.printer.profile, media)
        self._tries = tries
        self._client = HttpClient(
            url,
            timeout_s=timeout_s,
            auth=None if secret is None else Basic(mac, secret),
            keep_alive=keep_alive,
            max_body=MAX_JOB_BYTES,
            bytes_s=self._rate,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._talk: asyncio.Task[None] | None = None
        self._job: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] | None = None  # confirmations that come late
        self._token: str | None = None  # of the job that is fetched and printed
        self._failed: tuple[str | None, str] | None = None  # (token, code) of a job that stopped, not yet told
        self._outages = self._power_cuts = 0
        self._stopped = True
        machine.on_change = self._changed

    @property
    def printer(self) -> VirtualPrinter:
        """The printer behind it."""
        return self.machine.printer

    @property
    def url(self) -> str:
        """Its address as the platform has it."""
        return f"cloudprnt://{self._settings.mac}"

    @property
    def owes(self) -> bool:
        """There is a job that it has not told everything of yet."""
        return self._job is not None or self._failed is not None or bool(self._late)

    @property
    def unique_id(self) -> str | None:
        """The id that the server has given it (SetID)."""
        return self._settings.unique_id

    def _rate(self) -> float | None:
        return self.printer.link_bytes_s

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Switch it on."""
        self._stopped = False
        self.machine.start()
        self._outages, self._power_cuts = self.printer.outages, self.printer.power_cuts
        self._timer = asyncio.get_running_loop().call_later(self.first_s, self._due)

    async def stop(self) -> None:
        """Take it off the network; what is half printed stays so."""
        if self._stopped:
            return
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = [task for task in (self._talk, self._job, *(self._late or ())) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._client.close()
        self.machine.stop()

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        """Change the printer (paper, cover, power ...) now and see to what follows: act(VirtualPrinter.open_cover)."""
        self.machine.act(change)

    def _changed(self) -> None:
        """Power, link or sensors have changed."""
        printer = self.printer
        if printer.outages != self._outages or not self.machine.reachable:
            self._outages = printer.outages
            self._client.drop()
        if printer.power_cuts != self._power_cuts:
            self._power_cuts = printer.power_cuts
            self._failed = None
            for task in (self._job, *(self._late or ())):
                if task is not None:
                    task.cancel()

    # --- polling -----------------------------------------------------------------------------------------------------

    def _due(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._settings.interval_s, self._due)
        self._poll_now()

    def _poll_now(self) -> None:
        if self._talk is None and self.machine.reachable and not self._stopped:
            self._talk = self._spawn(self._poll(), "_talk")

    def _spawn(self, work: Coroutine[Any, Any, None], slot: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)

        def over(task: asyncio.Task[None]) -> None:
            setattr(self, slot, None)
            if not task.cancelled():
                task.result()

        task.add_done_callback(over)
        return task

    async def _poll(self) -> None:
        """A poll, and more of them as long as there are actions to answer; takes the job that is ready."""
        results: list[tuple[str, Any]] = []
        for _ in range(_MOST_ACTIONS):
            answer = await self._post(results)
            if answer is None:
                return
            self._take(answer)
            results = []
            for request, options in answer.actions:
                self._settings, result = wire.act(self._settings, request, options)
                if result is not None:
                    results.append((request, result))
            if not results:
                return

    async def _post(self, results: list[tuple[str, Any]]) -> wire.Answer | None:
        failed = self._failed
        status = self.machine.status()
        body = wire.poll(
            self._settings,
            status,
            words.code_of(status) if failed is None else failed[1],
            token=self._token if failed is None else failed[0],
            printing=self.machine.busy,
            results=results,
        )
        response = await self._request("POST", self._settings.post_url or self._url, body=body)
        if response is None or response.status != 200:
            return None
        self.polls += 1
        if self._failed is failed:
            self._failed = None
        return wire.read_answer(response.body)

    async def _request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response | None:
        """An exchange; None when nothing came of it."""
        lines = {"User-Agent": _AGENT, "X-Star-Mac": wire.colons(self._settings.mac), **(headers or {})}
        if method == "POST":
            lines["Content-Type"] = "application/json"
        try:
            return await self._client.request(method, url, lines, body, again=True)
        except HttpError as error:
            self.failures += 1
            if error.reason == "too_large":
                return Response(413, {}, b"")
            return None

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _take(self, answer: wire.Answer) -> None:
        """Begin with the job that is ready, if there is one and the printer can."""
        machine = self.machine
        if not answer.job_ready or self._job is not None or machine.silent or self._stopped:
            return
        if machine.stopped_by() in _CANNOT_PRINT:
            return
        self._token = answer.token
        self._job = self._spawn(self._do(answer), "_job")

    async def _do(self, answer: wire.Answer) -> None:
        """Fetch a job, print it, say how it went."""
        try:
            told = await self._fetch_and_print(answer)
            if told is None:
                return
            code, repeat = told
            if self.results_to_lose > 0:
                self.results_to_lose -= 1
                return
            if self.results_to_repeat > 0:
                self.results_to_repeat -= 1
                repeat = True
            if repeat:
                await self._fetch(answer, wire.choose(answer.media_types, self._settings.media) or "")
                await self._confirm(answer, code)
            await self._confirm(answer, code)
        finally:
            self._token = None

    async def _fetch_and_print(self, answer: wire.Answer) -> tuple[str, bool] | None:
        """The code to confirm the job with, and whether it is confirmed twice; None: nothing is to be confirmed."""
        kind = wire.choose(answer.media_types, self._settings.media)
        if kind is None:
            return words.MEDIA_TYPE, False
        response = await self._fetch(answer, kind)
        if response is None or response.status != 200:
            too_large = response is not None and response.status == 413
            return wire.JOB_TOO_LARGE if too_large else words.NOT_FETCHED, False
        self.jobs += 1
        try:
            escpos = wire.escpos(self._settings, kind, response.body, response.headers)
        except DecodeError as error:
            return f"{error.code} Media decoding error" if error.code == "511" else words.MEDIA_TYPE, False
        try:
            outcome = await self.machine.print(escpos)
        except PowerLost:
            return None
        except NoAnswer as lost:
            if lost.printed and self.late_result_s is not None:
                self._confirm_late(answer, self.late_result_s)
            return None
        finally:
            self._token = None
        if outcome.ok:
            return words.OK, outcome.met == "duplicate"
        self._failed = (answer.token, words.failure(outcome.code))
        self._poll_now()
        return None

    def _confirm_late(self, answer: wire.Answer, after_s: float) -> None:
        """A confirmation whose way was lost, once more; the printer takes other jobs meanwhile."""

        async def late() -> None:
            await asyncio.sleep(after_s)
            await self._confirm(answer, words.OK, tried=1)

        if self._late is None:
            self._late = set()
        task = asyncio.get_running_loop().create_task(late())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _fetch(self, answer: wire.Answer, kind: str) -> Response | None:
        base = answer.job_url or self._url
        url = wire.job_url(base, self._settings, kind, answer.token)
        return await self._request("GET", url, headers=wire.headers(self._settings))

    async def _confirm(self, answer: wire.Answer, code: str, *, tried: int = 0) -> None:
        """Say how the job went, until somebody hears it or `tries` exchanges came to nothing."""
        base = answer.confirm_url or self._url
        while tried < self._tries:
            if self.machine.reachable:
                url = wire.confirmation_url(
                    base, self._settings, code, answer.token, retry=tried, by_get=answer.delete_by_get
                )
                response = await self._request("GET" if answer.delete_by_get else "DELETE", url)
                if response is not None and response.status < 500:
                    self.told += 1
                    return
                tried += 1
            await asyncio.sleep(self._settings.interval_s)
