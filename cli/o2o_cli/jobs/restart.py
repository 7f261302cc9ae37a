"""What a served platform keeps beside its database, so that a restart goes on where it was.

Decides the files: `DATABASE.secrets` (signing keys of tokens, pay links and callbacks, readable by its owner only) and
`DATABASE.payments` (the sandbox provider's journal). A database in memory keeps nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from o2o_cli.errors import UsageError
from o2o_platform.settings import Settings

SECRETS = ("jwt_secret", "provider_secret")
_SQLITE = "sqlite:///"


def database_file(settings: Settings) -> Path | None:
    """The file of a SQLite database; None for one in memory or elsewhere."""
    url = settings.database_url
    name = url.removeprefix(_SQLITE)
    return Path(name) if url.startswith(_SQLITE) and name and not name.startswith(":") else None


def with_kept_secrets(settings: Settings) -> Settings:
    """The settings with the secrets that an earlier start kept beside the database, if there was one.

    A secret that an O2O_* variable gives is left alone. Raises UsageError when the file cannot be read.
    """
    path = _secrets_file(settings)
    if path is None or not path.exists():
        return settings
    try:
        kept = {name: str(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"{path}: the kept secrets cannot be read ({error}); remove it to make new ones") from None
    wanted = [name for name in SECRETS if name in kept and f"O2O_{name.upper()}" not in os.environ]
    return replace(settings, **{name: kept[name] for name in wanted})  # type: ignore[arg-type]


def keep_secrets(settings: Settings) -> None:
    """Keep the secrets for the next start; a file that is there already is left alone."""
    path = _secrets_file(settings)
    if path is None or path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({name: getattr(settings, name) for name in SECRETS}, file)


def _secrets_file(settings: Settings) -> Path | None:
    database = database_file(settings)
    return None if database is None else database.with_name(database.name + ".secrets")


def payments_journal(settings: Settings) -> Path | None:
    """Where the sandbox provider writes down its charges."""
    database = database_file(settings)
    return None if database is None else database.with_name(database.name + ".payments")
