"""The paper path of a receipt printer (A14): how long a ticket takes, how much paper is left, what stops it.

Decides when the last line of a length of paper is out, and where it stops instead. Pure: the caller's clock is an
argument (any unit-second float that never goes back), so that the same class runs on the simulated clock and under a
live socket server. What is printed, bytes, buffers and acknowledgements are left to others.

A job is a length of paper. `start` books it behind the jobs already booked and answers at once with the instant at
which it will be out (or will fail), because a mechanism at constant speed has a closed form; `interrupt` (cover, power)
takes back what is not out yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from o2o_devices.errors import ProfileError

_INFINITY = float("inf")
FaultCode = Literal["paper_end", "cover_open", "offline", "power_off"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Figures of a printer model. Lengths in mm or dots (vertical and horizontal pitch alike), times in seconds.

    Default: a generic 80 mm kitchen printer, 203 dpi (8 dots/mm, 576 dots, 48 columns of 12 dots), 200 mm/s, the lower
    end of what 80 mm clones claim; line spacing 30 dots (3.75 mm), as ESC 2 sets it.
    """

    name: str = "generic-80"
    width_mm: float = 80.0
    dots: int = 576
    mm_s: float = 200.0
    dots_per_mm: float = 8.0
    line_dots: int = 30
    char_dots: int = 24
    column_dots: int = 12
    cut_feed_mm: float = 12.0
    """From the print head to the cutter: fed before a cut by GS V 65/66 and by `length_mm`."""
    cut_s: float = 0.3
    roll_mm: float = 50_000.0
    near_end_mm: float = 1_500.0
    buffer_bytes: int = 4096
    reserve_bytes: int = 128
    """Received beyond a full buffer before the sender is stalled: real-time commands among them are answered."""
    overrun: Literal["stall", "drop"] = "stall"
    """What a full buffer does: good printers stall the connection, cheap ones drop bytes (lukevp/ESC-POS-.NET#227)."""
    on_paper_end: Literal["discard", "resume", "garbage"] = "discard"
    """What becomes of the rest of a ticket when the paper ends: cheap printers lose it, good ones print it later.
    "garbage" loses it too, and if it was in mid-image, reads all that follows as text until its power is cycled."""
    heat_mm: float = _INFINITY
    """Paper printed without rest until the head is too hot; it then rests for `cool_s`. At rest it cools evenly, from
    too hot to cold in `cool_s`. Infinity: never too hot."""
    cool_s: float = 20.0

    def __post_init__(self) -> None:
        lengths = ("width_mm", "dots", "mm_s", "dots_per_mm", "line_dots", "char_dots", "column_dots", "roll_mm")
        for field in (*lengths, "heat_mm", "cool_s"):
            if not getattr(self, field) > 0:
                raise ProfileError(f"printer profile {self.name!r}: {field} must be above 0")
        for field in ("cut_feed_mm", "cut_s", "near_end_mm", "reserve_bytes"):
            if not getattr(self, field) >= 0:
                raise ProfileError(f"printer profile {self.name!r}: {field} must not be negative")
        if self.buffer_bytes < 16:
            raise ProfileError(f"printer profile {self.name!r}: buffer_bytes must be at least 16")

    @property
    def columns(self) -> int:
        """Half-width characters of the normal font on a line (48 on 80 mm, 32 on 58 mm)."""
        return self.dots // self.column_dots

    @property
    def line_mm(self) -> float:
        return self.line_dots / self.dots_per_mm

    @property
    def big_line_mm(self) -> float:
        """A line of double-height characters: the paper advances by the taller of spacing and character."""
        return max(self.line_dots, 2 * self.char_dots) / self.dots_per_mm


GENERIC_80 = Profile()
GENERIC_58 = Profile(name="generic-58", width_mm=58.0, dots=384, mm_s=90.0, cut_feed_mm=8.0, roll_mm=30_000.0)
PROFILES = {"80mm": GENERIC_80, "58mm": GENERIC_58}
"""By width of the paper. GENERIC_58: 384 dots, 32 columns, 90 mm/s, the upper end of 58 mm clones."""


def profile_for(width: str, *, mm_s: float | None = None, roll_mm: float | None = None) -> Profile:
    """The profile of a width ("80mm", "58mm") with a scenario's speed and roll. ProfileError for another width."""
    if width not in PROFILES:
        raise ProfileError(f"no printer profile for {width!r} (one of {', '.join(sorted(PROFILES))})")
    base = PROFILES[width]
    return replace(
        base,
        mm_s=base.mm_s if mm_s is None else mm_s,
        roll_mm=base.roll_mm if roll_mm is None else roll_mm,
    )


@dataclass(frozen=True, slots=True)
class Printed:
    """The job will be on paper (and cut) at `done_at`."""

    done_at: float


@dataclass(frozen=True, slots=True)
class Fault:
    """The job stops (or has stopped) at `at`; `printed_mm` of it are out, the rest is not booked any more."""

    code: FaultCode
    at: float
    printed_mm: float = 0.0


class Mechanism:
    """One printer's paper path. Times are seconds on the caller's clock and must not go back."""

    __slots__ = (
        "_heat",
        "_heat_at",
        "_jobs",
        "_rests",
        "busy_until",
        "cover_open",
        "online",
        "paper_mm",
        "powered",
        "profile",
        "total_mm",
    )

    def __init__(self, profile: Profile = GENERIC_80, *, paper_mm: float | None = None) -> None:
        self.profile = profile
        self.paper_mm = profile.roll_mm if paper_mm is None else paper_mm
        """Paper left once everything booked is out."""
        self.total_mm = 0.0
        """Paper fed since the beginning, once everything booked is out."""
        self.busy_until = float("-inf")
        self.cover_open = False
        self.online = True
        self.powered = True
        self._jobs: list[tuple[float, float, float]] = []  # (start of feed, mm, heat before), in order, not yet out
        self._heat = 0.0  # in mm printed, at _heat_at, once everything booked is out
        self._heat_at = 0.0
        self._rests: tuple[tuple[float, float], ...] = ()  # (from, until) in which the head is too hot

    def length_mm(self, lines: int, big_lines: int = 0, extra_mm: float = 0.0) -> float:
        """Paper of a ticket: normal and double-height lines, `extra_mm` (QR code, images), feed to the cutter.

        On the default profile 20 lines and 2 big ones: 20 * 3.75 + 2 * 6.0 + 12.0 = 99.0 mm.
        """
        profile = self.profile
        return lines * profile.line_mm + big_lines * profile.big_line_mm + extra_mm + profile.cut_feed_mm

    def start(self, length_mm: float, now: float, *, cut: bool = True) -> Printed | Fault:
        """Book `length_mm` behind what is booked: 99 mm at 200 mm/s on a free printer and a cut of 0.3 s take 0.795 s.

        `cut=False` for a part of a ticket that is cut later. At a paper end the printed part is booked, the rest not.
        """
        code = self.fault()
        if code is not None:
            return Fault(code, now)
        begin = now if now > self.busy_until else self.busy_until
        if length_mm > 0.0 and length_mm > self.paper_mm:
            printed = self.paper_mm
            at = self._book(begin, printed, now)
            self.busy_until = at
            return Fault("paper_end", at, printed)
        self.busy_until = self._book(begin, length_mm, now) + (self.profile.cut_s if cut else 0.0)
        return Printed(self.busy_until)

    def _book(self, begin: float, mm: float, now: float) -> float:
        """Book `mm` from `begin` on; when they will be out."""
        jobs, speed = self._jobs, self.profile.mm_s
        while jobs and jobs[0][0] + jobs[0][1] / speed <= now:
            del jobs[0]  # out already
        self.paper_mm -= mm
        self.total_mm += mm
        if mm <= 0.0:
            return begin
        if self.profile.heat_mm == _INFINITY:
            jobs.append((begin, mm, 0.0))
            return begin + mm / speed
        return self._book_with_rests(begin, mm, now)

    def _book_with_rests(self, begin: float, mm: float, now: float) -> float:
        """The same for a head that gets hot: what is printed, and the rests that it needs in between."""
        profile = self.profile
        rests = [rest for rest in self._rests if rest[1] > now]
        begin = max([begin, *(until for _, until in rests)])
        heat = self._cooled(self._heat, begin - self._heat_at)
        while mm > 0.0:
            part = min(mm, profile.heat_mm - heat)
            self._jobs.append((begin, part, heat))
            begin, heat, mm = begin + part / profile.mm_s, heat + part, mm - part
            if heat >= profile.heat_mm:
                rests.append((begin, begin + profile.cool_s))
                if mm > 0.0:
                    begin += profile.cool_s
                    heat = 0.0
        self._heat, self._heat_at = heat, begin
        self._rests = tuple(rests)
        return begin

    def _cooled(self, heat: float, seconds: float) -> float:
        return max(heat - max(seconds, 0.0) * self.profile.heat_mm / self.profile.cool_s, 0.0)

    def overheated(self, now: float) -> bool:
        """The head is too hot and rests; it goes on by itself."""
        return any(start <= now < until for start, until in self._rests)

    def heat_change(self, now: float) -> float | None:
        """When `overheated` changes next, as far as is booked."""
        return min((at for rest in self._rests for at in rest if at > now), default=None)

    def fault(self) -> FaultCode | None:
        """What would stop a job booked now: power, switch, cover. (A paper end shows when paper is needed.)"""
        if not self.powered:
            return "power_off"
        if not self.online:
            return "offline"
        if self.cover_open:
            return "cover_open"
        return None

    def settle(self, now: float) -> None:
        """Forget what is out and done with."""
        if self._jobs and now >= self.busy_until:
            jobs, speed = self._jobs, self.profile.mm_s
            while jobs and jobs[0][0] + jobs[0][1] / speed <= now:
                del jobs[0]

    def pending_mm(self, now: float) -> float:
        """Booked paper that is not out at `now`."""
        speed = self.profile.mm_s
        return sum(mm - min(max((now - begin) * speed, 0.0), mm) for begin, mm, _ in self._jobs)

    def odometer_mm(self, now: float) -> float:
        """Paper out at `now`, since the beginning."""
        return self.total_mm - self.pending_mm(now)

    def reach_at(self, odometer_mm: float) -> float | None:
        """When that much paper will be (or was last) out; None: not booked. Paper out long ago: minus infinity."""
        out = self.total_mm
        for begin, mm, _ in reversed(self._jobs):
            if odometer_mm > out:
                return None
            if odometer_mm > out - mm:
                return begin + (odometer_mm - (out - mm)) / self.profile.mm_s
            out -= mm
        return float("-inf") if odometer_mm <= out else None

    def paper_left_mm(self, now: float) -> float:
        return self.paper_mm + self.pending_mm(now)

    def paper_end(self, now: float) -> bool:
        """The paper-end sensor at `now`: true until a new roll is in."""
        return self.paper_left_mm(now) <= 0.0

    def near_end(self, now: float) -> bool:
        return self.paper_left_mm(now) <= self.profile.near_end_mm

    def interrupt(self, code: FaultCode, now: float) -> Fault | None:
        """Stop at once and give back booked paper that is not out. None when nothing was under way."""
        pending = self.pending_mm(now)
        if pending <= 0.0 and now >= self.busy_until:
            return None
        running = 0.0
        for begin, mm, heat in self._jobs:
            if begin <= now:
                running = min((now - begin) * self.profile.mm_s, mm)
                self._heat, self._heat_at = heat + running, begin + running / self.profile.mm_s
            elif running == 0.0:  # the first is still to come: as warm as it would have been met
                self._heat, self._heat_at = heat, now
                break
        self._rests = tuple(rest for rest in self._rests if rest[0] <= now < rest[1])
        self.paper_mm += pending
        self.total_mm -= pending
        self.busy_until = now
        self._jobs.clear()
        return Fault(code, now, running)

    def refill(self, mm: float | None = None) -> None:
        """A new roll (of `mm`, else the profile's)."""
        self.paper_mm = self.profile.roll_mm if mm is None else mm

    def remove_paper(self, now: float) -> Fault | None:
        """The paper is gone at once (torn out, or the roll's end came early)."""
        fault = self.interrupt("paper_end", now)
        self.paper_mm = 0.0
        return fault

    def open_cover(self, now: float) -> Fault | None:
        self.cover_open = True
        return self.interrupt("cover_open", now)

    def close_cover(self) -> None:
        self.cover_open = False

    def set_online(self, online: bool) -> None:
        """The printer's own switch, or its network link. What is booked still comes out."""
        self.online = online

    def power_off(self, now: float) -> Fault | None:
        self.powered = False
        return self.interrupt("power_off", now)

    def power_on(self) -> None:
        self.powered = True
