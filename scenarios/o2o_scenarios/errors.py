"""Errors of the scenario package.

ScenarioError            anything wrong with what the user asked for: one clear line, exit code 2
└── ScenarioNotFoundError     no such name in the catalogue, no such file
"""

from __future__ import annotations


class ScenarioError(Exception):
    """The scenario is not valid."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


class ScenarioNotFoundError(ScenarioError):
    """There is no such scenario."""
