"""Which scenarios are compared, and on which seeds."""

from __future__ import annotations

import pytest

from o2o_scenarios.loader import load
from o2o_scenarios.schema import Scenario
from o2o_sim.errors import ExperimentError
from o2o_sim.experiments.variants import Variant, check, key, replicate, replication_seed


def pools(quota: int, *, seed: int = 45, days: int = 90) -> Scenario:
    return load("pool_quota", [f"crm.pool.quota={quota}", f"crm.days={days}"], seed=seed)


def test_replications_have_distinct_seeds_that_do_not_depend_on_their_number() -> None:
    seeds = [replication_seed(45, replication) for replication in range(200)]
    assert len(set(seeds)) == 200
    assert replication_seed(45, 7) == seeds[7]
    assert replication_seed(46, 7) != seeds[7]
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_variants_meet_the_same_seed_in_a_replication() -> None:
    few, many = replicate(pools(20), 3), replicate(pools(100), 3)
    assert few.seed == many.seed != pools(20).seed
    assert few == pools(20, seed=few.seed)


def test_a_run_is_addressed_by_scenario_and_replication_not_by_label() -> None:
    assert key(Variant("a", pools(20)), 1) == key(Variant("b", pools(20)), 1)
    assert len({key(Variant("a", pools(quota)), r) for quota in (20, 40) for r in (0, 1)}) == 4


@pytest.mark.parametrize(
    ("variants", "replications", "message"),
    [
        ([Variant("a", pools(20))], 5, "at least 2 variants"),
        ([Variant("a", pools(20)), Variant("a", pools(40))], 5, "labels must differ"),
        ([Variant("a", pools(20)), Variant("b", pools(20))], 5, "a and b are the same scenario"),
        ([Variant("a", pools(20)), Variant("b", pools(40, seed=9))], 5, "one seed"),
        ([Variant("a", pools(20)), Variant("b", Scenario(name="day", seed=45))], 5, "one kind"),
        ([Variant("a", pools(20)), Variant("b", pools(40))], 1, "at least 2 replications"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(variants: list[Variant], replications: int, message: str) -> None:
    with pytest.raises(ExperimentError, match=message) as caught:
        check(variants, replications)
    assert "\n" not in str(caught.value)
