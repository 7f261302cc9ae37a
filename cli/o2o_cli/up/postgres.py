"""A PostgreSQL server of a set's own: its programs found, its cluster made, its settings chosen.

Decides where the cluster lies, that it listens on loopback with a password, and that root does not run it (PostgreSQL
refuses that): it is `postgres`', else `nobody`'s. Where that user cannot reach the state folder (it lies in somebody's
home, say), the cluster lies in the machine's folder for temporary files that last, and the state folder points there.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from o2o_cli.errors import UsageError
from o2o_cli.up.child import Program, run_as
from o2o_cli.up.folder import StateFolder
from o2o_cli.up.ports import free_ports, is_free

ROLE = "o2o"
DATABASE = "o2o"
HOST = "127.0.0.1"
PROGRAMS = ("initdb", "postgres")
LASTING = Path("/var/tmp")
USUAL = Path("/usr/lib/postgresql")
UNIX_PATH_BYTES = 80
"""A socket's path may have 107; PostgreSQL adds the file's name."""

SETTINGS = {
    "listen_addresses": HOST,
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "8MB",
    "max_wal_size": "4GB",  # no checkpoint in mid-peak
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",  # compiling costs more than any statement here takes
    "random_page_cost": "1.1",
    "autovacuum_naptime": "10s",  # queues: rows come and go
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
SYNCFS = ("recovery_init_sync_method", "syncfs")
"""After a crash one call instead of an fsync for each of a thousand files, which took 7 s; from version 14 on."""


@dataclass(frozen=True)
class Postgres:
    """The server as a child, and where it is found once it runs."""

    program: Program
    url: str

    async def create_database(self) -> None:
        """Make the database at the first start."""
        conn = await asyncpg.connect(self.url.rpartition("/")[0] + "/postgres")
        try:
            if not await conn.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await conn.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await conn.close()


def own_postgres(folder: StateFolder) -> Postgres:
    """The cluster of a state folder, made if there is none. Raises UsageError naming what is missing."""
    programs = find_programs()
    user = _user()
    password = folder.secret("postgres_password")
    data = _data(folder, user)
    if not (data / "PG_VERSION").exists():
        _make(programs, data, password, user)
    version = _check_version(programs, data)
    port = int(folder.kept("postgres_port", 0))
    if not port or not is_free(port):
        port = free_ports(1)[0]
        folder.keep("postgres_port", port)
    url = f"postgresql://{ROLE}:{password}@{HOST}:{port}/{DATABASE}"
    sockets = str(data) if len(str(data)) <= UNIX_PATH_BYTES else ""
    argv = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-c", f"unix_socket_directories={sockets}"]
    for name, value in [*SETTINGS.items(), *([SYNCFS] if version >= 14 else [])]:
        argv += ["-c", f"{name}={value}"]

    async def answers() -> bool:
        try:
            conn = await asyncpg.connect(url.rpartition("/")[0] + "/postgres", timeout=2.0)
        except (OSError, asyncpg.PostgresError):
            return False
        await conn.close()
        return True

    program = Program(
        "postgres",
        "postgres",
        argv,
        port=port,
        user=user,
        cwd=data,
        stop_signal=signal.SIGINT,  # clients are sent away, nothing needs recovery at the next start
        grace_s=30.0,
        probe=answers,
    )
    return Postgres(program, url)


def find_programs() -> Path:
    """The folder with PostgreSQL's server programs: pg_config's, else the newest of the usual ones."""
    places = []
    if found := shutil.which("pg_config"):
        told = subprocess.run([found, "--bindir"], capture_output=True, text=True, check=False)
        places.append(Path(told.stdout.strip()))
    places += sorted(USUAL.glob("*/bin"), key=_number, reverse=True)
    if found := shutil.which("postgres"):
        places.append(Path(found).parent)
    for place in places:
        if all((place / program).is_file() for program in PROGRAMS):
            return place
    raise UsageError(
        f"PostgreSQL's server programs ({', '.join(PROGRAMS)}) are not on this machine: install them (Debian: "
        "postgresql), put pg_config on PATH, or name a server that runs with --database URL"
    )


def _number(place: Path) -> float:
    try:
        return float(place.parent.name)
    except ValueError:
        return 0.0


def _user() -> str | None:
    """Whom the server is run as; None: whoever runs this."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise UsageError(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody`: run as another user"
    )


def _data(folder: StateFolder, user: str | None) -> Path:
    """The folder of the cluster; it is made, and belongs to the server's user."""
    data = folder.path / "postgres"
    if user is not None and not data.exists() and not _reaches(folder.path, user):
        data.unlink(missing_ok=True)  # a link to what is gone
        data.symlink_to(tempfile.mkdtemp(prefix="o2o-postgres-", dir=LASTING))
    data.mkdir(mode=0o700, exist_ok=True)
    real = data.resolve()
    if user is not None and not any(real.iterdir()):
        shutil.chown(real, user, pwd.getpwnam(user).pw_gid)
    return real


def _reaches(path: Path, user: str) -> bool:
    """Whether a user can get to a folder: all above it let others through."""
    account = pwd.getpwnam(user)

    def passes(place: Path) -> bool:
        told = place.stat()
        bit = 0o100 if told.st_uid == account.pw_uid else 0o010 if told.st_gid == account.pw_gid else 0o001
        return bool(told.st_mode & bit)

    return all(passes(place) for place in (path, *path.parents))


def _make(programs: Path, data: Path, password: str, user: str | None) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="o2o-", suffix=".pw") as file:
        file.write(password)
        file.flush()
        argv = [str(programs / "initdb"), "-D", str(data), "-U", ROLE, "-E", "UTF8", "--locale=C"]
        argv += ["--auth=scram-sha-256", f"--pwfile={file.name}", "--no-instructions"]
        if user is not None:
            shutil.chown(file.name, user)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=data, **run_as(user))
    if done.returncode != 0:
        told = " | ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
        raise UsageError(f"{data}: initdb failed: {told}")


def _check_version(programs: Path, data: Path) -> int:
    """The server's version, which must be the one that made the cluster. Raises UsageError."""
    kept = (data / "PG_VERSION").read_text().strip()
    told = subprocess.run([str(programs / "postgres"), "--version"], capture_output=True, text=True, check=False).stdout
    version = told.split()[2] if len(told.split()) > 2 else "?"
    if version.split(".")[0] != kept.split(".")[0]:
        raise UsageError(f"{data}: made by PostgreSQL {kept}, found is {version} in {programs}; name another --state")
    return int(kept.split(".")[0])


def drop_cluster(folder: StateFolder) -> None:
    """Remove the cluster's data, wherever it lies. The server must have ended."""
    shutil.rmtree((folder.path / "postgres").resolve(), ignore_errors=True)
