"""A Star printer on CloudPRNT "Version MQTT" (Full MQTT and Pass URL): jobs are pushed to it through a broker (A14).

Source: Star CloudPRNT Protocol Guide 2.4.0; `star_words` and `mqtt_packets` know the words, `mqtt_session` the way to
the broker. Decides what a printer does with what it is told, and what of it when things go wrong:
- a job is acknowledged (PUBACK) when it is received, and printed in turn; its result is told when the paper is out. The
  last 10 job tokens are remembered, also without power: a job that comes again is not printed, and answered as a
  duplicate;
- what was published for it while it was away is delivered on its return, and printed then (the backlog of the field
  reports);
- power or link lost: the connection is reset, so that the broker says the last will. Power takes waiting jobs and
  untold results with it; the link only delays them;
- an answer lost after the paper (lost_ack) is told `late_result_s` later, or never;
- connected but silent (half_open): the keep-alive goes on, nothing is acknowledged or answered; when that ends the
  connection is new, and the broker delivers again what it has no acknowledgement for;
- a server that wants to be polled (cloudprnt-setting.json: 404) is not this front end's trade: `mode` is "http".

An idle printer is a socket, its objects and one timer; there is no task while nothing is to be done.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from o2o_devices.cloud import cloudprnt_wire as wire
from o2o_devices.cloud import mqtt_packets as packets
from o2o_devices.cloud import star_words as words
from o2o_devices.cloud.auth import Auth
from o2o_devices.cloud.machine import Machine
from o2o_devices.cloud.mqtt_line import Account, Line
from o2o_devices.cloud.mqtt_session import Session
from o2o_devices.cloud.star_server import StarServer
from o2o_devices.errors import DecodeError, JobError, NoAnswer
from o2o_devices.printer import VirtualPrinter

TOKENS = 10
"""Job tokens that are remembered."""


class MqttPrinter(Session):
    """One printer, known by its MAC (12 hex digits). `server`: the CloudPRNT URL set in it, or the broker itself.

    late_result_s: when a lost answer is told after all; None: never. keeps_tokens False: power takes the tokens along.
    """

    __slots__ = (
        "_jobs",
        "_keeps_tokens",
        "_late",
        "_late_result_s",
        "_outages",
        "_polling",
        "_power_cuts",
        "_tokens",
        "_told",
        "_worker",
        "acks_to_withhold",
        "duplicates",
    )

    def __init__(
        self,
        machine: Machine,
        mac: str,
        server: str | Account,
        *,
        auth: Auth | None = None,
        keepalive_s: int = 30,
        late_result_s: float | None = 30.0,
        keeps_tokens: bool = True,
    ) -> None:
        super().__init__(machine, mac, server, auth, keepalive_s)
        self.duplicates = 0
        """Jobs that came again and were not printed."""
        self.acks_to_withhold = 0
        """So many of the next jobs are not acknowledged; the broker delivers them again on the next connection."""
        self._late_result_s = late_result_s
        self._keeps_tokens = keeps_tokens
        self._worker: asyncio.Task[None] | None = None  # prints
        self._polling: asyncio.TimerHandle | None = None  # until the next status
        self._jobs: list[tuple[words.Job, str]] = []  # with the status code that it failed with on arrival
        self._tokens: tuple[str, ...] = ()
        self._late = 0  # answers that were lost and will be told
        self._told = ""
        self._outages = 0
        self._power_cuts = 0
        machine.on_change = self._changed

    @property
    def printer(self) -> VirtualPrinter:
        """The printer behind it."""
        return self.machine.printer

    @property
    def owes(self) -> bool:
        """A job or a word of it is still to come."""
        return bool(self._jobs or self._unacked or self._late) or self._worker is not None

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Switch it on; it finds its broker by itself."""
        self._stopped = False
        self.machine.start()
        self._outages, self._power_cuts = self.printer.outages, self.printer.power_cuts
        self.come_up()

    async def stop(self) -> None:
        """Switch it off properly: it says so itself, and disconnects."""
        if self._stopped:
            return
        line = self._line
        if line is not None and line.up:
            self.say("client-will", unintentionalDisconnection=False)
        if self._polling is not None:
            self._polling.cancel()
        self.machine.stop()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        await self.leave()

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        """Change the printer (paper, cover, power ...) now and see to what follows."""
        self.machine.act(change)

    def _changed(self) -> None:
        """Power, link, silence or sensors changed."""
        printer = self.printer
        if printer.power_cuts != self._power_cuts:
            self._power_cuts = printer.power_cuts
            self._jobs.clear()
            self.forget()
            if not self._keeps_tokens:
                self._tokens = ()
        if printer.outages != self._outages:
            self._outages = printer.outages
            self.cut_off()
        if self._line is None:
            self.come_up(at_once=True)
        else:
            self._tell(only_changes=True)

    # --- what it hears -----------------------------------------------------------------------------------------------

    def up(self) -> None:
        self._tell()
        self._poll()

    def line_message(self, line: Line, message: packets.Publish) -> None:
        if self.machine.silent or line is not self._line:
            return  # the broker keeps it
        method = message.topic.rpartition("/")[2]
        if method == "print-job" and self.acks_to_withhold > 0:
            self.acks_to_withhold -= 1
        elif message.packet_id:
            line.send(packets.puback(message.packet_id))
        fields = words.read(message.payload)
        if fields is None or fields.get("title") != method:
            return
        if method == "print-job":
            self._take(fields)
        elif method == "request-client-status":
            self._tell()
        elif method == "order-client-action":
            self._tell(clientAction=self._known(fields.get("clientAction")))
        elif method == "request-post" and self._server is not None:
            code = words.code_of(self.machine.status())
            self.in_background(self._server.post(code, printing=self._worker is not None))
        elif method == "request-get-server-info" and self._server is not None:
            self.in_background(self.look_again(self._server))

    def _known(self, asked: Any) -> list[dict[str, Any]]:
        """Answers to a server's order-client-action."""
        known = {
            "ClientType": wire.CLIENT_TYPE,
            "ClientVersion": wire.CLIENT_VERSION,
            "PageInfo": {"printWidth": f"{self.printer.profile.dots / 8:g}", "horizontalResolution": "8"},
            "Encodings": "; ".join(wire.MEDIA),
        }
        names = [one.get("request") for one in asked if isinstance(one, dict)] if isinstance(asked, list) else []
        return [{"request": name, "result": known.get(name, "")} for name in names if isinstance(name, str)]

    # --- what it says ------------------------------------------------------------------------------------------------

    def _tell(self, *, only_changes: bool = False, **more: Any) -> None:
        """client-status."""
        if self.machine.silent or not self.connected:
            return
        code, printing = words.code_of(self.machine.status()), self._worker is not None
        now = f"{code} {printing}"
        if not only_changes or now != self._told:
            self._told = now
            self.say("client-status", statusCode=words.encoded(code), printingInProgress=printing, **more)

    def _result(self, token: str, code: str) -> None:
        """print-result."""
        ok = code[:1] == "2"
        self.insist("print-result", jobToken=token, printSucceeded=ok, statusCode=words.encoded(code))

    def _poll(self) -> None:
        """A status from time to time, if the server has asked for that."""
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None
        if self._polling_s is not None:
            self._polling = asyncio.get_running_loop().call_later(self._polling_s, self._polled)

    def _polled(self) -> None:
        if self.connected:
            self._tell()
            self._poll()

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _take(self, fields: dict[str, Any]) -> None:
        token = str(fields.get("jobToken", ""))
        if token in self._tokens:
            self.duplicates += 1
            self._result(token, words.DUPLICATE)
            return
        self._tokens = (*self._tokens, token)[-TOKENS:]
        try:
            self._jobs.append((words.read_job(fields), ""))
        except DecodeError as error:
            self._jobs.append((words.Job(token, "", None, ""), error.code))
        if self._worker is None:
            self._begin()
            self._tell(only_changes=True)

    def _begin(self) -> None:
        self._worker = asyncio.get_running_loop().create_task(self._work())
        self._worker.add_done_callback(self._worked)

    async def _work(self) -> None:
        while self._jobs:
            job, code = self._jobs.pop(0)
            with contextlib.suppress(JobError):
                self._result(job.token, code or await self._print(job))

    def _worked(self, task: asyncio.Task[None]) -> None:
        if self._worker is not task or task.cancelled():
            return
        self._worker = None
        task.result()
        if self._jobs:  # came in the last moment
            self._begin()
        else:
            self._tell(only_changes=True)

    async def _print(self, job: words.Job) -> str:
        """Print a job; returns the status code of its result. Raises JobError when nothing is told."""
        try:
            data = await self._data(job)
        except DecodeError as error:
            return error.code
        cuts = self.printer.power_cuts
        try:
            outcome = await self.machine.print(data)
        except NoAnswer as lost:
            if lost.printed and self._late_result_s is not None:
                self._late += 1
                asyncio.get_running_loop().call_later(self._late_result_s, self._tell_late, job.token, cuts)
            raise
        return words.OK if outcome.ok else words.failure(outcome.code)

    def _tell_late(self, token: str, power_cuts: int) -> None:
        self._late -= 1
        if not self._stopped and power_cuts == self.printer.power_cuts:
            self._result(token, words.OK)

    async def _data(self, job: words.Job) -> bytes:
        """The job in the language of the engine inside. Raises DecodeError."""
        if job.media_type not in wire.MEDIA:
            raise DecodeError(words.MEDIA_TYPE, job.media_type)
        data = job.data
        if data is None:
            data = await (self._server or StarServer(job.url, self.mac, None, self.link_rate)).fetch(job)
        wanted = "" if job.cut is None else f"{job.cut}; feed={str(job.feed).lower()}"
        return wire.MEDIA[job.media_type](data, {"x-star-cut": wanted} if wanted else {})
