"""Sales: leads in public and private pools, visits, contracts, recycling, superiors (C1, C6-C8, C13)."""
