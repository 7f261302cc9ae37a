"""The arrays of a batch's statement, out of its wants, and what the batch does to the caches.

Decides the sums: pieces by dish, fen by coupon (fen by wallet: `paid`). A budget must bear the most that is committed
at any moment while the orders are taken one after the other (`need_fen`), as a claim holds the coupon's whole value
until it is redeemed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from o2o_domain.tcc import Fence
from o2o_platform.orders import repository
from o2o_platform.orders.lane.facts import Facts, Standing
from o2o_platform.orders.lane.want import PLACED, Taken, Want

_encode = msgspec.json.Encoder().encode
Arrays = tuple[Any, ...]


def of_orders(wants: list[Want]) -> Arrays:
    """The columns of statements.ORDERS."""
    return tuple(zip(*map(_order, wants), strict=True))


def _order(want: Want) -> Arrays:
    body, quote, user, basket = want.body, want.quote, want.user, want.basket
    assert basket is not None
    drop = body.drop
    payload = _encode(repository.story(want, state=PLACED)).decode()
    return (
        want.id, want.ref, want.order_no, want.fingerprint, user.id, user.ref, user.segment, body.merchant_id,
        repository.encode_lines(basket.lines), quote.items_fen, quote.discount_fen, quote.delivery_fee_fen,
        quote.total_fen, want.coupon_code, want.coupon_refused, want.risk, drop.lat, drop.lng, drop.address, drop.phone,
        body.note, want.now, want.payment_id, payload,
    )  # fmt: skip


def of_dishes(wants: list[Want]) -> Arrays:
    """The columns of statements.DISHES, sorted by dish."""
    pieces: dict[tuple[int, int, str], int] = {}
    for want in wants:
        assert want.basket is not None
        # Two prices of one dish in a batch are two rows for one dish: the guard misses, as it should.
        for line in want.basket.lines:
            key = (line.dish_id, line.unit_fen, line.name)
            pieces[key] = pieces.get(key, 0) + line.qty
    found = sorted(pieces.items())
    return (
        [key[0] for key, _ in found],
        [qty for _, qty in found],
        [key[1] for key, _ in found],
        [key[2] for key, _ in found],
    )


def of_coupons(wants: list[Want]) -> Arrays:
    """The columns of statements.COUPONS, sorted by code."""
    sums: dict[str, list[int]] = {}
    for want in wants:
        redemption = want.redemption
        assert redemption is not None
        assert want.coupon_code is not None
        need, spent, made, uses, redeemed = sums.get(want.coupon_code, (0, 0, 0, 0, 0))
        new = redemption.claim_id is None
        need = max(need, spent + redemption.hold_fen) if new else need
        spent += redemption.spent_fen if new else -redemption.freed_fen
        sums[want.coupon_code] = [need, spent, made + new, uses + 1, redeemed + redemption.spent_fen]
    codes = sorted(sums)
    return (codes, *([sums[code][i] for code in codes] for i in range(5)))


def of_claims(wants: list[Want]) -> Arrays:
    """The columns of statements.CLAIMS."""
    return tuple(zip(*map(_claim, wants), strict=True))


def _claim(want: Want) -> Arrays:
    redemption, standing = want.redemption, want.standing
    assert redemption is not None
    nth = standing.free if redemption.claim_id is None else None
    fence = Fence.CONFIRMED if want.from_balance else Fence.TRIED
    return (
        redemption.claim_id, want.coupon_code, want.user.id, redemption.spent_fen, nth, want.id, want.now, fence.value,
    )  # fmt: skip


def count(want: Want, taken: Taken) -> None:
    """Add what a decided want takes."""
    assert want.basket is not None
    pieces, spent, money = taken.pieces, taken.spent, taken.money
    for dish, qty in want.basket.pieces.items():
        pieces[dish] = pieces.get(dish, 0) + qty
    if want.redemption is not None and want.coupon_code is not None:
        spent[want.coupon_code] = spent.get(want.coupon_code, 0) + _change(want)
    if want.wallet_fen:
        money[want.user.id] = money.get(want.user.id, 0) + want.wallet_fen


def _change(want: Want) -> int:
    """What a redemption adds to the committed part of the budget."""
    redemption = want.redemption
    assert redemption is not None
    return redemption.spent_fen if redemption.claim_id is None else -redemption.freed_fen


def tight_dishes(wants: Iterable[Want]) -> set[int]:
    """Dishes of which the decided wants want more than their menu believes is there."""
    taken: dict[int, int] = {}
    tight: set[int] = set()
    for want in wants:
        basket = want.basket
        if basket is None:
            continue
        dishes = want.menu.dishes
        for dish, qty in basket.pieces.items():
            qty += taken.get(dish, 0)
            taken[dish] = qty
            if qty > dishes[dish].level:
                tight.add(dish)
    return tight


def tight_codes(wants: Iterable[Want], facts: Facts) -> set[str | None]:
    """Coupons of which the decided wants want more than the cache believes is left."""
    spent: dict[str, int] = {}
    tight: set[str | None] = set()
    for want in wants:
        code = want.coupon_code if want.basket is not None else None
        if code is None or want.redemption is None:
            continue
        budget = facts.budgets.get(code)
        before = spent.get(code, 0)
        if budget is None or budget.committed_fen + before + want.redemption.hold_fen > budget.coupon.budget_fen:
            tight.add(code)
        spent[code] = before + _change(want)
    return tight


def remember(wants: Iterable[Want], facts: Facts) -> None:
    """The batch is committed: this process's own orders are in its caches at once."""
    for want in wants:
        assert want.basket is not None
        menu = facts.menus.get(want.body.merchant_id)
        if menu is not None:
            for dish, qty in want.basket.pieces.items():
                if dish in menu.dishes:
                    menu.dishes[dish].level -= qty
        redemption, code = want.redemption, want.coupon_code
        if redemption is None or code is None:
            continue
        budget = facts.budgets.get(code)
        if budget is not None:
            budget.committed_fen += _change(want)
        _used(want.standing, redemption.claim_id)


def _used(standing: Standing, claim_id: int | None) -> None:
    standing.used += 1
    if claim_id is None:
        standing.taken.add(standing.free)
    else:
        standing.held = [claim for claim in standing.held if claim.id != claim_id]
