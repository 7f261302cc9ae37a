"""Errors of this package; each message is one line that a user can act on.

ResultsError
├── MissingRun      no such run folder, or not a run
├── DamagedRun      the manifest or a table cannot be read
├── WrongTable      rows that do not have the columns of `tables.TABLES`
└── RunState        writing to a run that has already ended
"""

from __future__ import annotations


class ResultsError(Exception):
    """Something is wrong with a run folder."""


class MissingRun(ResultsError):  # noqa: N818 - named for what is wrong, as the domain names its refusals
    """There is no such run."""


class DamagedRun(ResultsError):  # noqa: N818
    """The run folder cannot be read."""


class WrongTable(ResultsError):  # noqa: N818
    """Rows do not have the columns of the table."""


class RunState(ResultsError):  # noqa: N818
    """The run has already ended."""
