"""Notices: what merchants are told by app, SMS and phone, and what they answer (A14)."""
