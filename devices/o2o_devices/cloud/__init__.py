"""Printers that fetch their jobs from a server, or are sent them through one: front ends around one print engine."""
