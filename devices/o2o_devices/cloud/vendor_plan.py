"""How a vendor's cloud misbehaves by itself: seeded shares of jobs (A14).

Decides what becomes of each job's answer and callback: one draw from the seed and the job's number, so that the same
jobs meet the same fates, also after the cloud was killed. A job has one fate. What its printer meets is the printer's
own plan (`chances`).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any

from msgspec import Meta, Struct

from o2o_devices.errors import ControlError

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
FATES = ("lost", "doubled", "late", "unanswered")
AS_ASKED = "as_asked"


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of jobs:

    lost: the callback never comes; doubled: it comes twice; late: up to 2 x `late_s` later; unanswered: the job is
    taken and printed, and the answer to the request comes `hang_s` later, when nobody waits for it any more.
    """

    seed: int = 0
    lost: Share = 0.0
    doubled: Share = 0.0
    late: Share = 0.0
    late_s: Seconds = 20.0
    unanswered: Share = 0.0
    hang_s: Seconds = 10.0
    lag_s: tuple[Seconds, Seconds] = (30.0, 300.0)
    """An outage of a printer is known to the cloud so long after it began: from, to (Yilianyun: 30 s to 5 min)."""
    push_pause_s: Seconds = 3.0
    """Between pushes of a result that nobody answered well (assumed: no vendor states it for these)."""

    def __post_init__(self) -> None:
        if sum(float(getattr(self, fate)) for fate in FATES) > 1.0 + 1e-9:
            raise ValueError("the shares are more than all")
        if self.lag_s[0] > self.lag_s[1]:
            raise ValueError("lag_s must be from, to")

    def fate(self, number: int) -> str:
        """What the job of this number meets."""
        chance = _chance(b"%d:%d" % (self.seed, number))
        for fate in FATES:
            share = float(getattr(self, fate))
            if chance < share:
                return fate
            chance -= share
        return AS_ASKED

    def late_by(self, number: int) -> float:
        """Seconds until a late callback comes."""
        return 2.0 * self.late_s * _chance(b"late %d:%d" % (self.seed, number))

    def lag_of(self, serial: str, outage: int) -> float:
        """Seconds until the cloud knows of a printer's n-th outage."""
        low, high = self.lag_s
        return low + (high - low) * _chance(f"lag {self.seed}:{serial}:{outage}".encode())


def parse_plan(text: str, seed: int) -> Plan:
    """A plan from "lost=0.1,doubled=0.05,hang_s=8" (lag_s: from and to are the same). Raises ControlError."""
    given: dict[str, Any] = {}
    known = [name for name in Plan.__struct_fields__ if name != "seed"]
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = part.partition("=")
        if name not in known:
            raise ControlError(f"no such fault of a cloud: {name!r} (one of {', '.join(known)})")
        try:
            given[name] = float(value)
        except ValueError:
            raise ControlError(f"{part!r}: {name}=NUMBER is needed") from None
        if not 0.0 <= given[name] <= (86_400.0 if name.endswith("_s") else 1.0):
            raise ControlError(f"{part!r}: out of range")
    if "lag_s" in given:
        given["lag_s"] = (given["lag_s"], given["lag_s"])
    try:
        return Plan(seed=seed, **given)
    except ValueError as error:
        raise ControlError(str(error)) from None


def _chance(what: bytes) -> float:
    return int.from_bytes(blake2b(what, digest_size=8).digest()) / 2**64
