"""Experiments: variants of a scenario, replicated on common random numbers and compared in pairs."""
