"""Errors of the load-test package; each message is one line that a user can act on.

LoadError
├── TargetError     the platform cannot be reached, or refused what the setup asked
└── ProcessError    a process of the live world did not start, or ended early
"""

from __future__ import annotations


class LoadError(Exception):
    """The live run could not be made."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


class TargetError(LoadError):
    """The platform cannot be reached."""


class ProcessError(LoadError):
    """A process of the live world ended early."""
