"""The order path's rows, its reference's script, and the command that has a default."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from o2o_cli.bench import order_path, pgbench, runner
from o2o_cli.bench.order_path import Mode, reference_script, rows
from o2o_cli.errors import UsageError
from o2o_loadtest.peak.figures import Figures, figures
from o2o_loadtest.peak.world import Shop, Size, World


def placed(per_s: float) -> Figures:
    return figures("closed", 10.0, Counter({201: int(per_s * 10)}), [0.01], cpu_s=0.1, epoch=0.0)


def mode(*pairs: tuple[float, float, float], p99_s: float = 0.02, late_s: float = 0.0, failed: int = 0) -> Mode:
    """Pairs are (ours, pgbench with 8 clients, with 16)."""
    runs = [
        [pgbench.Pgbench(n, 10, 100, tps, 1.0, 0) for n, tps in zip(pgbench.CLIENTS, two, strict=True)]
        for _, *two in pairs
    ]
    statuses = Counter({201: 100, 503: failed})
    opened = figures("open", 10.0, statuses, [p99_s], [late_s], cpu_s=0.0, epoch=0.0)
    return Mode([placed(ours) for ours, _, _ in pairs], runs, opened)


def test_the_reference_is_the_better_number_of_clients() -> None:
    off, on, *_ = rows({"off": mode((1000, 900, 1000)), "on": mode((780, 1000, 900))})
    assert (off.ratio, off.verdict) == (1.0, "PASS")
    assert (on.ratio, on.target, on.verdict) == (0.78, 0.8, "SHORT")


def test_percentiles_do_not_count_when_the_generator_was_late_or_orders_failed() -> None:
    fine = mode((1, 1, 1))
    for odd, why in ((mode((1, 1, 1), late_s=0.1), "late"), (mode((1, 1, 1), failed=2), "2 of 102 orders")):
        *_, p99_off, p99_on = rows({"off": fine, "on": odd})
        assert (p99_off.ours, p99_off.verdict) == (20.0, "PASS")
        assert p99_on.verdict == "INVALID"
        assert why in p99_on.why


def test_without_pgbench_the_rates_are_not_measured() -> None:
    off, on, p99, _ = rows({name: Mode([placed(1000)], [], mode((1, 1, 1)).open) for name in ("off", "on")})
    assert [off.verdict, on.verdict, p99.verdict] == ["NOT MEASURED", "NOT MEASURED", "PASS"]
    assert "pgbench is not installed" in off.why


def test_the_reference_draws_from_the_same_world() -> None:
    shops = [Shop(5 + n, 30.0, 120.0, [40 + 3 * n, 41 + 3 * n, 42 + 3 * n]) for n in range(4)]
    script = reference_script(World([], [], shops, []), Size(merchants=4, dishes=3, users=70, coupons=6))
    for line in ("first_merchant 5", "merchants 4", "first_dish 40", "dishes 3", "users 70", "coupons 6"):
        assert f"\\set {line}\n" in script
    shops[2].dishes[0] = 99
    with pytest.raises(UsageError, match="number merchants and dishes"):
        reference_script(World([], [], shops, []), Size(merchants=4, dishes=3))


@pytest.mark.parametrize("words", [[], ["pricing"], ["--smoke", "pricing"], ["hot-paths", "pricing"]])
def test_the_first_word_may_be_left_out(words: list[str], o2o: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(runner, "run_bench", lambda names, **kwargs: asked.append((names, kwargs["smoke"])) or 0)
    assert o2o("bench", *words).code == 0
    assert asked == [(["pricing"] if "pricing" in words else [], "--smoke" in words)]


def test_the_order_path_is_asked_for_by_name(o2o: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(order_path, "run_order_path", lambda **kwargs: asked.append(kwargs) or 1)
    assert o2o("bench", "order-path", "--pairs", "2", "--gate").code == 1
    assert (asked[0]["pairs"], asked[0]["seconds"], asked[0]["gate"]) == (2, 10.0, True)
