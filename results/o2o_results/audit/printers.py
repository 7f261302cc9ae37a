"""Promises about printers that break: what they confess is true, what they answer late is believed (A14).

Faulty printers do what no platform can prevent: print twice, print nothing and say that all is well. They confess it in
the table `printer_faults`, each piece of paper by itself, and only so much is excused (`receipts` asks here). A run
whose printers confess nothing is held to every promise as if there were no faults.
"""

from __future__ import annotations

from o2o_results.audit.evidence import Evidence, Finding, Promise, among

LIED = ("no_print", "overrun", "wrong_codepage")
"""The printer says that the ticket is out, and nobody can read it."""
DOUBLED = "duplicate"
LINK = ("flapping", "half_open", "offline", "power_after", "power_before", "power_off", "slow")
"""An answer that is given while one of these lasts may not get through."""
ANSWER_S = 5.0
"""An answer so shortly before the end of the run may still have been on its way."""

CONFESSED = f"""
    confessed as (
        select order_no, copy_no, count(*) filter (kind in {among(LIED)}) as lied,
            count(*) filter (kind = '{DOUBLED}') as doubled
        from printer_faults where order_no is not null group by all
    )"""
"""A table expression: confessions by paper."""


def excused(evidence: Evidence) -> str:
    """What printers confess, in words; nothing if they confess nothing of the kind."""
    rows = evidence.db.execute(
        f"select kind, count(*) from printer_faults where kind in {among((*LIED, DOUBLED))} group by kind order by kind"
    ).fetchall()
    return "".join(f", {count} {kind} by the printers' own word" for kind, count in rows)


def told_the_truth(evidence: Evidence) -> Finding:
    """A ticket that a printer says it has spoiled is on no readable paper, belongs to that printer, and exists."""
    return evidence.ask(
        "select count(*) from printer_faults where order_no is not null",
        f"""
        with paper as (
            select order_no, copy_no, count(*) as n from receipts where complete group by all
        ), {CONFESSED}
        select format('printer {{}} says {{}} of order number {{}}, copy {{}}: {{}}', f.printer_id, f.kind, f.order_no,
            coalesce(f.copy_no, 0),
            case when t.ticket_id is null then 'there is no such ticket'
                else format('its ticket belongs to printer {{}}', t.printer_id) end)
        from printer_faults f left join orders o using (order_no)
        left join tickets t on t.order_id = o.order_id and t.copy_no = f.copy_no
        where f.order_no is not null and (t.ticket_id is null or t.printer_id <> f.printer_id)
        union all
        select format('order number {{}}, copy {{}} is said to be spoiled {{}} times, and is on {{}} readable papers',
            c.order_no, c.copy_no, c.lied, p.n)
        from confessed c join paper p using (order_no, copy_no) where c.lied > 0
        """,
    )


def late_answers(evidence: Evidence) -> Finding:
    """A ticket that its printer has answered for, however late, is not left unconfirmed.

    Not held against the platform: an answer given while the printer's link was in trouble, by its own word, at some
    time between sending and answering; then the platform may have hung up, and the printer cannot know. Counts the
    unconfirmed ones, and those that a late answer has resolved: printed, though their printer met a fault.
    """
    unconfirmed = evidence.count("select count(*) from tickets where state = 'unconfirmed'")
    resolved = evidence.count(
        """select count(distinct t.ticket_id) from printer_faults f join orders o using (order_no)
        join tickets t on t.order_id = o.order_id and t.copy_no = f.copy_no
        where t.state = 'printed' and t.escalation is not null"""
    )
    return evidence.ask(
        "select count(*) from printer_faults where answered is not null and order_no is not null",
        f"""
        select format('ticket {{}} (order number {{}}, copy {{}}) is unconfirmed, and printer {{}} answered for it at '
            || '{{:.3f}} s after {{}}', t.ticket_id, f.order_no, f.copy_no, f.printer_id, f.answered, f.kind)
        from printer_faults f join orders o using (order_no)
        join tickets t on t.order_id = o.order_id and t.copy_no = f.copy_no
        where t.state = 'unconfirmed' and f.answered < $end and not exists (
            select 1 from printer_faults l where l.printer_id = f.printer_id and l.kind in {among(LINK)}
                and l."at" <= f.answered + $slack and (l.until is null or l.until >= t.delivered_to_printer - $slack)
        )
        """,
        detail=f"{unconfirmed} tickets unconfirmed, {resolved} told late or doubtful and printed in the end",
        end=evidence.end() - ANSWER_S,
        slack=evidence.tolerance_s,
    )


def faults_met(evidence: Evidence) -> Finding:
    """Each kind of fault that the scenario gives a share was met at least `printing.faults.at_least` times."""
    faults = evidence.scenario.printing.faults if evidence.scenario else None
    kinds = [kind for kind, share in faults.shares().items() if share] if faults and faults.at_least else []
    if faults is None or not kinds:
        return Finding(0, 0)
    met = dict(evidence.db.execute("select kind, count(*) from printer_faults group by kind").fetchall())
    short = tuple(
        f"{kind} was met {met.get(kind, 0)} times, not {faults.at_least}"
        for kind in kinds
        if met.get(kind, 0) < faults.at_least
    )
    detail = ", ".join(f"{kind} {met.get(kind, 0)}" for kind in kinds)
    return Finding(len(kinds), len(short), short[:5], detail)


PROMISES = (
    Promise("printers.told_the_truth", "What printers confess is true", told_the_truth),
    Promise("printers.late_answers", "No ticket is unconfirmed that its printer answered for", late_answers),
    Promise("printers.faults_met", "Every printer fault of the scenario was met as often as it asks", faults_met),
)
