"""Variants and replications as values: which scenarios are compared, and on which seeds.

Decides how the seed of a replication follows from the scenario's, and how a single run is addressed. Leaves making
scenarios from `--vary` texts to the caller, running to `engine` and keeping results to `store`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from o2o_scenarios.loader import scenario_hash
from o2o_scenarios.schema import Scenario
from o2o_sim.errors import ExperimentError


@dataclass(frozen=True)
class Variant:
    """One scenario of a comparison and the label it goes by, e.g. "crm.pool.quota=40"."""

    label: str
    scenario: Scenario


def replication_seed(seed: int, replication: int) -> int:
    """The seed of replication 0, 1, ... of a scenario with this seed, in 0..2**63 - 1.

    The same for every variant, so that replication r of two variants meets the same city, leads and luck. More
    replications add seeds and change none.
    """
    words = np.random.SeedSequence((seed, replication)).generate_state(1, np.uint64)
    return int(words[0]) >> 1


def replicate(scenario: Scenario, replication: int) -> Scenario:
    """The scenario of one replication: the same but for its seed."""
    return scenario.model_copy(update={"seed": replication_seed(scenario.seed, replication)})


def key(variant: Variant, replication: int) -> str:
    """The address of one run: equal for equal scenario and replication, whatever the label."""
    return f"{scenario_hash(variant.scenario)[:16]}-{replication}"


def check(variants: Sequence[Variant], replications: int) -> None:
    """Raises ExperimentError unless the variants can be compared: two or more, distinct, of one kind and one seed."""
    labels = [variant.label for variant in variants]
    if len(variants) < 2:
        raise ExperimentError(f"a comparison needs at least 2 variants, not {len(variants)}")
    if len(set(labels)) != len(labels):
        raise ExperimentError(f"the variants' labels must differ: {', '.join(labels)}")
    hashes = [scenario_hash(variant.scenario) for variant in variants]
    for place, code in enumerate(hashes):
        if code in hashes[:place]:
            raise ExperimentError(f"{labels[hashes.index(code)]} and {labels[place]} are the same scenario")
    if len({variant.scenario.kind for variant in variants}) > 1:
        raise ExperimentError("the variants must be of one kind (city or pools)")
    if len({variant.scenario.seed for variant in variants}) > 1:
        raise ExperimentError("the variants must have one seed: they are compared on common random numbers")
    if replications < 2:
        raise ExperimentError(f"a confidence interval needs at least 2 replications, not {replications}")
