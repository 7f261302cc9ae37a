"""Run the missing replications of a comparison, here or in a pool of processes.

Decides the order (replication by replication, so that a comparison that is cut off has pairs), how work is spread, and
how it ends: on Ctrl-C or `stop` the runs under way are told to stop, what is finished is kept, nothing hangs. Works
under spawn: a worker gets values only.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event as StopFlag
from typing import TYPE_CHECKING, TypeAlias

from o2o_sim.errors import ExperimentError
from o2o_sim.experiments.one_run import Runner
from o2o_sim.experiments.store import Replication, Store
from o2o_sim.experiments.variants import Variant, key
from o2o_sim.model_run import Stop

if TYPE_CHECKING:
    Results: TypeAlias = SimpleQueue[Replication]

Done: TypeAlias = Callable[[int, int], None]
"""Called with the number of finished runs and of all runs."""

POLL_S = 0.2
"""How often `stop` is asked while workers are busy."""


@dataclass(frozen=True)
class Task:
    """Variants of one replication that are still to be run; they share a city."""

    replication: int
    variants: tuple[Variant, ...]


def plan(variants: Sequence[Variant], replications: int, store: Store, *, together: bool) -> list[Task]:
    """The missing runs, replication by replication; with `together` all variants of one are one task."""
    tasks = []
    for replication in range(replications):
        missing = tuple(variant for variant in variants if key(variant, replication) not in store.done)
        if together and missing:
            tasks.append(Task(replication, missing))
        elif not together:
            tasks.extend(Task(replication, (variant,)) for variant in missing)
    return tasks


def run_here(tasks: Sequence[Task], store: Store, finished: Callable[[], None], stop: Stop | None) -> bool:
    """Run the tasks in this process; false when `stop` ended them early."""
    runner = Runner()
    for task in tasks:
        for variant in task.variants:
            found = None if stop is not None and stop() else runner.run(variant, task.replication, stop=stop)
            if found is None:
                return False
            store.add(found)
            finished()
    return True


def run_in_processes(
    tasks: Sequence[Task], store: Store, finished: Callable[[], None], stop: Stop | None, workers: int
) -> bool:
    """Run the tasks in `workers` processes; false when `stop` ended them early.

    KeyboardInterrupt passes through, after the workers have stopped and what they had finished is kept. Raises
    ExperimentError when a worker dies.
    """
    context = multiprocessing.get_context("spawn")
    flag, results = context.Event(), context.SimpleQueue()
    pool = ProcessPoolExecutor(workers, context, _begin, (flag, results))
    waiting: set[Future[None]] = set()
    queue = iter(tasks)
    stopped = False
    try:
        while True:
            while not stopped and len(waiting) < workers + 1 and (task := next(queue, None)) is not None:
                with _sigint_ignored():
                    waiting.add(pool.submit(_work, task))
            if not waiting:
                return not stopped
            done, waiting = wait(waiting, timeout=POLL_S, return_when=FIRST_COMPLETED)
            _keep(results, store, finished)
            for future in done:
                future.result()
            if not stopped and stop is not None and stop():
                stopped = True
                flag.set()
    except KeyboardInterrupt:
        flag.set()
        wait(waiting)
        _keep(results, store, finished)
        raise
    except BrokenProcessPool as error:
        raise ExperimentError("a worker process died (out of memory?); fewer --workers need less") from error
    finally:
        flag.set()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _sigint_ignored() -> Iterator[None]:
    """A process started meanwhile ignores Ctrl-C from its first instant, also while it still imports."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _keep(results: Results, store: Store, finished: Callable[[], None]) -> None:
    while not results.empty():
        store.add(results.get())
        finished()


class _Worker:
    """What a worker process keeps between tasks. A flag and a queue cannot be sent with a task, only at its start."""

    def __init__(self, flag: StopFlag, results: Results) -> None:
        self.runner = Runner()
        self.stopped: Stop = flag.is_set
        self.results = results


_worker: _Worker | None = None


def _begin(flag: StopFlag, results: Results) -> None:
    """In a new worker process. Ctrl-C is the parent's business, which sets the flag."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = _Worker(flag, results)


def _work(task: Task) -> None:
    """In a worker: run one task, hand each finished run over at once, and end early when the flag is set."""
    worker = _worker
    assert worker is not None
    for variant in task.variants:
        found = None if worker.stopped() else worker.runner.run(variant, task.replication, stop=worker.stopped)
        if found is None:
            return
        worker.results.put(found)
