"""A whole live run against a scaled set of its own, on a database that is lent: audited clean, and gone afterwards."""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from o2o_cli.jobs import deployment as deployment_module
from o2o_cli.jobs import world
from o2o_cli.jobs.deployment import Deployment
from o2o_cli.jobs.live import compressed, run_load


@pytest.fixture(scope="module")
def servers() -> Any:
    spec = importlib.util.spec_from_file_location("test_servers", Path(__file__).parents[1] / "servers.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def databases(url: str) -> set[str]:
    conn = await asyncpg.connect(url)
    try:
        return {row[0] for row in await conn.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'o2o_run_%'")}
    finally:
        await conn.close()


def test_a_run_on_given_servers_keeps_every_promise_and_leaves_them_clean(
    small: Any, servers: Any, processes_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = secrets.token_hex(6)
    monkeypatch.setattr(deployment_module.secrets, "token_hex", lambda _: mark)
    scenario = compressed(small, speed=None, duration_s=None, drain_s=None)
    with servers.postgres_database() as database, servers.redis_prefix() as (redis_url, _):
        client = redis.Redis.from_url(redis_url)
        deployment = Deployment(workers=2, database=database, redis=redis_url)
        run = run_load(
            scenario,
            built=world.build(scenario, quiet=True),
            deployment=deployment,
            out=tmp_path / "run",
            quiet=True,
        )
        assert f"o2o_run_{mark}" not in asyncio.run(databases(database))
        assert list(client.scan_iter(f"o2o_run_{mark}*", count=1000)) == []
        client.close()
    manifest = run.manifest
    assert manifest.status == "finished"
    assert manifest.notes["deployment"]["workers"] == 2
    assert manifest.verdicts
    assert [verdict for verdict in manifest.verdicts if not verdict.ok] == []
    rows = run.table("orders").to_pylist()
    assert sum(row["state"] == "delivered" for row in rows) > 0.7 * sum(row["kind"] == "order" for row in rows)
    assert not (tmp_path / "run" / "up").exists()
    assert (tmp_path / "run" / "logs" / "relay.log").exists()
    assert processes_of(tmp_path / "run") == []
