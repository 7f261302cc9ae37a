"""Print retry and escalation (A14): nothing that may be on paper is sent again by itself."""

from __future__ import annotations

import pytest

from o2o_domain.tickets import (
    Escalate,
    Escalation,
    GiveUp,
    PrintOutcome,
    PrintPolicy,
    Retry,
    TicketEvent,
    TicketState,
    Unconfirmed,
    after_failure,
    at_deadline,
    escalate,
    escalation_due,
    step,
)

POLICY = PrintPolicy(max_attempts=5, backoff_s=2.0, ack_timeout_s=20.0, deadline_s=180.0)
SAFE = [outcome for outcome in PrintOutcome if outcome is not PrintOutcome.SILENT]


@pytest.mark.parametrize("attempts", [1, 4, 5, 99])
def test_silence_is_never_retried(attempts: int) -> None:
    """A14: sent and not answered may be on paper."""
    after = after_failure(POLICY, attempts=attempts, outcome=PrintOutcome.SILENT, queued_at=0.0, now=1e9)
    assert after == Unconfirmed(Escalation.APP)


@pytest.mark.parametrize("outcome", SAFE)
def test_the_pause_doubles_while_nothing_was_sent(outcome: PrintOutcome) -> None:
    pauses = []
    for attempts in (1, 2, 3, 4):
        after = after_failure(POLICY, attempts=attempts, outcome=outcome, queued_at=0.0, now=10.0)
        assert isinstance(after, Retry)
        pauses.append(after.at - 10.0)
    assert pauses == [2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize("outcome", SAFE)
def test_the_last_attempt_gives_up_with_the_outcome_as_code(outcome: PrintOutcome) -> None:
    after = after_failure(POLICY, attempts=5, outcome=outcome, queued_at=0.0, now=10.0)
    assert after == GiveUp(str(outcome), Escalation.APP, "attempts")


@pytest.mark.parametrize(("now", "gives_up"), [(178.0, False), (178.001, True)])
def test_no_attempt_starts_after_the_deadline(now: float, gives_up: bool) -> None:
    after = after_failure(POLICY, attempts=1, outcome=PrintOutcome.REFUSED, queued_at=0.0, now=now)
    assert after == (GiveUp("refused", Escalation.APP, "deadline") if gives_up else Retry(180.0))


def test_the_pause_is_bounded() -> None:
    patient = PrintPolicy(max_attempts=10**6, backoff_s=2.0, deadline_s=1e9)
    after = after_failure(patient, attempts=5000, outcome=PrintOutcome.PAPER_END, queued_at=0.0, now=0.0)
    assert after == Retry(60.0)


def test_unconfirmed_takes_a_late_result_and_is_not_sent_again() -> None:
    """A14: printed exactly once under a lost acknowledgement."""
    assert step(TicketState.UNCONFIRMED, TicketEvent.LATE_RESULT) == TicketState.PRINTED
    for event in (TicketEvent.REQUEUE, TicketEvent.OFFER, TicketEvent.CLAIM):
        assert step(TicketState.UNCONFIRMED, event) not in set(TicketState)


def test_the_ladder_goes_app_sms_phone_and_ends() -> None:
    assert [escalate(None), escalate(Escalation.APP), escalate(Escalation.SMS), escalate(Escalation.PHONE)] == [
        Escalation.APP,
        Escalation.SMS,
        Escalation.PHONE,
        None,
    ]


@pytest.mark.parametrize(
    ("level", "now", "due"),
    [
        (None, 1179.9, None),
        (None, 1180.0, Escalation.APP),
        (None, 9999.0, Escalation.APP),  # one step a call
        (Escalation.APP, 1359.9, None),
        (Escalation.APP, 1360.0, Escalation.SMS),
        (Escalation.SMS, 1539.9, None),
        (Escalation.SMS, 1540.0, Escalation.PHONE),
        (Escalation.PHONE, 9999.0, None),
    ],
)
def test_each_step_is_due_one_deadline_after_the_last(
    level: Escalation | None, now: float, due: Escalation | None
) -> None:
    assert escalation_due(POLICY, queued_at=1000.0, level=level, now=now) == due


@pytest.mark.parametrize(
    ("state", "level", "now", "due"),
    [
        ("queued", None, 1179.9, None),
        ("queued", None, 1180.0, GiveUp("deadline", Escalation.APP, "deadline")),
        ("offered", None, 1180.0, GiveUp("deadline", Escalation.APP, "deadline")),
        ("claimed", None, 1180.0, Escalate(Escalation.APP)),
        ("unconfirmed", Escalation.APP, 1359.9, None),
        ("unconfirmed", Escalation.APP, 1360.0, Escalate(Escalation.SMS)),
        ("failed", Escalation.SMS, 1540.0, Escalate(Escalation.PHONE)),
        ("failed", Escalation.PHONE, 9999.0, None),
        ("printed", None, 9999.0, None),
    ],
)
def test_at_its_deadline_the_unsent_fails_and_the_sent_escalates(
    state: str, level: Escalation | None, now: float, due: GiveUp | Escalate | None
) -> None:
    """A14."""
    assert at_deadline(POLICY, state=TicketState(state), queued_at=1000.0, level=level, now=now) == due
