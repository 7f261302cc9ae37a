"""What one order costs PostgreSQL when orders are placed one by one: a script for pgbench, to measure batches against.

Decides what a fair comparison is. The script writes the rows that one order of the load (`o2o_loadtest.peak`) writes,
no more and no less: the order, one stock update a dish, the payment, the fence of the stock, the event; with a coupon
also the budget, the claim (whose ordinal needs a look at the user's claims) and its fence. Values are as long as real
ones. Each is a plain statement such as a service would send, in one transaction; no reads of menus or prices (the
batches have them from their cache), no look-up of the key (the unique index answers for it). Run it prepared:

    pgbench -n -M prepared -c 8 -j 2 -T 10 -f order.sql [-D merchants=200 ...] DATABASE

Variables, all with defaults: `first_merchant`, `merchants`, `first_dish`, `dishes` (a merchant's; numbered one after
the other, merchant by merchant), `users`, `coupons` (codes PEAK0, PEAK1, ...), `coupon_percent`.
"""

from __future__ import annotations

DEFAULTS = {
    "first_merchant": 1,
    "merchants": 200,
    "first_dish": 1,
    "dishes": 20,
    "users": 10_000,
    "coupons": 200,
    "coupon_percent": 20,
}
"""The load's world. A dish is drawn from a third of the menu each, so that no order names one twice."""

# pgbench takes every colon before a letter or digit for a variable, hence the blanks in the JSON.
_SCRIPT = r"""
\set merchant_no random(0, :merchants - 1)
\set merchant :first_merchant + :merchant_no
\set menu :first_dish + :merchant_no * :dishes
\set third :dishes / 3
\set count random(1, 3)
\set dish1 :menu + random(0, :third - 1)
\set dish2 :menu + :third + random(0, :third - 1)
\set dish3 :menu + 2 * :third + random(0, :third - 1)
\set qty1 random(1, 2)
\set qty2 random(1, 2)
\set qty3 random(1, 2)
\set user random(1, :users)
\set key random(1, 9000000000000000000)
\set coupon random(0, :coupons - 1)
\set with_coupon random(1, 100)
BEGIN;
INSERT INTO orders (kind, ref, order_no, fingerprint, user_id, user_ref, segment, merchant_id, state, lines, items_fen,
    discount_fen, delivery_fee_fen, total_fen, commission_share, paid_fen, refunded_fen, coupon_code, drop_lat,
    drop_lng, address, phone, note, pay_deadline, accepted, promised, stars)
VALUES ('order', 'peak-' || :key, 'W1234567', '0123456789abcdef0123456789abcdef', :user, 'peak-u1234', 'family',
    :merchant, 'pending_payment', '[[123,"招牌菜1",1,1800],[124,"招牌菜2",2,2200]]', 6200, 300, 300, 6200, 0.1, 0, 0,
    NULL, 30.251234, 120.151234, '123号路口', '13812345678', '少放辣', 1700000900, 1700000000, 1700002700, 0)
ON CONFLICT (user_id, ref) DO NOTHING RETURNING id AS order_id \gset
UPDATE dishes SET level = level - :qty1, reserved = reserved + :qty1, min_level = least(min_level, level - :qty1)
WHERE id = :dish1 AND level >= :qty1;
\if :count >= 2
UPDATE dishes SET level = level - :qty2, reserved = reserved + :qty2, min_level = least(min_level, level - :qty2)
WHERE id = :dish2 AND level >= :qty2;
\endif
\if :count >= 3
UPDATE dishes SET level = level - :qty3, reserved = reserved + :qty3, min_level = least(min_level, level - :qty3)
WHERE id = :dish3 AND level >= :qty3;
\endif
INSERT INTO reservation_fences (order_id, branch, state, at) VALUES (:order_id, 'stock', 'tried', 1700000000);
\if :with_coupon <= :coupon_percent
UPDATE coupons SET committed_fen = committed_fen + 300, claimed = claimed + 1, redeemed = redeemed + 1,
    redeemed_fen = redeemed_fen + 300
WHERE code = 'PEAK' || :coupon AND committed_fen + 300 <= budget_fen;
INSERT INTO coupon_claims (code, user_id, state, hold_fen, nth, order_id, claimed_at, redeemed_at)
SELECT 'PEAK' || :coupon, :user, 'redeemed', 300, 1 + count(*), :order_id, 1700000000, 1700000000
FROM coupon_claims WHERE code = 'PEAK' || :coupon AND user_id = :user AND state <> 'returned'
ON CONFLICT (code, user_id, nth) DO NOTHING;
INSERT INTO reservation_fences (order_id, branch, state, at) VALUES (:order_id, 'coupon', 'tried', 1700000000);
\endif
INSERT INTO payments (order_id, method, amount_fen, state, requested, refund_fen)
VALUES (:order_id, 'provider', 6200, 'requested', 1700000000, 0) RETURNING id AS payment_id \gset
INSERT INTO outbox (at, topic, name, payload) VALUES (1700000000, 'orders', 'placed', '{"order_id": ' || :order_id ||
    ', "order_ref": "peak-123456789012345", "kind": "order", "order_no": "W1234567", "user_id": 1234, '
    '"user_ref": "peak-u1234", "merchant_id": 123, "rider_id": null, "state": "pending_payment"}');
COMMIT;
"""


def single_order_script(**variables: int) -> str:
    """The script; see the module. `variables` replace the defaults. Raises KeyError for a name that is none of them."""
    for name in variables:
        DEFAULTS[name]
    given = "\n".join(f"\\set {name} {value}" for name, value in (DEFAULTS | variables).items())
    return f"{given}\n{_SCRIPT.strip()}\n"
