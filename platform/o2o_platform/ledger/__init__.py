"""The ledger: double entry, written in the transaction it tells of (A9)."""
