"""The people between an order and the kitchen, in the ages in which there are any (A14)."""
