"""Star's status codes and what follows from them (A14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.cloudprnt import (
    AfterConfirmation,
    AfterPoll,
    Health,
    Status,
    after_confirmation,
    after_poll,
    job_gone,
    offline_after_s,
    status,
)
from o2o_domain.refusal import Refused
from o2o_domain.tickets import TicketEvent, TicketState, step

S, A = TicketState, AfterConfirmation


@pytest.mark.parametrize(
    ("text", "code", "health"),
    [
        ("200 OK", "200", Health.ONLINE),
        ("200%20OK", "200", Health.ONLINE),
        ("OK", "200", Health.ONLINE),
        (" ok ", "200", Health.ONLINE),
        ("200", "200", Health.ONLINE),
        ("210 Paper Low", "210", Health.ONLINE),
        ("2110", "2110", Health.ONLINE),
        ("410%20Out%20of%20paper", "410", Health.PRINTER_TROUBLE),
        ("420", "420", Health.PRINTER_TROUBLE),
        ("511 decode", "511", Health.CLIENT_TROUBLE),
        ("300 what", "300", Health.UNKNOWN),
        ("20", "", Health.UNKNOWN),
        ("20000", "", Health.UNKNOWN),
        ("٢٠٠", "", Health.UNKNOWN),
        ("", "", Health.UNKNOWN),
        (None, "", Health.UNKNOWN),
        ("OK200", "", Health.UNKNOWN),
    ],
)
def test_codes_are_read_by_their_first_digit(text: str | None, code: str, health: Health) -> None:
    assert status(text) == Status(code, health)


def test_reasons_are_words_where_there_is_one() -> None:
    texts = ("410", "420 Cover", "520", "499", "", "2110")
    expected = ["paper_end", "cover_open", "download_timeout", "star_499", "star_unknown", "star_2110"]
    assert [status(text).reason for text in texts] == expected


@pytest.mark.parametrize(
    ("text", "job_out", "follows"),
    [
        ("200", False, AfterPoll.OFFER),
        ("211", False, AfterPoll.OFFER),
        ("200", True, AfterPoll.WAIT),
        ("410", False, AfterPoll.WAIT),
        ("410", True, AfterPoll.UNCONFIRM),
        ("511", True, AfterPoll.UNCONFIRM),
        ("", True, AfterPoll.WAIT),
        ("", False, AfterPoll.WAIT),
    ],
)
def test_what_follows_a_poll(text: str, job_out: bool, follows: AfterPoll) -> None:
    assert after_poll(status(text), job_out=job_out) == follows


def test_a_printer_that_is_well_and_has_lost_its_job() -> None:
    well = status("200")
    assert after_poll(well, job_out=True, job_gone=True) is AfterPoll.UNCONFIRM
    assert after_poll(well, job_out=False, job_gone=True) is AfterPoll.OFFER
    assert after_poll(status(""), job_out=True, job_gone=True) is AfterPoll.WAIT
    assert job_gone(printing=False, token=None, age_s=15.1, interval_s=5.0)
    assert not job_gone(printing=False, token=None, age_s=15.0, interval_s=5.0)  # it may be about to begin
    assert not job_gone(printing=True, token=None, age_s=100.0, interval_s=5.0)
    assert not job_gone(printing=None, token=None, age_s=100.0, interval_s=5.0)  # firmware that does not say
    assert not job_gone(printing=False, token="o2o-1-1", age_s=100.0, interval_s=5.0)


CONFIRMATIONS: list[tuple[TicketState, list[AfterConfirmation]]] = [
    # state, 2xx, 4xx, 5xx, 520, nothing
    (S.QUEUED, [A.NOTHING, A.NOTHING, A.NOTHING, A.NOTHING, A.NOTHING]),
    (S.OFFERED, [A.NOTHING, A.QUEUE_AGAIN, A.FAILED, A.QUEUE_AGAIN, A.NOTHING]),
    (S.CLAIMED, [A.PRINTED, A.FAILED, A.FAILED, A.QUEUE_AGAIN, A.NOTHING]),
    (S.UNCONFIRMED, [A.PRINTED, A.FAILED, A.FAILED, A.NOTHING, A.NOTHING]),
    (S.PRINTED, [A.NOTHING, A.NOTHING, A.NOTHING, A.NOTHING, A.NOTHING]),
    (S.FAILED, [A.NOTHING, A.NOTHING, A.NOTHING, A.NOTHING, A.NOTHING]),
]


def test_the_table_of_confirmations_has_every_state() -> None:
    assert {row[0] for row in CONFIRMATIONS} == set(TicketState)


@pytest.mark.parametrize("row", CONFIRMATIONS, ids=lambda row: row[0].value)
def test_what_follows_a_confirmation(row: tuple[TicketState, list[AfterConfirmation]]) -> None:
    state, follows = row
    codes = ("200 OK", "410", "511", "520", "")
    assert [after_confirmation(status(code), state) for code in codes] == follows
    last = [after_confirmation(status(code), state, last_attempt=True) for code in codes]
    assert last == [A.FAILED if what is A.QUEUE_AGAIN else what for what in follows]


EVENTS = {
    (A.PRINTED, S.CLAIMED): TicketEvent.PRINT,
    (A.PRINTED, S.UNCONFIRMED): TicketEvent.LATE_RESULT,
    (A.FAILED, S.OFFERED): TicketEvent.FAIL,
    (A.FAILED, S.CLAIMED): TicketEvent.FAIL,
    (A.FAILED, S.UNCONFIRMED): TicketEvent.FAIL,
    (A.QUEUE_AGAIN, S.OFFERED): TicketEvent.REQUEUE,
    (A.QUEUE_AGAIN, S.CLAIMED): TicketEvent.REQUEUE,
}


@given(
    st.text(max_size=12) | st.from_regex(r"\d{3,4}( \w*)?", fullmatch=True), st.sampled_from(TicketState), st.booleans()
)
def test_whatever_is_said_is_a_legal_step_and_paper_is_never_sent_twice(
    text: str, state: TicketState, last: bool
) -> None:
    told = status(text)
    follows = after_confirmation(told, state, last_attempt=last)
    if follows is A.NOTHING:
        return
    assert not isinstance(step(state, EVENTS[follows, state]), Refused)
    if follows is A.QUEUE_AGAIN:  # never after paper may have come out
        assert state is S.OFFERED or (state is S.CLAIMED and told.code == "520")
    assert (follows is A.PRINTED) == (told.health is Health.ONLINE)


def test_offline_is_two_intervals_and_five_seconds() -> None:
    assert offline_after_s(5.0) == 15.0
    assert offline_after_s(120.0) == 245.0
    assert offline_after_s(5.0, job_out=True) == 60.0  # it may be silent while it prints
    assert offline_after_s(120.0, job_out=True) == 245.0
