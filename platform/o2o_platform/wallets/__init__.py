"""Wallets: what users have paid in beforehand, and pay orders with."""
