"""A printer as a cloud front end sees it: whole jobs in, one outcome each (A14).

Decides when a job is over and what is said of it. The print engine inside is the one of every other transport
(`printer.VirtualPrinter`), with all its faults; the machine feeds it piece by piece as its buffer has room, asks for
the printer's word that the paper is out (GS ( H, answered when everything before it is printed) and waits. Front ends
(`cloudprnt`, `mqtt`, `epson`, `vendor`) speak the protocols and decide what they tell whom.

What a fault is here:
- power (power_before, power_off, power_after): `print` raises PowerLost; nothing can be said of the job any more.
- paper_end, cover_open: a printer that keeps its data (`keeps`, as the profile's on_paper_end "resume") waits and
  answers late; others drop the rest at once and answer that the job failed.
- overheating, backlog (the printer's own switch): the job waits and is answered when it is out.
- lost_ack: NoAnswer(printed=True) at the instant at which the answer was lost. Front ends are silent about the job, or
  answer late: they must not answer at once.
- half_open, silent: nothing until the silence ends, then NoAnswer.
- duplicate, no_print, wrong_codepage, overrun: the paper is wrong, the answer is that all is well.
- offline, flapping, slow: the link's; the paper comes out, and front ends obey `reachable` and the printer's
  `link_bytes_s`.

Everything runs on the running loop's clock: one timer while something is to come, no task, nothing when idle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from o2o_devices.errors import DeviceError, NoAnswer, PowerLost
from o2o_devices.escpos.status import Status
from o2o_devices.printer import VirtualPrinter

_PIECE_BYTES = 1024
_ASK = b"\x1d(H\x06\x0000"  # GS ( H function 48, four bytes of identification behind it
_CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"  # DLE DC4 8: drop what is not printed
_HEARD_BYTES = 64
"""Kept of the engine's answers; the one that is waited for has seven bytes."""


class Outcome(NamedTuple):
    """What became of a job."""

    ok: bool
    code: str | None = None
    """Why it failed: paper_end or cover_open. What was not on paper by then will not come out."""
    met: str | None = None
    """The planned fault that the job met, if any (for front ends that add their part to it)."""


class _Job:
    """The job under way."""

    __slots__ = ("acks_lost", "answer", "asked", "at", "data", "done", "ended", "heard", "met", "power_cuts", "silent")

    def __init__(self, data: bytes, ident: bytes, printer: VirtualPrinter, done: asyncio.Future[Outcome]) -> None:
        self.data = data
        self.at = 0
        self.ended = self.asked = False
        self.answer = b"\x37\x22" + ident + b"\x00"
        self.heard = b""
        self.done = done
        self.power_cuts = printer.power_cuts
        self.acks_lost = printer.counters.acks_lost
        self.silent = printer.silent
        self.met = dict(printer.counters.met or {})

    def fault(self, printer: VirtualPrinter) -> str | None:
        """The planned fault met since the job began."""
        for kind, times in (printer.counters.met or {}).items():
            if times != self.met.get(kind, 0):
                return kind
        return None


class Machine:
    """One printer that takes whole jobs, one at a time. Usable between `start` and `stop`, on one loop.

    keeps: whether a job that stopped goes on when somebody has mended the printer; None: as the profile's paper end.
    on_change: called after power, link, silence or sensors changed, and after any outage; must not raise.
    """

    __slots__ = (
        "_job",
        "_jobs",
        "_loop",
        "_seen",
        "_timer",
        "_timer_at",
        "keeps",
        "on_change",
        "printer",
    )

    def __init__(
        self,
        printer: VirtualPrinter,
        *,
        keeps: bool | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.printer = printer
        self.keeps = printer.profile.on_paper_end == "resume" if keeps is None else keeps
        self.on_change = on_change
        self._loop: asyncio.AbstractEventLoop | None = None
        self._job: _Job | None = None
        self._jobs = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._seen: tuple[int, bool, bool, Status] | None = None

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """From now on the running loop's clock is the printer's."""
        self._loop = asyncio.get_running_loop()
        self._step()

    def stop(self) -> None:
        """No timer any more; a job under way ends with NoAnswer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.give_up()
        self._loop = None

    def now(self) -> float:
        """Seconds on the printer's clock."""
        assert self._loop is not None, "the machine has not been started"
        return self._loop.time()

    # --- what front ends look at -------------------------------------------------------------------------------------

    @property
    def powered(self) -> bool:
        return self.printer.mechanism.powered

    @property
    def reachable(self) -> bool:
        """Power is on and the link is up: the front end can talk to its server."""
        return self.printer.link_up and self.printer.mechanism.powered

    @property
    def silent(self) -> bool:
        """Connected but silent: nothing is printed or answered, though the front end may go on being polite."""
        return self.printer.silent

    @property
    def busy(self) -> bool:
        """A job is under way."""
        return self._job is not None

    def status(self) -> Status:
        """Sensors and switches now."""
        return self.printer.status(self.now())

    def stopped_by(self) -> str | None:
        """Why a job that came now would wait: power_off, offline, cover_open or paper_end; None: it would not."""
        fault = self.printer.mechanism.fault()
        if fault is not None:
            return fault
        return "paper_end" if self.status().paper_end else None

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        """Change the printer (paper, cover, power ...) now and see to what follows: act(VirtualPrinter.open_cover)."""
        change(self.printer, self.now())
        self._step()

    # --- jobs --------------------------------------------------------------------------------------------------------

    async def print(self, data: bytes, timeout_s: float | None = None) -> Outcome:
        """Print a job of ESC/POS bytes; returns when the paper is out or never will be.

        Raises PowerLost when the power goes (or is off), NoAnswer when the answer is lost, when a silence ends, after
        `timeout_s`, or when somebody gives up; what the engine has received is still printed then. DeviceError while
        another job is under way.
        """
        loop = asyncio.get_running_loop()
        if self._job is not None:
            raise DeviceError("the printer has a job under way")
        self._step()
        if not self.powered:
            raise PowerLost("the power is off")
        stopped = self.stopped_by()
        if stopped in ("cover_open", "paper_end") and not self.keeps:
            return Outcome(ok=False, code=stopped)
        self._jobs += 1
        job = self._job = _Job(data, b"%04d" % (self._jobs % 10_000), self.printer, loop.create_future())
        limit = None if timeout_s is None else loop.call_later(timeout_s, self.give_up)
        try:
            self._step()
            return await job.done
        finally:
            if limit is not None:
                limit.cancel()
            if self._job is job:  # cancelled
                self._end()

    def give_up(self) -> None:
        """Wait no longer for the job under way: its `print` raises NoAnswer. What was received is still printed."""
        self._finish(NoAnswer("nobody waits any longer"))

    def _finish(self, result: Outcome | Exception) -> None:
        job = self._job
        if job is None:
            return
        self._end()
        if job.done.done():
            return
        if isinstance(result, Exception):
            job.done.set_exception(result)
            job.done.exception()  # seen: whoever waited may be cancelled by the same fault
        else:
            job.done.set_result(result)

    def _end(self) -> None:
        self._job = None
        self.printer.end_job(self.now())

    # --- time --------------------------------------------------------------------------------------------------------

    def _on_timer(self) -> None:
        self._timer = None
        self._step()

    def _step(self) -> None:
        """Do what is due, feed what there is room for, see what became of the job, set the timer."""
        now = self.now()
        self._hear(self.printer.advance(now))
        if self._job is not None:
            self._feed(self._job, now)
            self._judge(self._job, now)
        self._arm()
        if self.on_change is not None:
            printer = self.printer
            seen = (printer.outages, self.reachable, printer.silent, printer.status(now))
            if seen != self._seen:
                first, self._seen = self._seen is None, seen
                if not first:
                    self.on_change()

    def _arm(self) -> None:
        assert self._loop is not None
        at = self.printer.next_at()
        if self._timer is not None:
            if at == self._timer_at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer_at = at
            self._timer = self._loop.call_at(at, self._on_timer)

    def _feed(self, job: _Job, now: float) -> None:
        printer = self.printer
        size = len(job.data)
        while job.at < size and (room := printer.room()) > 0:
            piece = job.data[job.at : job.at + min(room, _PIECE_BYTES)]
            job.at += len(piece)
            self._hear(printer.receive(piece, now))
        if job.at < size or job.asked:
            return
        if not job.ended:
            job.ended = True
            printer.end_input(now)  # half a command must not swallow the question
        ask = _ASK + job.answer[2:6]
        if printer.room() >= len(ask):
            job.asked = True
            self._hear(printer.receive(ask, now))

    def _hear(self, answers: bytes) -> None:
        job = self._job
        if job is not None and answers:
            job.heard = (job.heard + answers)[-_HEARD_BYTES:]

    def _judge(self, job: _Job, now: float) -> None:
        """Whether the job is over."""
        printer = self.printer
        if job.answer in job.heard:
            self._finish(Outcome(ok=True, met=job.fault(printer)))
        elif printer.power_cuts != job.power_cuts:
            self._finish(PowerLost("the power went while the job was under way"))
        elif printer.counters.acks_lost != job.acks_lost:
            self._finish(NoAnswer("the answer is lost", printed=True))
        elif printer.silent:
            job.silent = True
        elif job.silent:
            self._finish(NoAnswer("the printer was silent"))
        elif (stop := self._failed(now)) is not None:
            met = job.fault(printer)
            if not printer.idle:
                printer.receive(_CLEAR, now)
            self._finish(Outcome(ok=False, code=stop, met=met))
        elif job.asked and printer.idle:
            self._finish(NoAnswer("the printer has forgotten the job"))

    def _failed(self, now: float) -> str | None:
        """What has ended the job for good."""
        printer = self.printer
        fault = printer.mechanism.fault()
        if fault == "cover_open" and not self.keeps:
            return fault
        if fault is None and printer.mechanism.paper_end(now) and not printer.owes_answers:
            astray = printer.profile.on_paper_end != "resume"
            return "paper_end" if astray or not self.keeps else None
        return None
