"""Placing orders in batches on PostgreSQL: one statement for all that arrived while the last one ran."""
