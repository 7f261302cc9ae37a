"""Errors of the domain: raised for values that no caller may build, never for a business refusal.

    DomainError
    └── UnknownKindError    a vertical (order kind) that has no table of transitions

A business refusal is a value (`refusal.Refused`), not an exception.
"""

from __future__ import annotations


class DomainError(ValueError):
    """A value that breaks a rule of the domain's types."""


class UnknownKindError(DomainError):
    """There is no such kind of order."""
