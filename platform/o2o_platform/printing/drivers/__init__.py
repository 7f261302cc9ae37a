"""Drivers: how a ticket's bytes reach a kind of printer, and how the answer comes back."""
