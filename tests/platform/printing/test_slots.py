"""Who has which share of the printers (A14)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from o2o_platform.printing.slots import SLOTS, queue_of, share, slot_of


@given(
    st.lists(st.one_of(st.none(), st.integers(1, 6)), min_size=SLOTS, max_size=SLOTS),
    st.frozensets(st.integers(1, 6), min_size=1),
)
def test_every_slot_comes_to_somebody_alive_and_nobody_has_more_than_his_share(
    owned: list[int | None], live: frozenset[int]
) -> None:
    owners = dict(enumerate(owned))
    for _ in range(2):  # what is given up in the first round is taken in the second
        for me in sorted(live):
            shift = share(owners, live, me)
            assert not (shift.take and shift.release)
            for slot in shift.take:
                assert owners[slot] not in live  # nothing is taken from the living
                owners[slot] = me
            for slot in shift.release:
                assert owners[slot] == me
                owners[slot] = None
    most = -(-SLOTS // len(live))
    counts = [list(owners.values()).count(one) for one in live]
    assert sum(counts) == SLOTS
    assert max(counts) <= most
    assert all(not share(owners, live, me).take and not share(owners, live, me).release for me in live)


def test_a_ticket_goes_into_the_queue_of_its_merchants_slot() -> None:
    assert slot_of(SLOTS + 3) == 3
    assert queue_of('{"ticket_id":1,"order_id":2,"merchant_id":35,"copy_no":1}') == f"tickets:{35 % SLOTS}"
