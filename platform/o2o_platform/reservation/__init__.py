"""Reservation of stock, coupon and balance as Try-Confirm-Cancel (W10).

Decides in which transaction a branch's work and its fence are written, and when which phase is asked of which branch.
What a phase does to a fence is `o2o_domain.tcc`. The number of the transaction is the order's id.

Effects, each in one transaction with the branch's row in `reservation_fences` (order_id, branch, state, at):

    branch    try (fence -> tried)                confirm (-> confirmed)   cancel (-> cancelled)
    stock     dishes: level -= q, reserved += q,  only the fence           dishes: level += q, returned += q
              min_level follows; guard level >= q
    coupon    claim redeemed on the order, coupon only the fence           claim returned, nth null; budget,
              committed and redeemed; guard budget                         redeemed and returned counted back
    balance   wallets: balance -= x, held += x;   wallets: held -= x       wallets: balance += x, held -= x
              guard balance >= x

A branch that an order does not use has no fence: every takeout order has `stock`, one with a coupon that applied has
`coupon`, one paid from the balance has `balance`.

Together (the default): the tries are part of the placing unit, the confirms of the paying unit, the cancels of the unit
that ends an unpaid order. Apart: each of these is a unit of its own, as if each branch were a service of its own (A3);
the table `reservations` is the coordinator's record, and `recovery` takes up what an ended process has left.

Giving back what a paid and confirmed order used (rejected, cancelled, no rider) is no phase: stock, coupon and wallet
are credited in the unit that ends the order, and the fences stay confirmed.
"""
