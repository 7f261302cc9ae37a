"""Delivery: riders on and off line, and which of them takes an order (A13)."""
