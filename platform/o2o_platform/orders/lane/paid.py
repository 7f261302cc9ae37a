"""What orders that are paid from the balance bring to their batch: wallets, ledger, tickets, two more events.

Decides nothing of its own: the sums by wallet, the postings of `o2o_domain.ledger`, the steps of the domain's tables,
and the events in the order in which the unit of work tells them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from o2o_domain import ledger as postings
from o2o_platform.orders import repository
from o2o_platform.orders.lane.facts import Facts
from o2o_platform.orders.lane.want import PAID, Want
from o2o_platform.printing import repository as printing

_encode = msgspec.json.Encoder().encode
Arrays = tuple[Any, ...]
_PROVIDERS = (None, None, None)


def of_orders(wants: list[Want]) -> Arrays:
    """The columns of statements.PAID, as many rows as there are orders; null for those that the provider is to pay."""
    return tuple(zip(*map(_paid, wants), strict=True))


def _paid(want: Want) -> Arrays:
    if not want.from_balance:
        return _PROVIDERS
    return (
        want.ticket_id,
        _encode(repository.story(want, state=PAID)).decode(),
        _encode(printing.queued_story(want.ticket_id, want, 1)).decode(),
    )


def of_wallets(wants: list[Want]) -> Arrays:
    """The columns of statements.WALLETS, sorted by user; an order that costs nothing asks no wallet."""
    sums: dict[int, int] = {}
    for want in wants:
        if want.wallet_fen:
            sums[want.user.id] = sums.get(want.user.id, 0) + want.wallet_fen
    users = sorted(sums)
    return (users, [sums[user] for user in users])


def of_entries(wants: list[Want], commission_share: float) -> Arrays:
    """The columns of statements.ENTRIES, order by order: one transaction each."""
    entries = [
        (want.txn_id, want.id, want.now, posting.account, posting.amount_fen)
        for want in wants
        if want.from_balance
        for posting in postings.paid(
            want.quote,
            merchant_id=want.merchant_id,
            commission_share=commission_share,
            source=postings.USER_BALANCES,
        )
    ]
    return tuple(zip(*entries, strict=True)) if entries else ([], [], [], [], [])


def tight_wallets(wants: Iterable[Want], facts: Facts) -> set[int]:
    """Users of whose money the decided wants want more than the cache believes is there."""
    sums: dict[int, int] = {}
    tight: set[int] = set()
    for want in wants:
        fen = want.wallet_fen
        if fen:
            user = want.user.id
            sums[user] = fen = fen + sums.get(user, 0)
            money = facts.wallets.get(user)
            if money is None or fen > money.balance_fen:
                tight.add(user)
    return tight


def remember(wants: Iterable[Want], facts: Facts) -> None:
    """The batch is committed: the cached wallets have so much less."""
    for want in wants:
        money = facts.wallets.get(want.user.id) if want.wallet_fen else None
        if money is not None:
            money.balance_fen -= want.wallet_fen
