"""The SQL of a batch of orders: one statement, which is the whole transaction.

Decides the guards. Everything that was decided from cached facts is held against what is in the rows now, and a miss
raises, so that nothing of the batch is done; the text of the error names the guard:
- `known`: an order of this user under this key exists (the unique key, also against another worker's open transaction);
- `stock`: a dish is off the shelf, has another price or name, or has too few pieces left;
- `coupon`: a budget does not hold what the batch wants of it;
- `claim`: a claim is no longer open. Two new claims that were decided on the same facts meet in `coupon_claims_nth`;
- `wallet`: a wallet has less than all its orders in the batch want of it.
What a miss means is asked anew of the domain's rules, with fresh facts (`work`).

Decides the order of locks, so that two workers never wait for each other in a ring: keys (the rows come sorted by user
and key), dishes (sorted by id), coupons (by code), claims, wallets (by user). The branches of the CASE are evaluated
one after the other, and a CTE when it is first asked for; what nobody asks for is done at the end, and meets nobody
else's rows.

An order that is paid from the balance is paid as it is placed: its fences are confirmed at once, its money leaves the
wallet without having been held. Such orders and others go in one statement; a batch without them has a shorter one.
"""

from __future__ import annotations

from o2o_platform.kit.batch_sql import Columns, guards, rows
from o2o_platform.orders.lane.single import single_order_script as single_order_script

ORDERS: Columns = (
    ("id", "bigint"),
    ("ref", "text"),
    ("order_no", "text"),
    ("fingerprint", "text"),
    ("user_id", "bigint"),
    ("user_ref", "text"),
    ("segment", "text"),
    ("merchant_id", "bigint"),
    ("lines", "text"),
    ("items_fen", "bigint"),
    ("discount_fen", "bigint"),
    ("delivery_fee_fen", "bigint"),
    ("total_fen", "bigint"),
    ("coupon_code", "text"),
    ("coupon_refused", "text"),
    ("risk", "text"),
    ("drop_lat", "float8"),
    ("drop_lng", "float8"),
    ("address", "text"),
    ("phone", "text"),
    ("note", "text"),
    ("accepted", "float8"),
    ("payment_id", "bigint"),
    ("payload", "text"),
)
DISHES = (("id", "bigint"), ("qty", "bigint"), ("unit_fen", "bigint"), ("name", "text"))
COUPONS = (
    ("code", "text"),
    ("need_fen", "bigint"),
    ("spent_fen", "bigint"),
    ("made", "bigint"),
    ("uses", "bigint"),
    ("redeemed_fen", "bigint"),
)
CLAIMS = (
    ("claim_id", "bigint"),
    ("code", "text"),
    ("user_id", "bigint"),
    ("spent_fen", "bigint"),
    ("nth", "bigint"),
    ("order_id", "bigint"),
    ("at", "float8"),
    ("fence", "text"),
)
PAID: Columns = (("ticket_id", "bigint"), ("pay_payload", "text"), ("ticket_payload", "text"))
"""More columns of ORDERS, null for an order that the provider is to pay."""
WALLETS: Columns = (("user_id", "bigint"), ("fen", "bigint"))
ENTRIES: Columns = (
    ("txn_id", "bigint"),
    ("order_id", "bigint"),
    ("at", "float8"),
    ("account", "text"),
    ("amount_fen", "bigint"),
)

IDS = """
SELECT nextval('orders_id_seq') AS order_id, nextval('payments_id_seq') AS payment_id FROM generate_series(1, $1::int)
"""
PAID_IDS = """
SELECT nextval('tickets_id_seq') AS ticket_id, nextval('ledger_txn_id_seq') AS txn_id FROM generate_series(1, $1::int)
"""

_CONSTANTS = 3
_BY_PROVIDER = "ticket_id IS NULL"

_ORDERS = f"""
placed AS (
    INSERT INTO orders (id, kind, ref, order_no, fingerprint, user_id, user_ref, segment, merchant_id, state, lines,
        items_fen, discount_fen, delivery_fee_fen, total_fen, commission_share, paid_fen, refunded_fen, coupon_code,
        coupon_refused, risk, drop_lat, drop_lng, address, phone, note, pay_deadline, accepted, paid, promised, stars)
    SELECT id, 'order', ref, order_no, fingerprint, user_id, user_ref, segment, merchant_id,
        CASE WHEN {_BY_PROVIDER} THEN 'pending_payment' ELSE 'paid' END, lines,
        items_fen, discount_fen, delivery_fee_fen, total_fen, $1::float8,
        CASE WHEN {_BY_PROVIDER} THEN 0 ELSE total_fen END, 0, coupon_code, coupon_refused, risk,
        drop_lat, drop_lng, address, phone, note, CASE WHEN {_BY_PROVIDER} THEN accepted + $2::float8 END, accepted,
        CASE WHEN {_BY_PROVIDER} THEN NULL ELSE accepted END, accepted + $3::float8, 0
    FROM wanted
    ON CONFLICT (user_id, ref) DO NOTHING
    RETURNING 1),
paying AS (
    INSERT INTO payments (id, order_id, method, amount_fen, state, requested, confirmed, callback, refund_fen)
    SELECT payment_id, id, CASE WHEN {_BY_PROVIDER} THEN 'provider' ELSE 'balance' END, total_fen,
        CASE WHEN {_BY_PROVIDER} THEN 'requested' ELSE 'paid' END, accepted,
        CASE WHEN {_BY_PROVIDER} THEN NULL ELSE accepted END, CASE WHEN {_BY_PROVIDER} THEN NULL ELSE accepted END, 0
    FROM wanted),
fenced AS (
    INSERT INTO reservation_fences (order_id, branch, state, at)
    SELECT id, 'stock', CASE WHEN {_BY_PROVIDER} THEN 'tried' ELSE 'confirmed' END, accepted FROM wanted)"""

_TOLD = """,
told AS (
    INSERT INTO outbox (at, topic, name, payload) SELECT accepted, 'orders', 'placed', payload FROM wanted)"""


def _stock(first: int) -> str:
    return f""",
shelf AS (
    SELECT d.id, w.qty FROM dishes d JOIN {rows(DISHES, first, "w")} ON w.id = d.id
    WHERE d.price_fen = w.unit_fen AND d.name = w.name AND d.on_shelf AND d.level >= w.qty
    ORDER BY d.id FOR NO KEY UPDATE OF d),
taken AS (
    UPDATE dishes d
    SET level = d.level - s.qty, reserved = d.reserved + s.qty, min_level = least(d.min_level, d.level - s.qty)
    FROM shelf s WHERE d.id = s.id
    RETURNING 1)"""


def _coupons(first: int) -> str:
    return f""",
budgets AS (
    SELECT c.code, w.need_fen, w.spent_fen, w.made, w.uses, w.redeemed_fen
    FROM coupons c JOIN {rows(COUPONS, first, "w")} ON w.code = c.code
    WHERE c.committed_fen + w.need_fen <= c.budget_fen
    ORDER BY c.code FOR NO KEY UPDATE OF c),
spent AS (
    UPDATE coupons c
    SET committed_fen = c.committed_fen + b.spent_fen, claimed = c.claimed + b.made, redeemed = c.redeemed + b.uses,
        redeemed_fen = c.redeemed_fen + b.redeemed_fen
    FROM budgets b WHERE c.code = b.code
    RETURNING 1),
claims AS MATERIALIZED (SELECT * FROM {rows(CLAIMS, first + len(COUPONS), "c")}),
used AS (
    UPDATE coupon_claims t
    SET state = 'redeemed', hold_fen = c.spent_fen, order_id = c.order_id, redeemed_at = c.at
    FROM claims c WHERE t.id = c.claim_id AND t.state = 'claimed'
    RETURNING 1),
claimed AS (
    INSERT INTO coupon_claims (code, user_id, state, hold_fen, nth, order_id, claimed_at, redeemed_at)
    SELECT code, user_id, 'redeemed', spent_fen, nth, order_id, at, at FROM claims WHERE claim_id IS NULL),
coupon_fenced AS (
    INSERT INTO reservation_fences (order_id, branch, state, at)
    SELECT order_id, 'coupon', fence, at FROM claims)"""


def _balance(first: int) -> str:
    return f""",
purses AS (
    SELECT p.user_id, w.fen FROM wallets p JOIN {rows(WALLETS, first, "w")} ON w.user_id = p.user_id
    WHERE p.balance_fen >= w.fen
    ORDER BY p.user_id FOR NO KEY UPDATE OF p),
drawn AS (
    UPDATE wallets p SET balance_fen = p.balance_fen - s.fen FROM purses s WHERE p.user_id = s.user_id
    RETURNING 1),
balance_fenced AS (
    INSERT INTO reservation_fences (order_id, branch, state, at)
    SELECT id, 'balance', 'confirmed', accepted FROM wanted WHERE ticket_id IS NOT NULL),
booked AS (
    INSERT INTO ledger (txn_id, order_id, at, reason, account, amount_fen)
    SELECT txn_id, order_id, at, 'paid', account, amount_fen FROM {rows(ENTRIES, first + len(WALLETS), "e")}),
queued AS (
    INSERT INTO tickets (id, order_id, merchant_id, copy_no, state, attempts, queued)
    SELECT ticket_id, id, merchant_id, 1, 'queued', 0, accepted FROM wanted WHERE ticket_id IS NOT NULL),
told AS (
    INSERT INTO outbox (at, topic, name, payload)
    SELECT w.accepted, e.topic, e.name, e.payload
    FROM wanted w CROSS JOIN LATERAL (
        VALUES ('orders', 'placed', w.payload), ('orders', 'pay', w.pay_payload),
            ('tickets', 'queued', w.ticket_payload)
    ) AS e (topic, name, payload)
    WHERE e.payload IS NOT NULL)"""


def _statement(coupons: bool, balance: bool) -> str:
    columns = ORDERS + PAID if balance else ORDERS
    dishes_at = _CONSTANTS + 1 + len(columns)
    coupons_at = dishes_at + len(DISHES)
    wallets_at = coupons_at + (len(COUPONS) + len(CLAIMS) if coupons else 0)
    more = "" if balance else ", NULL::bigint AS ticket_id"
    wanted = f"WITH wanted AS MATERIALIZED (SELECT *{more} FROM {rows(columns, _CONSTANTS + 1, 'o')}),"
    parts = [wanted, _ORDERS, _stock(dishes_at)]
    missed = [
        ("known", "placed", "(SELECT count(*) FROM wanted)"),
        ("stock", "taken", f"cardinality(${dishes_at}::bigint[])"),
    ]
    if coupons:
        parts.append(_coupons(coupons_at))
        missed.append(("coupon", "spent", f"cardinality(${coupons_at}::text[])"))
        missed.append(("claim", "used", "(SELECT count(*) FROM claims WHERE claim_id IS NOT NULL)"))
    if balance:
        missed.append(("wallet", "drawn", f"cardinality(${wallets_at}::bigint[])"))
    parts.append(_balance(wallets_at) if balance else _TOLD)
    return "".join(parts) + guards(*missed)


PLACE = {(coupons, balance): _statement(coupons, balance) for coupons in (False, True) for balance in (False, True)}
"""By whether the batch redeems coupons and whether it has orders paid from the balance. Parameters: commission share,
seconds to pay, seconds promised; the columns of ORDERS (and PAID), of DISHES (, of COUPONS, of CLAIMS) (, of WALLETS,
of ENTRIES). COUPONS' `need_fen`: the most that is committed at once of the budget."""
