"""Readers of road graphs: one module a file format."""
