"""Accounts: who speaks to the platform, how they prove it, and what their role may do (A7, G5)."""
