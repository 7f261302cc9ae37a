"""`compare`: variants of a scenario, replicated on common random numbers, as a comparison of paired differences.

Decides the whole and its stopping rule: the number of replications is fixed before the first run. Leaves what may be
said of the figures to `o2o_results.comparison`, pictures to the report and texts like `--vary` to the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from o2o_results.comparison import Comparison
from o2o_results.comparison import Variant as Measured
from o2o_results.manifest import git_commit, machine, versions
from o2o_scenarios.loader import scenario_hash
from o2o_sim.errors import ComparisonStopped
from o2o_sim.experiments.engine import Done, plan, run_here, run_in_processes
from o2o_sim.experiments.metrics import shown_for
from o2o_sim.experiments.store import Store
from o2o_sim.experiments.variants import Variant, check, key, replication_seed
from o2o_sim.model_run import Stop


def compare(
    variants: Sequence[Variant],
    replications: int,
    *,
    workers: int = 1,
    out: Path | None = None,
    progress: Done | None = None,
    stop: Stop | None = None,
    confidence: float = 0.95,
) -> Comparison:
    """Run every variant `replications` times and set the others against the first.

    Replication r has the same seed in every variant, derived from the scenario's. Finished runs are kept in
    `out`/replications.jsonl as they come, and not run again by a later call with the same scenarios, whatever the
    labels, their order or the number of replications. `workers` > 1 uses that many processes; the figures are the same.
    `progress(done, all)` is called after each run, counting those found in `out`.

    Raises ExperimentError for variants that cannot be compared, ComparisonStopped after `stop()` was true, SimError
    when a variant cannot be simulated; KeyboardInterrupt passes through with nothing lost that was finished.
    """
    check(variants, replications)
    store = Store(out)
    wanted = [key(variant, replication) for replication in range(replications) for variant in variants]
    tasks = plan(variants, replications, store, together=variants[0].scenario.kind == "pools")

    def count() -> int:
        return sum(name in store.done for name in wanted)

    def finished() -> None:
        if progress is not None:
            progress(count(), len(wanted))

    finished()
    if workers > 1 and len(tasks) > 1:
        complete = run_in_processes(tasks, store, finished, stop, min(workers, len(tasks)))
    else:
        complete = run_here(tasks, store, finished, stop)
    if not complete:
        where = "" if out is None else f"; the same command goes on from {out}"
        raise ComparisonStopped(f"stopped after {count()} of {len(wanted)} runs{where}")
    return _comparison(variants, replications, store, confidence)


def _comparison(variants: Sequence[Variant], replications: int, store: Store, confidence: float) -> Comparison:
    base = variants[0].scenario
    metrics = shown_for(variant.scenario for variant in variants)
    measured = []
    for variant in variants:
        runs = [store.done[key(variant, replication)] for replication in range(replications)]
        measured.append(Measured(variant.label, {m.name: [run.metrics[m.name] for run in runs] for m in metrics}))
    return Comparison(
        title=base.title or base.name,
        metrics=metrics,
        variants=tuple(measured),
        baseline=variants[0].label,
        stopping_rule=f"{replications} replications of each variant, fixed before the first run",
        confidence=confidence,
        story=base.story,
        facts={
            "scenario": base.name,
            "kind": base.kind,
            "seed": base.seed,
            "seeds": [replication_seed(base.seed, replication) for replication in range(replications)],
            "scenario_hashes": {variant.label: scenario_hash(variant.scenario) for variant in variants},
            "git_commit": git_commit(),
            "versions": versions(),
            "machine": machine(),
        },
    )
