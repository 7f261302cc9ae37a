"""Merchants: stores, menus, stock, near me, and the printer each has (A13, A14, G2)."""
