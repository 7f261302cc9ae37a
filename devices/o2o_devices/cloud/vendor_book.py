"""What a vendor's cloud knows of the jobs it has taken, in memory and on file (A14).

Decides what a job is, and what outlives a cloud that is killed: a job is on file before anybody is told that it was
taken, and every step after it. A job that was being printed when the cloud was killed may be on paper; it is `unknown`
from then on, and never printed again. A half-written last line counts as not written: nobody was answered.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

Brand = Literal["feie", "yilianyun"]
State = Literal["waiting", "printing", "printed", "expired", "cancelled", "unknown"]
OPEN: tuple[State, ...] = ("waiting", "printing")
PUSHES = 3
"""A result is pushed so often at most (Yilianyun: "at most 3 pushes")."""
WINDOW_S = 7200.0
"""An `origin_id` stands for its first job so long (Yilianyun: 2 h)."""


class Job(msgspec.Struct, omit_defaults=True):
    """One job; times are unix seconds."""

    id: str
    brand: Brand
    serial: str
    taken: float
    content: str = ""
    """The markup; forgotten when the job is over."""
    expires: float | None = None
    origin_id: str = ""
    backurl: str = ""
    state: State = "waiting"
    ended: float | None = None
    starts: int = 0
    """Times that the printer was given it: more than once after a paper end, which vendors try again by themselves."""
    pushes: int = 0
    """Of the result, made so far."""
    told: bool = False
    """A push was answered well, or there is nothing to tell."""
    fate: str = "as_asked"
    number: int = 0


class Book:
    """Jobs by id, and on file if there is a path. Closed when the cloud ends."""

    def __init__(self, path: Path | None = None) -> None:
        self.jobs: dict[str, Job] = {}
        self.fates: Counter[str] = Counter()
        self._origins: dict[tuple[str, str], Job] = {}
        self._encode = msgspec.json.Encoder().encode
        self._file: int | None = None
        if path is None:
            return
        for job in read_jobs(path):
            self._hold(job)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        end = os.lseek(self._file, 0, os.SEEK_END)
        if end and os.pread(self._file, 1, end - 1) != b"\n":
            os.write(self._file, b"\n")
        for job in self.jobs.values():
            if job.state == "printing":
                self.end(job, "unknown", job.taken)

    def _hold(self, job: Job) -> None:
        self.jobs[job.id] = job
        if job.origin_id:
            self._origins[job.serial, job.origin_id] = job

    def take(self, job: Job) -> None:
        """A new job."""
        self._hold(job)
        self.fates[job.fate] += 1
        self.note(job)

    def before(self, serial: str, origin_id: str, now: float) -> Job | None:
        """The job that this id stands for still."""
        job = self._origins.get((serial, origin_id))
        return job if job is not None and now - job.taken < WINDOW_S else None

    def end(self, job: Job, state: State, now: float) -> None:
        """The job is over."""
        job.state, job.ended, job.content = state, now, ""
        job.told = job.told or state != "printed"
        self.note(job)

    def note(self, job: Job) -> None:
        """Write a job down as it stands: one write(), which a killed process has done or not done."""
        if self._file is not None:
            os.write(self._file, self._encode(job) + b"\n")

    def close(self) -> None:
        """Nothing more is written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_jobs(path: Path) -> Iterator[Job]:
    """Every job on file as it stood last, in the order in which they were taken; nothing if there is no file."""
    if not path.exists():
        return
    decode = msgspec.json.Decoder(Job).decode
    last: dict[str, Job] = {}
    with path.open("rb") as file:
        for line in file:
            try:
                job = decode(line)
            except msgspec.DecodeError:
                continue
            last[job.id] = job
    yield from last.values()
