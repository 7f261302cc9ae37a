"""What a Star printer says over CloudPRNT, and what follows for its ticket (A14).

Decides the meaning of status codes and of the reports that carry them; leaves HTTP, MQTT and storage to the platform.

A code is three or four digits and perhaps a description, percent-encoded or not ("200 OK", "211%20Paper%20Low"), or
the word "OK" of older guides. Star asks servers to look at its first digit: 2 the printer is online, 4 the printer has
trouble, 5 the client could not use the job. (Protocol Guide 2.4.0, "Printer Status Codes".)

Two kinds of reports, which say different things about a job that was fetched:
- a *confirmation* (DELETE) ends the job at the printer. 2: it is on paper. Anything else: it is not, or not whole, and
  the printer has let go of it: the ticket fails, visibly, with the reason. Only code 520, "could not download the job
  in time", says that no line of it was printed, as the printer never had it (Star's sample server keeps the job then,
  too): the ticket is queued again;
- a *poll* (POST) with a code that is not 2 while a job is out says that the printer stopped somewhere in it. Star lets
  a server keep the job, and the printer fetches it again when it is well: that is how a ticket comes out one and a half
  times. Here such a ticket is unconfirmed and is not given out again; if the printer finishes it after all, its
  confirmation is believed. The same holds when the printer is well and says that it is not printing and has no job,
  long after it fetched one: its power was cut, or its confirmation is lost. Waiting for longer would hold up the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from o2o_domain.tickets import TicketState

OFFLINE_SLACK_S = 5.0
PRINT_TIMEOUT_S = 60.0
"""Star: "the time allowed for a printer to accept and print a job"; old firmware does not poll meanwhile."""


class Health(StrEnum):
    """What the first digit says."""

    ONLINE = "online"
    PRINTER_TROUBLE = "printer_trouble"
    CLIENT_TROUBLE = "client_trouble"
    UNKNOWN = "unknown"
    """No code, or none of these: nothing follows from it."""


class AfterPoll(StrEnum):
    """What follows a poll."""

    OFFER = "offer"
    """A job may be offered."""
    WAIT = "wait"
    UNCONFIRM = "unconfirm"
    """The job that is out may be on paper in part."""


class AfterConfirmation(StrEnum):
    """What follows a confirmation."""

    PRINTED = "printed"
    FAILED = "failed"
    QUEUE_AGAIN = "queue_again"
    """Nothing of it is on paper."""
    NOTHING = "nothing"
    """Repeated, too late, or about a ticket that this printer never had."""


_HEALTH = {"2": Health.ONLINE, "4": Health.PRINTER_TROUBLE, "5": Health.CLIENT_TROUBLE}
_CODE = re.compile(r"(\d{3,4})(?:\D|\Z)")
_REASONS = {
    "410": "paper_end",
    "411": "paper_jam",
    "412": "roll_position",
    "420": "cover_open",
    "510": "media_type",
    "511": "decode_error",
    "512": "media_version",
    "520": "download_timeout",
    "521": "too_large",
}
_DOWNLOAD_TIMEOUT = "520"


@dataclass(frozen=True, slots=True)
class Status:
    """A status code that was read. `code`: its digits, empty if there are none."""

    code: str
    health: Health

    @property
    def reason(self) -> str:
        """Why a ticket failed, in our words where there is one: 410 -> "paper_end", 499 -> "star_499"."""
        return _REASONS.get(self.code, f"star_{self.code}" if self.code else "star_unknown")


def status(text: str | None) -> Status:
    """Read a status code: "200 OK", "200%20OK", "OK", "2110 ..."; anything else is UNKNOWN. Never raises."""
    plain = unquote(text or "").strip()
    if plain.upper() == "OK":
        return Status("200", Health.ONLINE)
    found = _CODE.match(plain)
    if found is None or not found[1].isascii():
        return Status("", Health.UNKNOWN)
    return Status(found[1], _HEALTH.get(found[1][0], Health.UNKNOWN))


def after_poll(told: Status, *, job_out: bool, job_gone: bool = False) -> AfterPoll:
    """What follows a poll that says `told`; `job_out`: a ticket is claimed by this printer, and the poll is not
    expressly about another one; `job_gone`: see there."""
    if told.health is Health.ONLINE and not job_out:
        return AfterPoll.OFFER
    if told.health is Health.ONLINE:
        return AfterPoll.UNCONFIRM if job_gone else AfterPoll.WAIT
    if job_out and told.health is not Health.UNKNOWN:
        return AfterPoll.UNCONFIRM
    return AfterPoll.WAIT  # it would not fetch anything now


def job_gone(*, printing: bool | None, token: str | None, age_s: float, interval_s: float) -> bool:
    """Whether a poll says that the printer has nothing of the job any more which it fetched `age_s` ago.

    It must say expressly that it is not printing, name no job, and have had as long as a printer may be silent before
    it is taken for offline: what a poll says in the moments between fetching and printing is not specified.
    """
    return printing is False and token is None and age_s > offline_after_s(interval_s)


def after_confirmation(told: Status, state: TicketState, *, last_attempt: bool = False) -> AfterConfirmation:
    """What follows a confirmation with `told` for a ticket in `state`; `last_attempt`: it is not to be tried again."""
    if told.health is Health.UNKNOWN:
        return AfterConfirmation.NOTHING
    online, again = told.health is Health.ONLINE, AfterConfirmation.QUEUE_AGAIN
    if last_attempt:
        again = AfterConfirmation.FAILED
    if state is TicketState.OFFERED:  # never fetched, so nothing is on paper
        if online:
            return AfterConfirmation.NOTHING
        final = told.health is Health.CLIENT_TROUBLE and told.code != _DOWNLOAD_TIMEOUT
        return AfterConfirmation.FAILED if final else again
    if state is TicketState.CLAIMED:
        if online:
            return AfterConfirmation.PRINTED
        return again if told.code == _DOWNLOAD_TIMEOUT else AfterConfirmation.FAILED
    if state is TicketState.UNCONFIRMED:
        if told.code == _DOWNLOAD_TIMEOUT:  # of a second try: it says nothing of what the first has printed
            return AfterConfirmation.NOTHING
        return AfterConfirmation.PRINTED if online else AfterConfirmation.FAILED
    return AfterConfirmation.NOTHING


def offline_after_s(interval_s: float, *, job_out: bool = False) -> float:
    """A printer that polls every `interval_s` is taken for offline when it was not heard of for longer than this.

    2 x interval + 5 s, and 60 s at least while it has a job (Protocol Guide, "Connection Timeout").
    """
    polling = 2.0 * interval_s + OFFLINE_SLACK_S
    return max(polling, PRINT_TIMEOUT_S) if job_out else polling
