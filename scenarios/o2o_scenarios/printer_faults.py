"""What goes wrong at printers, as a part of a scenario: a share of tickets for each kind of fault (A14).

Decides names and ranges. The kinds are those of the virtual printers (o2o_devices.faults.KINDS, where each names the
report from the field that it reproduces); what a kind does is theirs live, and the modelled printers' in the model.
"""

from __future__ import annotations

from o2o_scenarios.quantities import Fraction, NonNegativeInt, PositiveFloat, Spec


class PrinterFaultsSpec(Spec):
    """Chance, per ticket, that its printer meets the fault; a ticket meets one at most, the first listed of several."""

    paper_end: Fraction = 0.0
    """The roll is at its end when the ticket's turn comes, or (see torn_share) while it is being printed."""
    offline: Fraction = 0.0
    """The link is down when the ticket's turn comes."""
    lost_ack: Fraction = 0.0
    """The answer is lost after the paper is out."""
    cover_open: Fraction = 0.0
    """The cover is opened in mid-ticket; the rest is printed when it is shut."""
    power_before: Fraction = 0.0
    """The power goes when the ticket is there and nothing of it is out."""
    power_off: Fraction = 0.0
    """The power goes in mid-ticket."""
    power_after: Fraction = 0.0
    """The power goes when the paper is out and before that is told."""
    wrong_codepage: Fraction = 0.0
    """Chinese comes out as characters of another code page; the printer answers that all is well."""
    no_print: Fraction = 0.0
    """The paper stays blank; the printer answers that all is well."""
    overrun: Fraction = 0.0
    """A full buffer drops bytes: a part of the lines is lost; the printer answers that all is well."""
    duplicate: Fraction = 0.0
    """The ticket is printed twice, with nothing on the second that says so."""
    backlog: Fraction = 0.0
    """The printer stops in mid-ticket, takes on jobs, and prints them when it is back."""
    slow: Fraction = 0.0
    """The link carries 200 bytes/s until it is repaired."""
    flapping: Fraction = 0.0
    """The link goes down and up three times."""
    half_open: Fraction = 0.0
    """Connected but silent; then the connection is reset."""
    torn_share: Fraction = 0.0
    """Share of the paper ends that come in mid-ticket: the ticket that is sent is torn, and nothing answers for it."""
    repair_mean_s: PositiveFloat = 120.0
    """City seconds until somebody has repaired it, log-normal."""
    at_least: NonNegativeInt = 0
    """The audit finds fault with a run in which a kind with a share was met less often."""

    def shares(self) -> dict[str, float]:
        """Share of tickets by kind, in the order in which they are listed."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in _NO_KINDS}


_NO_KINDS = ("torn_share", "repair_mean_s", "at_least")
