"""Coupons: created with a budget, claimed under it, redeemed on an order, given back when the order ends."""
