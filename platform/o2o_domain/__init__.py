"""Business rules of the O2O platform as pure functions and values: no I/O, no clock, no chance, no logging.

Load, decide, apply: a shell (the platform, the simulation) loads facts, a rule here decides and returns a value, the
shell applies it. A refusal is a value too (`refusal.Refused`). Time, chance and ids are arguments.
"""
