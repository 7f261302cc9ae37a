"""The run tables: what a run, modelled or live, leaves behind, as Arrow schemas.

Decides the names, types and units of every column; leaves their contents to the world that writes them. One folder a
run, one Parquet file a table, `manifest.json` beside them. Rules that hold in this file:
- every time is in *run seconds* since the run's epoch (see ClockSpec: live, a wall second);
- ids are the scenario's (order_id is the trace's intent_id), so that two runs of one trace can be joined;
- money is integer fen; a mark that was never reached is null.
"""

from __future__ import annotations

import pyarrow as pa

MARKS = (
    "intended",
    "sent",
    "accepted",
    "paid",
    "committed",
    "published",
    "claimed",
    "rendered",
    "delivered_to_printer",
    "printed",
)
"""Marks of the order-to-print path, in order; a stage's latency is the difference of two of them."""

LIFE_MARKS = ("cooking", "ready", "picked_up", "delivered")
"""Marks of the rest of a takeout order's life (A13)."""


def _f(name: str, kind: pa.DataType, *, null: bool = False) -> pa.Field:
    return pa.field(name, kind, null)


_LINE = pa.struct(
    [
        pa.field("dish_id", pa.int32(), False),
        pa.field("name", pa.string(), False),
        pa.field("qty", pa.int32(), False),
        pa.field("unit_fen", pa.int64(), False),
    ]
)
_PAPER_LINE = pa.struct([pa.field("name", pa.string(), False), pa.field("qty", pa.int32(), False)])

i32, i64, f64, s, b = pa.int32(), pa.int64(), pa.float64(), pa.string(), pa.bool_()

TABLES: dict[str, pa.Schema] = {
    # One row an intent, whatever became of it.
    "orders": pa.schema(
        [
            _f("order_id", i64),
            _f("kind", s),  # order | deal
            _f("order_no", s, null=True),  # what stands on the ticket; null if the platform never took the order
            _f("user_id", i32),
            _f("segment", s),
            _f("merchant_id", i32),
            _f("rider_id", i32, null=True),
            _f("state", s),  # o2o_domain.orders.OrderState, or "lost" (no answer) or "not_sent" (run interrupted)
            _f("terminal", b),  # the state is terminal; otherwise the order counts as unfinished at the horizon
            _f("reason", s, null=True),  # why it was refused, rejected, closed or cancelled
            _f("items", pa.list_(_LINE)),
            _f("items_fen", i64),
            _f("discount_fen", i64),
            _f("delivery_fee_fen", i64),
            _f("total_fen", i64),  # items - discount + delivery fee
            _f("paid_fen", i64),
            _f("refunded_fen", i64),
            _f("coupon_code", s, null=True),  # the coupon really used
            _f("coupon_refused", s, null=True),  # reasons why the coupon asked for was not applied
            *[_f(mark, f64, null=mark != "intended") for mark in MARKS],
            *[_f(mark, f64, null=True) for mark in LIFE_MARKS],
            _f("assigned", f64, null=True),
            _f("closed", f64, null=True),  # when the terminal state was reached
            _f("promised", f64, null=True),  # run seconds by which delivery was promised
            _f("drop_lat", f64),
            _f("drop_lng", f64),
            _f("stars", pa.int8()),  # 0: no review
        ]
    ),
    # One row a request sent to the platform (live: HTTP; model: a call of an actor or user).
    "requests": pa.schema(
        [
            _f("request_id", i64),
            _f("order_id", i64, null=True),
            _f("actor", s),  # user | merchant | rider | bd | setup
            _f("name", s),  # e.g. "POST /orders"
            _f("intended", f64),
            _f("sent", f64),
            _f("ended", f64, null=True),
            _f("status", i32),  # HTTP status; 0: no answer
            _f("ok", b),
            _f("error", s, null=True),
        ]
    ),
    # One row a ticket as the platform sees it.
    "tickets": pa.schema(
        [
            _f("ticket_id", i64),
            _f("order_id", i64),
            _f("merchant_id", i32),
            _f("printer_id", i32),
            _f("copy_no", i32),  # 1: first copy; 2..: reprint
            _f("state", s),  # o2o_domain.tickets.TicketState
            _f("code", s, null=True),
            _f("attempts", i32),
            _f("queued", f64),
            _f("claimed", f64, null=True),
            _f("rendered", f64, null=True),
            _f("delivered_to_printer", f64, null=True),
            _f("printed", f64, null=True),
            _f("escalation", s, null=True),  # app | sms | phone: the highest step reached
        ]
    ),
    # One row a piece of paper as the printer saw it, parsed back.
    "receipts": pa.schema(
        [
            _f("receipt_id", i64),
            _f("printer_id", i32),
            _f("printed", f64),
            _f("order_no", s, null=True),
            _f("copy_no", i32, null=True),
            _f("complete", b),  # cut reached and every part of the ticket found
            _f("lines", pa.list_(_PAPER_LINE)),
            _f("total_fen", i64, null=True),
            _f("length_mm", f64),
            _f("text", s),
        ]
    ),
    # One row an order that people had to bring to the kitchen (A14: phone, app, app_printer; none by cloud printer).
    "notifications": pa.schema(
        [
            _f("order_id", i64),
            _f("merchant_id", i32),
            _f("age", s),  # o2o_domain.notification.Age
            _f("told", f64),  # when the first call was wanted, or when the app rang
            _f("noticed", f64, null=True),  # when somebody took it up
            _f("known", f64, null=True),  # when the kitchen had it
            _f("attempts", i32),  # calls, or taps on "print"
            _f("staff_s", f64),  # worked by the merchant's people, city seconds
            _f("caller_s", f64),  # worked by the platform's people at the telephone, city seconds
            _f("slip", pa.list_(_PAPER_LINE), null=True),  # what a hand wrote and the kitchen got
        ]
    ),
    # What printers say themselves of the faults that they met: the device side's own word (A14).
    "printer_faults": pa.schema(
        [
            _f("printer_id", i32),
            _f("at", f64),  # of the effect
            _f("kind", s),  # o2o_devices.faults.Kind
            _f("order_no", s, null=True),  # of the ticket in print, as its paper says or would have said; null: none
            _f("copy_no", i32, null=True),
            _f("until", f64, null=True),  # when it is repaired; null: nobody knows when
            _f("answered", f64, null=True),  # when the printer, after it, said that the ticket is out; null: never
        ]
    ),
    # Both sides of each payment.
    "payments": pa.schema(
        [
            _f("payment_id", i64),
            _f("order_id", i64),
            _f("amount_fen", i64),
            _f("method", s, null=True),  # provider | balance (of a wallet); null: provider
            _f("taken_fen", i64, null=True),  # what the platform's books say was taken; null: the amount, if paid
            _f("state", s),  # o2o_domain.payments.PaymentState, the platform's view
            _f("requested", f64),
            _f("confirmed", f64, null=True),
            _f("callback", f64, null=True),
            _f("disputed", f64, null=True),  # another amount than due was heard of
            _f("refund_fen", i64, null=True),  # owed back in all; null: the amount, if refunded
            _f("provider_state", s, null=True),  # the provider's view; null: it never heard of it
            _f("provider_fen", i64, null=True),  # what the provider really took; 0 or null if it took nothing
            _f("provider_refunded_fen", i64, null=True),
        ]
    ),
    # Each part of money owed back.
    "refunds": pa.schema(
        [
            _f("refund_id", i64),
            _f("payment_id", i64),
            _f("order_id", i64, null=True),  # null: money for a payment that is not the platform's
            _f("fen", i64),
            _f("reason", s),
            _f("wanted", f64),
            _f("done", f64, null=True),  # the provider has confirmed it
        ]
    ),
    # What reconciliation found to differ (G11); repaired - since is the time to repair.
    "reconciliations": pa.schema(
        [
            _f("reconciliation_id", i64),
            _f("payment_id", i64),
            _f("order_id", i64, null=True),
            _f("verdict", s),  # o2o_domain.reconcile.Repair
            _f("reason", s),
            _f("fen", i64),
            _f("since", f64),  # since when the two sides differed
            _f("found", f64),
            _f("repaired", f64, null=True),  # null: for people, or for the provider, to repair
        ]
    ),
    # What merchants were paid out of what was settled (A9).
    "payouts": pa.schema([_f("payout_id", i64), _f("merchant_id", i32), _f("at", f64), _f("amount_fen", i64)]),
    # Double entry: within a transaction the amounts sum to 0 (debit positive).
    "ledger": pa.schema(
        [
            _f("entry_id", i64),
            _f("txn_id", i64),
            _f("order_id", i64, null=True),
            _f("at", f64),
            _f("reason", s),
            _f("account", s),
            _f("amount_fen", i64),
        ]
    ),
    "stock": pa.schema(
        [
            _f("dish_id", i32),
            _f("merchant_id", i32),
            _f("initial", i64),
            _f("reserved", i64),  # pieces ever taken by orders
            _f("returned", i64),  # pieces given back by closed, rejected or cancelled orders
            _f("level", i64),
            _f("min_level", i64),
        ]
    ),
    # One row a branch of an order's reservation (W10).
    "reservations": pa.schema(
        [
            _f("order_id", i64),
            _f("branch", s),  # o2o_domain.tcc.Branch: stock | coupon | balance
            _f("state", s),  # o2o_domain.tcc.Fence: tried | confirmed | cancelled
        ]
    ),
    "wallets": pa.schema(
        [
            _f("user_id", i32),
            _f("balance_fen", i64),
            _f("held_fen", i64),  # by orders that are placed and not paid yet
            _f("topped_up_fen", i64),  # all that ever came in from outside
        ]
    ),
    "coupons": pa.schema(
        [
            _f("code", s),
            _f("budget_fen", i64),
            _f("committed_fen", i64),  # claims held + redeemed
            _f("claimed", i64),
            _f("redeemed", i64),  # standing at the end: a redemption given back counts as returned
            _f("returned", i64),
            _f("redeemed_fen", i64),  # discount of the standing redemptions
        ]
    ),
    "vouchers": pa.schema(
        [
            _f("voucher_id", i64),
            _f("order_id", i64),
            _f("deal_id", i32),
            _f("state", s),  # o2o_domain.deals.VoucherState
            _f("issued", f64),
            _f("redeemed", f64, null=True),
            _f("redemptions", i32),  # times a redemption succeeded: at most 1
        ]
    ),
    "merchants": pa.schema(
        [
            _f("merchant_id", i32),
            _f("name", s),
            _f("lat", f64),
            _f("lng", f64),
            _f("node", i32),
            _f("slots", i32),
            _f("orders", i64),
            _f("busy_s", f64),  # slot-seconds of cooking, run seconds
            _f("max_queue", i32),
        ]
    ),
    "riders": pa.schema(
        [
            _f("rider_id", i32),
            _f("vehicle", s),
            _f("on", f64),
            _f("off", f64),
            _f("orders", i64),
            _f("driving_s", f64),
            _f("service_s", f64),
            _f("distance_m", f64),
        ]
    ),
    "leads": pa.schema(
        [
            _f("lead_id", i32),
            _f("source", s),
            _f("stage", s),  # o2o_domain.leads.LeadStage
            _f("owner", i32, null=True),  # BD, null in the public pool and once signed (the lead left the pools)
            _f("claims", i32),
            _f("drops", i32),
            _f("visits", i32),
            _f("created", f64),
            _f("signed", f64, null=True),
            _f("private_s", f64),  # time spent in private pools
            _f("idle_s", f64),  # time in a private pool beyond the first 7 days without a visit
        ]
    ),
    # Append-only history of what happened to each lead (C1).
    "lead_events": pa.schema(
        [
            _f("event_id", i64),
            _f("lead_id", i32),
            _f("at", f64),
            _f("what", s),  # created claimed visited signed dropped extended assigned released
            _f("actor", i32, null=True),
            _f("owner", i32, null=True),  # after the event
            _f("owned", i32),  # leads the owner (or previous owner) holds after the event
            _f("reason", s, null=True),
        ]
    ),
    "visits": pa.schema(
        [
            _f("visit_id", i64),
            _f("lead_id", i32),
            _f("bd_id", i32),
            _f("at", f64),
            _f("travel_s", f64),
            _f("signed", b),
        ]
    ),
    # One row a change of state of the breaker before a helper service (S11); each process has its own breakers.
    "breakers": pa.schema(
        [
            _f("process", s),
            _f("helper", s),  # risk | recommendation | reviews
            _f("at", f64),
            _f("from_state", s),  # o2o_domain.breaker.BreakerState
            _f("to_state", s),
            _f("reason", s),
        ]
    ),
    # Time series in long form: queue lengths, work in progress, lateness, arrivals.
    "samples": pa.schema([_f("at", f64), _f("metric", s), _f("value", f64)]),
    # Road segments for the map.
    "roads": pa.schema([_f("lat1", f64), _f("lng1", f64), _f("lat2", f64), _f("lng2", f64), _f("rank", pa.int8())]),
    # Inputs and outputs of the rules that were called, as JSON, for parity tests (written on request).
    "decisions": pa.schema([_f("seq", i64), _f("at", f64), _f("rule", s), _f("input", s), _f("output", s)]),
}
"""Schema of each run table by name."""
