"""Weeks of BDs and leads: who claims, visits and signs which lead under the pool rules (C1, C2, C6-C8, C13)."""
