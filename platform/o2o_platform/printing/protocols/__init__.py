"""Protocols of printers that come and ask over HTTP: one module of routes a protocol, and what they are made of."""
