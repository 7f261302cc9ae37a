"""Settings of a platform: out of a scenario, out of a file, handed to the processes of a set.

Decides where a setting comes from and how it is passed on. What it means is o2o_platform's business.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from difflib import get_close_matches
from pathlib import Path

from o2o_cli.errors import UsageError
from o2o_domain.pools import IDLE_DAYS
from o2o_platform.errors import PlatformError
from o2o_platform.settings import Settings
from o2o_scenarios.schema import Scenario


def settings_for(scenario: Scenario) -> Settings:
    """The settings under which a live run of this scenario meets the rules that the model uses.

    City durations (patience, promise, days of pools) are divided by the clock's speed; print and payment times are not.
    """
    speed = scenario.clock.speed
    printing, dispatch, fees, pool = scenario.printing, scenario.dispatch, scenario.fees, scenario.crm.pool
    breaker = scenario.platform.breaker
    settings = Settings(
        helper_timeout_s=breaker.timeout_s,
        breaker_failures=breaker.failures,
        breaker_open_s=breaker.open_s,
        payment_deadline_s=scenario.platform.payment.deadline_s,
        reconcile_interval_s=scenario.platform.payment.reconcile_interval_s,
        reconcile_grace_s=scenario.platform.payment.reconcile_grace_s,
        print_max_attempts=printing.max_attempts,
        print_backoff_s=printing.retry_backoff_s,
        print_ack_timeout_s=printing.ack_timeout_s,
        print_deadline_s=printing.deadline_s,
        dispatch_rule=dispatch.rule,
        dispatch_max_radius_m=dispatch.max_radius_m,
        dispatch_patience_s=dispatch.patience_s / speed,
        delivery_base_fen=fees.delivery_base_fen,
        delivery_free_over_fen=fees.delivery_free_over_fen,
        delivery_per_km_fen=fees.delivery_per_km_fen,
        delivery_free_km=fees.delivery_free_km,
        commission_share=fees.commission_share,
        promise_s=scenario.slo.promise_min * 60.0 / speed,
        pool_quota=pool.quota,
        pool_term_days=pool.term_days / speed,
        pool_visit_days=pool.visit_days / speed,
        pool_contract_days=pool.contract_days / speed,
        pool_extension_days=pool.extension_days / speed,
        pool_max_extensions=pool.max_extensions,
        pool_extension_resets=pool.extension_resets,
        pool_idle_days=IDLE_DAYS / speed,
    )
    if printing.age == "app_printer":  # an app waits for its printer as long as a dispatcher does for a cloud printer
        settings = replace(settings, print_result_s=printing.ack_timeout_s)
    return settings


def write_settings(settings: Settings, path: Path) -> None:
    """Leave settings for `o2o serve --settings`; the file holds secrets, so only its owner may read it."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(settings)), encoding="utf-8")


def read_settings(path: Path) -> Settings:
    """Settings from a JSON file over those of the environment. Raises UsageError naming file and field."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--settings {path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(f"--settings {path}: not JSON ({error})") from None
    if not isinstance(given, dict):
        raise UsageError(f'--settings {path}: one JSON object is wanted, e.g. {{"readers": 4}}')
    known = sorted(field.name for field in fields(Settings))
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`? " if near else ""
            raise UsageError(f"--settings {path}: unknown setting `{name}`; {hint}allowed: {', '.join(known)}")
    settings = Settings.from_env()
    try:
        return replace(settings, **given)
    except PlatformError as error:
        raise UsageError(f"--settings {path}: {error}") from None


def chosen_settings(file: Path | None, *, database: str | None = None, redis: str | None = None) -> Settings:
    """The settings of a process: O2O_* variables, over them a file, over that what the command line says.

    Raises UsageError, also when PostgreSQL is chosen without Redis.
    """
    chosen = read_settings(file) if file else Settings.from_env()
    if database:
        chosen = replace(chosen, database_url=database)
    if redis:
        chosen = replace(chosen, redis_url=redis)
    if scaled(chosen) and not chosen.redis_url:
        raise UsageError("a platform on PostgreSQL needs Redis for its stream: --redis redis://127.0.0.1:6379/0")
    return chosen


def scaled(settings: Settings) -> bool:
    """Whether the platform is made of several processes: on PostgreSQL, not on SQLite."""
    return settings.database_url.startswith("postgresql:")


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a process these settings; they hold secrets, which only its owner can read there."""
    return {f"O2O_{name.upper()}": str(value) for name, value in asdict(settings).items()}
