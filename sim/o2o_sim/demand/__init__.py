"""Demand: who orders what, where and when; generated, or read from a real day."""
