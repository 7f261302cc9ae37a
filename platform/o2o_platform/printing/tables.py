"""Tables of printing (A14).

`tickets`: one first copy per paid order, made in the transaction that takes the payment. `dispatch_slots`: which
dispatcher has which share of the merchants (scaled only; see `slots`). `printer_signs`: when a printer that comes by
itself was last heard of, and what it said. `vendor_jobs`: tickets that a vendor's cloud has taken, under its id (see
`vendor_jobs`).
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, String, Table, Text, UniqueConstraint

from o2o_platform.kit.tables import Int, metadata

tickets = Table(
    "tickets",
    metadata,
    Column("id", Int, primary_key=True),
    Column("order_id", Int, ForeignKey("orders.id"), nullable=False),
    Column("merchant_id", Int, nullable=False),
    Column("copy_no", Int, nullable=False),  # 1: first copy; 2..: reprint
    Column("state", String(16), nullable=False),  # o2o_domain.tickets.TicketState
    Column("code", String(32)),
    Column("attempts", Int, nullable=False, default=0),
    Column("queued", Float, nullable=False),
    Column("offered", Float),  # when it was shown to a printer that comes by itself
    Column("claimed", Float),
    Column("claimed_by", Int),  # the dispatcher that had it in hand last (scaled only), or remote.REMOTE
    Column("rendered", Float),
    Column("delivered_to_printer", Float),
    Column("printed", Float),
    Column("escalation", String(16)),  # app | sms | phone
    Column("escalated", Float),  # when it last rose
    UniqueConstraint("order_id", "copy_no"),
)

_OPEN = ("queued", "offered", "claimed", "failed", "unconfirmed")
Index(
    "tickets_open", tickets.c.id, sqlite_where=tickets.c.state.in_(_OPEN), postgresql_where=tickets.c.state.in_(_OPEN)
)

_UNDER_WAY = ("queued", "offered", "claimed")
Index(
    "tickets_under_way",
    tickets.c.merchant_id,
    tickets.c.id,
    sqlite_where=tickets.c.state.in_(_UNDER_WAY),
    postgresql_where=tickets.c.state.in_(_UNDER_WAY),
)

printer_signs = Table(
    "printer_signs",
    metadata,
    Column("merchant_id", Int, primary_key=True, autoincrement=False),
    Column("seen", Float, nullable=False),
    Column("status", String(64), nullable=False),  # in the words of its protocol
    Column("detail", Text),  # JSON
)

vendor_jobs = Table(
    "vendor_jobs",
    metadata,
    Column("ticket_id", Int, ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
    Column("merchant_id", Int, nullable=False),
    Column("vendor", String(16), nullable=False),  # feie | yilianyun
    Column("serial", String(64), nullable=False),  # the printer's number there
    Column("order_id", String(64), nullable=False),  # the cloud's id of the job
    Column("token", String(64), nullable=False),  # ours of it
    Column("taken", Float, nullable=False),
    Column("expires", Float, nullable=False),  # the ticket's deadline
    Column("ask_at", Float, nullable=False),  # when the cloud is asked for it next
    Column("done", Float),  # when nobody needs to ask any more
)
Index(
    "vendor_jobs_open",
    vendor_jobs.c.ask_at,
    sqlite_where=vendor_jobs.c.done.is_(None),
    postgresql_where=vendor_jobs.c.done.is_(None),
)

dispatch_slots = Table(
    "dispatch_slots",
    metadata,
    Column("slot", Int, primary_key=True, autoincrement=False),
    Column("owner", Int),  # a dispatcher's number; null: free
)
