"""Payments: pay links, the provider's callbacks, refunds, and a sandbox provider (G4)."""
