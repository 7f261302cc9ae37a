"""The state folder: one set at a time, secrets of its owner's only, and files replaced in one step."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from o2o_cli.errors import UsageError
from o2o_cli.jobs.platform import environment
from o2o_cli.up.folder import StateFolder, read_json, running, write_json
from o2o_cli.up.ports import FIRST, free_ports, is_free
from o2o_platform.settings import Settings


def test_secrets_are_made_once_and_are_their_owners(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "a" / "b")
    folder.take()
    secret = folder.secret("jwt_secret")
    assert len(secret) > 30
    assert folder.secret("provider_secret") != secret
    folder.keep("port", 5)
    folder.release()
    again = StateFolder(tmp_path / "a" / "b")
    again.take()
    assert (again.secret("jwt_secret"), again.kept("port", 6)) == (secret, 5)
    assert os.stat(tmp_path / "a/b/kept.json").st_mode & 0o077 == 0
    again.release()


def test_one_set_at_a_time(tmp_path: Path) -> None:
    one, two = StateFolder(tmp_path), StateFolder(tmp_path)
    assert running(tmp_path) is None
    one.take()
    write_json(one.up, {"pid": 4711})
    assert running(tmp_path) == 4711
    with pytest.raises(UsageError, match=r"another `o2o up` runs there \(pid 4711\)"):
        two.take()
    one.release()
    assert running(tmp_path) is None
    two.take()
    two.release()


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "up.json"
    write_json(path, {"a": 1})
    with path.open() as old:
        write_json(path, {"a": 2}, mode=0o600)
        assert json.load(old) == {"a": 1}
    assert read_json(path) == {"a": 2}
    path.write_text("{")
    with pytest.raises(UsageError, match="not JSON"):
        read_json(path)


def test_ports_are_free_different_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(FIRST <= port < first_outgoing for port in ports)
    with socket.create_server(("127.0.0.1", ports[0])):
        assert not is_free(ports[0])
        assert is_free(ports[1])
    assert not set(free_ports(5, apart_from=ports)) & set(ports)


def test_settings_reach_a_child_by_its_environment() -> None:
    given = Settings(
        database_url="postgresql://o2o@127.0.0.1/o2o",
        redis_url="redis://127.0.0.1:1/0",
        durable=False,
        connections=3,
        print_backoff_s=0.25,
        enforce_hours=False,
        admin_password="12345",
        log="text",
    )
    assert Settings.from_env(environment(given)) == given
