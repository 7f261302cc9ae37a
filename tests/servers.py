"""Real PostgreSQL and Redis for tests: each test in a database and under a key prefix of its own.

O2O_TEST_DATABASE_URL and O2O_TEST_REDIS_URL say where the servers are, else the default ports on 127.0.0.1. Where one
is missing the test is skipped, loudly; with O2O_REQUIRE_ALL=1 it fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Thread
from typing import Any

import asyncpg
import pytest
import redis
from sqlalchemy import make_url

POSTGRES = os.environ.get("O2O_TEST_DATABASE_URL", "postgresql://root@127.0.0.1:5432/test")
REDIS = os.environ.get("O2O_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


def missing(what: str) -> None:
    """Skip, or fail where everything is required."""
    message = f"NOT TESTED: {what}"
    if os.environ.get("O2O_REQUIRE_ALL") == "1":
        pytest.fail(message)
    pytest.skip(message)


def _run(work: Any) -> Any:
    """The result of a coroutine, whether or not a loop is running on this thread."""
    box: list[Any] = []

    def go() -> None:
        try:
            box.append(asyncio.run(work))
        except BaseException as error:
            box.append(error)

    thread = Thread(target=go)
    thread.start()
    thread.join()
    if isinstance(box[0], BaseException):
        raise box[0]
    return box[0]


async def _execute(url: str, *statements: str) -> None:
    conn = await asyncpg.connect(url, timeout=5)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


@cache
def _why_no_postgres() -> str:
    try:
        _run(_execute(POSTGRES, "SELECT 1"))
    except Exception as error:  # whatever is in the way, these tests cannot be run
        return f"no PostgreSQL at {POSTGRES} ({type(error).__name__}: {error}), set O2O_TEST_DATABASE_URL"
    return ""


@cache
def _why_no_redis() -> str:
    try:
        redis.Redis.from_url(REDIS, socket_timeout=5).ping()
    except Exception as error:  # the same
        return f"no Redis at {REDIS} ({type(error).__name__}: {error}), set O2O_TEST_REDIS_URL"
    return ""


_EMPTY = """
DO $$
DECLARE name text;
BEGIN
    SET LOCAL session_replication_role = replica;  -- neither foreign keys nor append-only tables mind
    FOR name IN SELECT quote_ident(tablename) FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
    FOR name IN SELECT quote_ident(sequencename) FROM pg_sequences WHERE schemaname = 'public'
    LOOP PERFORM setval(name::regclass, 1, false); END LOOP;
END $$"""
_LEAVE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_made: list[str] = []
_free: list[str] = []


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of a database without a row in it that nobody else uses meanwhile.

    It may have its tables already: dropping a database makes the whole server write everything down, so one that a
    test has done with is emptied and given to the next; all are dropped at the end of the session.
    """
    if why := _why_no_postgres():
        missing(why)
    if _free:
        url = _free.pop()
    else:
        name = f"o2o_test_{secrets.token_hex(6)}"
        _run(_execute(POSTGRES, f"CREATE DATABASE {name}"))
        _made.append(name)
        url = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    try:
        yield url
    finally:
        with contextlib.suppress(asyncpg.PostgresError):  # a test may have done with it what it liked
            _run(_execute(url, _LEAVE, _EMPTY))
            _free.append(url)


def drop_databases() -> None:
    """At the end of the session."""
    _free.clear()
    while _made:
        _run(_execute(POSTGRES, f"DROP DATABASE IF EXISTS {_made.pop()} WITH (FORCE)"))


@contextmanager
def redis_prefix() -> Iterator[tuple[str, str]]:
    """(URL, key prefix) of a corner of Redis that is emptied afterwards."""
    if why := _why_no_redis():
        missing(why)
    prefix = f"o2o-test-{secrets.token_hex(6)}"
    try:
        yield REDIS, prefix
    finally:
        client = redis.Redis.from_url(REDIS, socket_timeout=5)
        with contextlib.suppress(redis.RedisError):
            for key in client.scan_iter(f"{prefix}*", count=1000):
                client.delete(key)
        client.close()
