"""What users were told against what is: promises that need the users' side, beside those of the audit.

Decides when an acknowledged order counts as lost, an order as doubled, money as taken for nothing, and a first copy as
printed twice. Each is a Verdict, so that they stand in the manifest and the report with the audit's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from o2o_loadtest.peak.gather import Row, Sides
from o2o_results.verdicts import Verdict

T = TypeVar("T")

EXAMPLES = 5
OPEN = ("queued", "offered", "claimed")
"""States of a ticket that is still on its way."""
HOLDS_MONEY = ("paid", "refunded", "part_refunded")


def promises(sides: Sides) -> list[Verdict]:
    """All of them, in the order in which they are told."""
    return [
        check(sides) for check in (_kept, _once, _told_the_truth, _paid_for_something, _paid_orders, _paper, _ended)
    ]


def unconfirmed(sides: Sides) -> list[Row]:
    """Tickets of which nobody knows whether they are on paper, with what the paper says."""
    numbers = {row["order_id"]: row["order_no"] for row in sides.platform["orders"]}
    papers = Counter((row["order_no"], row["copy_no"]) for row in sides.papers if row["complete"])
    return [
        {
            **{name: ticket.get(name) for name in ("ticket_id", "order_id", "merchant_id", "copy_no", "code")},
            "escalation": ticket.get("escalation"),
            "order_no": numbers.get(ticket["order_id"]),
            "on_paper": papers[numbers.get(ticket["order_id"]), ticket["copy_no"]],
        }
        for ticket in sides.platform["tickets"]
        if ticket["state"] == "unconfirmed"
    ]


def _kept(sides: Sides) -> Verdict:
    """A user who got a 2xx has an order."""
    known = {row["order_id"]: row for row in sides.platform["orders"]}
    acknowledged = [row for row in sides.users if row["outcome"] == "placed"]

    def wrong(user: Row) -> str:
        order = known.get((user["answer"] or {}).get("order_id"))
        if order is None:
            return f"order {user['n']} (key {user['key']}) was acknowledged as {user['answer']} and is gone"
        if order["order_ref"] != user["key"] or order["user_id"] != user["user_id"]:
            return (
                f"order {user['n']} (key {user['key']}) was acknowledged with somebody else's order {order['order_id']}"
            )
        return ""

    return _verdict("peak.acknowledged_kept", "No acknowledged order is lost", acknowledged, wrong)


def _once(sides: Sides) -> Verdict:
    """However often it was asked for."""
    ours = {(row["user_id"], row["key"]) for row in sides.users}
    numbers = Counter((row["user_id"], row["order_ref"]) for row in sides.platform["orders"])
    tries = Counter(row["order_id"] for row in sides.requests if row["name"] == "POST /orders")
    again = sum(number > 1 for number in tries.values())
    return _verdict(
        "peak.one_order_per_key",
        "One order a key, however often it was asked for",
        sorted(ours),
        lambda key: f"user {key[0]}, key {key[1]}: {numbers[key]} orders" if numbers[key] > 1 else "",
        f"{again} orders were asked for more than once",
    )


def _told_the_truth(sides: Sides) -> Verdict:
    """Number, total and refusals are those that the user was told."""
    known = {(row["user_id"], row["order_ref"]): row for row in sides.platform["orders"]}

    def wrong(user: Row) -> str:
        order, answer = known.get((user["user_id"], user["key"])), user["answer"] or {}
        if user["outcome"] == "refused":
            return f"order {user['n']} was refused and exists as {order['order_id']}" if order else ""
        if order is None:
            return ""  # the first promise's
        different = [name for name in ("order_id", "order_no", "total_fen") if answer.get(name) != order[name]]
        return f"order {user['n']}: the user was told another {', '.join(different)}" if different else ""

    answered = [row for row in sides.users if row["outcome"] != "lost"]
    return _verdict("peak.told_the_truth", "Orders are what users were told", answered, wrong)


def _paid_for_something(sides: Sides) -> Verdict:
    """No charge without an order that says so; a refund that is owed has been made."""
    payments = {row["payment_id"]: row for row in sides.platform["payments"]}

    def wrong(charge: Row) -> str:
        payment = payments.get(charge["payment_id"])
        if payment is None:
            return f"the provider took {charge['charged_fen']} fen for payment {charge['payment_id']}, which is unknown"
        kept = charge["charged_fen"] - charge["refunded_fen"]
        if kept and payment["state"] not in HOLDS_MONEY:
            return f"payment {charge['payment_id']} is {payment['state']}, the provider holds {kept} fen"
        return ""

    charged = [charge for charge in sides.charges if charge["charged_fen"]]
    return _verdict("peak.nothing_paid_and_unordered", "Nothing is paid and unordered", charged, wrong)


def _paid_orders(sides: Sides) -> Verdict:
    """Every user to whom the provider said yes has an order that is paid, or the money back."""
    orders = {(row["user_id"], row["order_ref"]): row for row in sides.platform["orders"]}
    charges = {charge["payment_id"]: charge for charge in sides.charges}

    def wrong(user: Row) -> str:
        payment_id = user["answer"]["payment"]["payment_id"]
        charge = charges.get(payment_id)
        if charge is None:
            return f"order {user['n']}: the provider took payment {payment_id} and has forgotten it"
        order = orders.get((user["user_id"], user["key"]))
        if charge["state"] == "ok" and (order is None or order["paid"] is None):
            returned = charge["refunded_fen"] == charge["charged_fen"]
            return "" if returned else f"order {user['n']} was paid at the provider and is not paid"
        return ""

    paid = [row for row in sides.users if row["paid"] is not None]
    return _verdict("peak.paid_orders", "Who has paid has a paid order, or the money back", paid, wrong)


def _paper(sides: Sides) -> Verdict:
    """By the paper alone: no two complete receipts with one order number and one copy number.

    A printer that prints a ticket twice by itself confesses each time, and is excused as often.
    """
    papers = Counter((row["order_no"], row["copy_no"] or 1) for row in sides.papers if row["complete"])
    own = Counter((row["order_no"], row["copy_no"] or 1) for row in sides.faults if row["kind"] == "duplicate")
    doubled = f", {own.total()} of them doubled by printers that say so" if own else ""
    return _verdict(
        "peak.no_first_copy_twice",
        "No first copy is printed twice",
        sorted(papers, key=str),
        lambda paper: (
            f"{paper[0]}, copy {paper[1]}: printed {papers[paper]} times" if papers[paper] > 1 + own[paper] else ""
        ),
        f"{sum(papers.values())} complete receipts{doubled}",
    )


def _ended(sides: Sides) -> Verdict:
    """After healing no ticket is on its way any more."""
    return _verdict(
        "peak.no_ticket_open",
        "No ticket is left on its way",
        sides.platform["tickets"],
        lambda row: f"ticket {row['ticket_id']} is {row['state']}" if row["state"] in OPEN else "",
        ", ".join(
            f"{n} {state}" for state, n in sorted(Counter(r["state"] for r in sides.platform["tickets"]).items())
        ),
    )


def _verdict(name: str, promise: str, things: Sequence[T], wrong: Callable[[T], str], detail: str = "") -> Verdict:
    found = [told for thing in things if (told := wrong(thing))]
    return Verdict(name, not found, len(things), len(found), tuple(found[:EXAMPLES]), detail, promise)
