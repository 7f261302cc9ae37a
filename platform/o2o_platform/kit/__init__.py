"""What every feature of the platform stands on: database, outbox and stream, clock, JSON, background tasks.

Nothing in here knows an order, a coupon or a printer.
"""
