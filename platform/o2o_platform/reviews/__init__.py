"""Reviews: stars and a text for an order that was delivered or redeemed, once, by its user (G1)."""
