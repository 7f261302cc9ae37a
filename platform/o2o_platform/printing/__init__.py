"""Printing: tickets, the dispatcher, rendering to ESC/POS and the drivers that carry it (A14)."""
