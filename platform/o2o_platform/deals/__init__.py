"""Group-buy: deals that merchants publish, and the vouchers that users buy and redeem once (A4, A6, A12)."""
