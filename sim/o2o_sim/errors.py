"""The exceptions of o2o_sim. A message is one clear line for the user: file, field or figure, and what is allowed.

SimError
├── CityError        a road graph that cannot be read, or that is of no use
├── DemandError      an order file that cannot be read, or a demand that cannot be generated
└── ExperimentError  variants that cannot be compared, or a damaged file of replications
    └── ComparisonStopped  told to stop before its end
"""

from __future__ import annotations


class SimError(Exception):
    """The simulation cannot go on with this input."""


class CityError(SimError):
    """The city cannot be built: a graph file is missing, malformed, or not connected."""


class DemandError(SimError):
    """The demand cannot be built: an order file is missing or malformed, or a quantity has no meaning here."""


class ExperimentError(SimError):
    """The comparison cannot be made: its variants, replications or stored results do not fit."""


class ComparisonStopped(ExperimentError):  # noqa: N818 - not a mistake: someone asked for it
    """The comparison was stopped before its end; what was finished is kept."""
