"""Promises about paper: what the printers put out, parsed back, is what was ordered, once, at the right store (A14).

A receipt that is not complete (paper end, cover open) is waste paper: it counts neither for nor against a ticket. What
a printer has spoiled or doubled by its own word (`printers`) is excused paper by paper, and counted.
"""

from __future__ import annotations

import pyarrow as pa

from o2o_domain.ticket_names import dish_name
from o2o_results.audit.evidence import Evidence, Finding, Promise
from o2o_results.audit.printers import CONFESSED, excused
from o2o_results.audit.slips import by_hand


def one_per_ticket(evidence: Evidence) -> Finding:
    """A printed ticket has one complete receipt with its number and copy; any other ticket has at most one.

    A printed one has none where its printer confesses that it spoiled it, and one more for each time that its printer
    confesses to have printed it twice. Where slips are written by hand there is no printer to ask (see `slips`).
    """
    if by_hand(evidence):
        return Finding(0, 0)
    return evidence.ask(
        "select count(*) from tickets where state = 'printed'",
        f"""
        with paper as (select order_no, copy_no, count(*) as n from receipts where complete group by all), {CONFESSED}
        select format('ticket {{}} (order {{}}, copy {{}}, {{}}) has {{}} complete receipts', t.ticket_id, o.order_no,
            t.copy_no, t.state, coalesce(p.n, 0))
        from tickets t join orders o using (order_id)
        left join paper p on p.order_no = o.order_no and p.copy_no = t.copy_no
        left join confessed c on c.order_no = o.order_no and c.copy_no = t.copy_no
        where coalesce(p.n, 0) > 1 + coalesce(c.doubled, 0)
            or (t.state = 'printed' and coalesce(p.n, 0) = 0 and coalesce(c.lied, 0) = 0)
        """,
        detail=excused(evidence).removeprefix(", "),
    )


def no_unmarked_copy(evidence: Evidence) -> Finding:
    """No order number is on two complete receipts with one copy number: a second print says it is one.

    Except where the printer itself printed it twice, and confesses each of them.
    """
    waste = evidence.count("select count(*) from receipts where not complete")
    return evidence.ask(
        "select count(*) from receipts where complete",
        f"""with {CONFESSED}, paper as (
            select order_no, copy_no, count(*) as n from receipts where complete group by order_no, copy_no
        )
        select format('order number {{}} is on {{}} receipts marked copy {{}}', p.order_no, p.n, p.copy_no)
        from paper p left join confessed c using (order_no, copy_no) where p.n > 1 + coalesce(c.doubled, 0)""",
        detail=f"{waste} incomplete receipts (waste paper) not counted{excused(evidence)}",
    )


def right_printer(evidence: Evidence) -> Finding:
    """Each complete receipt is the paper of a ticket, and came out of that ticket's printer."""
    return evidence.ask(
        "select count(*) from receipts where complete",
        """
        select format('receipt {} (order number {}, copy {}) from printer {}: {}', r.receipt_id,
            coalesce(r.order_no, '?'), coalesce(r.copy_no, 0), r.printer_id,
            case when t.ticket_id is null then 'there is no such ticket'
                else format('its ticket belongs to printer {}', t.printer_id) end)
        from receipts r left join orders o on o.order_no = r.order_no
        left join tickets t on t.order_id = o.order_id and t.copy_no = r.copy_no
        where r.complete and (t.ticket_id is null or t.printer_id <> r.printer_id)
        """,
    )


def dishes(evidence: Evidence) -> Finding:
    """Every complete receipt lists the order's dishes and quantities, no more and no less, in any order.

    Names are compared as paper has them (o2o_domain.ticket_names): what fonts have no shape for is printed otherwise.
    """
    names = evidence.db.execute("select distinct unnest(items).name from orders").fetchall()
    printed = [(str(name), dish_name(str(name))) for (name,) in names]
    columns = {"name": [name for name, _ in printed], "printed": [paper for _, paper in printed]}
    evidence.db.register(
        "printed_names", pa.table(columns, pa.schema([("name", pa.string()), ("printed", pa.string())]))
    )
    return evidence.ask(
        "select count(*) from receipts where complete",
        """
        with paper as (
            select receipt_id, order_no, list_sort([{'name': x.name, 'qty': x.qty} for x in lines]) as dishes
            from receipts where complete
        ), item as (
            select order_no, unnest(items) as x from orders where order_no is not null
        ), ordered as (
            select order_no, list_sort(list({'name': printed, 'qty': x.qty})) as dishes
            from item join printed_names on printed_names.name = x.name group by order_no
        )
        select format('receipt {} of order number {} lists {} instead of {}', receipt_id, order_no,
            paper.dishes::varchar, coalesce(ordered.dishes::varchar, 'nothing'))
        from paper join orders using (order_no) left join ordered using (order_no)
        where paper.dishes is distinct from ordered.dishes
        """,
    )


def totals(evidence: Evidence) -> Finding:
    """The total on paper is the order's total."""
    return evidence.ask(
        "select count(*) from receipts where complete",
        """select format('receipt {} of order number {} says {} fen, the order {} fen', receipt_id, order_no,
            coalesce(r.total_fen::varchar, 'no'), o.total_fen)
        from receipts r join orders o using (order_no) where r.complete and r.total_fen is distinct from o.total_fen""",
    )


PROMISES = (
    Promise("receipts.one_per_ticket", "Every printed ticket has exactly one complete receipt", one_per_ticket),
    Promise("receipts.no_unmarked_copy", "No second copy that is not marked as one", no_unmarked_copy),
    Promise("receipts.right_printer", "Paper comes out at the store that must cook", right_printer),
    Promise("receipts.dishes", "Receipts equal orders, dish by dish", dishes),
    Promise("receipts.totals", "Receipts show the order's total", totals),
)
