"""What a fleet is: how many printers of which models, behind which transports, with which faults, in which processes.

Decides how printers are shared among processes (consecutive numbers, so that a mixed fleet is as mixed in each) and how
many processes a fleet has by default: one a core, one for a small fleet, and as many as open files demand.
"""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from math import ceil

import msgspec

from o2o_cli.errors import UsageError
from o2o_devices.fleet import FILES_APART
from o2o_devices.mechanism import PROFILES, Profile
from o2o_devices.models import MIXED, MODELS, model_of

SMALL = 500
"""Printers that one process serves without a second one being started by default."""
MIX = "mixed"
_BY_NAME = {profile.name: profile for profile in PROFILES.values()}


class FleetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Printers `first` .. `first + count - 1`; `ports` of those behind TCP 9100, in that order."""

    count: int
    first: int = 0
    ports: list[int] = []
    host: str = "127.0.0.1"
    profile: str = "80mm"
    mm_s: float | None = None
    faults: str | None = None
    seed: int = 0
    repair_s: float = 20.0
    journal: str = "paper.jsonl"
    keep: int = 0
    """Last receipts of each printer that can be looked at."""
    transport: str = "tcp9100"
    server: str | None = None
    mqtt: str | None = None
    poll_s: float = 5.0

    def part(self, number: int, parts: int) -> FleetSpec:
        """The printers of one of so many processes."""
        begin, end = (self.count * at // parts for at in (number, number + 1))
        ports = self.ports[begin:end]
        return msgspec.structs.replace(self, first=self.first + begin, count=end - begin, ports=ports)

    @property
    def numbers(self) -> range:
        """The printers' numbers."""
        return range(self.first, self.first + self.count)

    def profile_of(self, number: int) -> Profile:
        """The model of a printer. Raises UsageError for a profile that is none."""
        return _faster(model_of(number) if self.profile == MIX else named_profile(self.profile), self.mm_s)


def named_profile(name: str) -> Profile:
    """A model by its name, or the generic printer of a width of paper. Raises UsageError."""
    found = MODELS.get(name) or PROFILES.get(name) or _BY_NAME.get(name)
    if found is None:
        known = ", ".join((*sorted(PROFILES), *MODELS))
        raise UsageError(f"--profile {name}: one of {known}, or {MIX}, is wanted")
    return found


def profile_of(width: str, mm_s: float | None) -> Profile:
    """A printer by its paper's width; with another speed, if one is named, at which it also cuts. Raises UsageError."""
    if width not in PROFILES:
        raise UsageError(f"--width {width}: one of {', '.join(sorted(PROFILES))} is wanted")
    return _faster(PROFILES[width], mm_s)


def _faster(base: Profile, mm_s: float | None) -> Profile:
    return base if mm_s is None else replace(base, mm_s=mm_s, cut_s=base.cut_s * base.mm_s / mm_s)


def told_mix(count: int) -> str:
    """A mixed fleet's models and how many there are of each."""
    names = [model_of(number).name for number in range(count)]
    return ", ".join(f"{names.count(name):,} {name}" for name in dict.fromkeys(profile.name for profile in MIXED))


def processes_for(count: int, wanted: int | None = None) -> int:
    """Processes of a fleet: as many as wanted, else one a core, one for `SMALL` printers or fewer.

    More when each may open too few files: a printer needs two. Raises UsageError for more processes than printers.
    """
    if wanted is not None and wanted > count:
        raise UsageError(f"--processes {wanted}: more than there are printers ({count})")
    chosen = wanted or (1 if count <= SMALL else min(_cores(), count))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return chosen
    needed = ceil(2 * count / max(hard - FILES_APART, 2))
    if wanted is not None and needed > wanted:
        raise UsageError(
            f"--processes {wanted}: {count:,} printers need {needed} here, as a process may open {hard:,} files"
        )
    return max(chosen, needed)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
