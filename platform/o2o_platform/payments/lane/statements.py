"""The SQL of a batch of callbacks: one statement that reads what they are about, one that pays the orders.

Decides the guards: a payment is still in the state that was read, an order still waits, all of its fences are still
`tried`. A miss raises and nothing of the batch is done (`kit.batch_sql`). Decides the order of locks: payments by id,
then their orders, then those orders' fences; the ordinary units take them in this order too.
"""

from __future__ import annotations

from o2o_platform.kit.batch_sql import Columns, guards, rows

LOOK = """
SELECT p.id AS payment_id, p.state AS payment_state, p.method, p.amount_fen, o.id, o.kind, o.ref, o.order_no,
    o.user_id, o.user_ref, o.merchant_id, o.rider_id, o.state, o.items_fen, o.discount_fen, o.delivery_fee_fen,
    o.total_fen, o.commission_share,
    (SELECT array_agg(f.branch || ':' || f.state) FROM reservation_fences f WHERE f.order_id = o.id) AS fences,
    EXISTS (SELECT 1 FROM reservations r WHERE r.order_id = o.id) AS apart
FROM payments p JOIN orders o ON o.id = p.order_id
WHERE p.id = ANY ($1::bigint[])
"""
IDS = """
SELECT nextval('tickets_id_seq') AS ticket_id, nextval('ledger_txn_id_seq') AS txn_id FROM generate_series(1, $1::int)
"""

PAYMENTS: Columns = (
    ("payment_id", "bigint"),
    ("was", "text"),
    ("confirmed", "float8"),
    ("at", "float8"),
    ("amount_fen", "bigint"),
    ("order_id", "bigint"),
    ("order_was", "text"),
    ("fences", "bigint"),
    ("merchant_id", "bigint"),
    ("ticket_id", "bigint"),
)
"""Sorted by payment."""
ENTRIES: Columns = (
    ("txn_id", "bigint"),
    ("order_id", "bigint"),
    ("at", "float8"),
    ("account", "text"),
    ("amount_fen", "bigint"),
)
EVENTS: Columns = (("at", "float8"), ("topic", "text"), ("name", "text"), ("payload", "text"))

_ENTRIES_AT = 3 + len(PAYMENTS)
_EVENTS_AT = _ENTRIES_AT + len(ENTRIES)

PAY = f"""
WITH wanted AS MATERIALIZED (SELECT * FROM {rows(PAYMENTS, 3, "w")}),
locked AS (
    SELECT p.id, w.confirmed, w.at, w.was FROM payments p JOIN wanted w ON w.payment_id = p.id
    WHERE p.state = w.was ORDER BY p.id FOR NO KEY UPDATE OF p),
paying AS (
    UPDATE payments p SET state = $1::text, confirmed = l.confirmed, callback = l.at
    FROM locked l WHERE p.id = l.id RETURNING 1),
advanced AS (
    UPDATE orders o SET state = $2::text, paid = w.at, paid_fen = w.amount_fen, pay_deadline = NULL
    FROM wanted w WHERE o.id = w.order_id AND o.state = w.order_was RETURNING 1),
confirmed AS (
    UPDATE reservation_fences f SET state = 'confirmed', at = w.at
    FROM wanted w WHERE f.order_id = w.order_id AND f.state = 'tried' RETURNING 1),
booked AS (
    INSERT INTO ledger (txn_id, order_id, at, reason, account, amount_fen)
    SELECT txn_id, order_id, at, 'paid', account, amount_fen FROM {rows(ENTRIES, _ENTRIES_AT, "e")}),
queued AS (
    INSERT INTO tickets (id, order_id, merchant_id, copy_no, state, attempts, queued)
    SELECT ticket_id, order_id, merchant_id, 1, 'queued', 0, at FROM wanted),
told AS (
    INSERT INTO outbox (at, topic, name, payload) SELECT at, topic, name, payload FROM {rows(EVENTS, _EVENTS_AT, "v")})
""" + guards(
    ("payment", "paying", "(SELECT count(*) FROM wanted)"),
    ("order", "advanced", "(SELECT count(*) FROM wanted)"),
    ("fences", "confirmed", "(SELECT coalesce(sum(fences), 0) FROM wanted)"),
)
"""Parameters: the payments' new state, the orders' new state; the columns of PAYMENTS, of ENTRIES, of EVENTS."""
