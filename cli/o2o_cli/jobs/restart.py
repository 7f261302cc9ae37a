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
    """The settings with the secrets kept beside the database, made on its first start.

    A secret that an O2O_* variable gives is left alone. Raises UsageError when the file cannot be read.
    """
    database = database_file(settings)
    wanted = [name for name in SECRETS if f"O2O_{name.upper()}" not in os.environ]
    if database is None or not wanted:
        return settings
    path = database.with_name(database.name + ".secrets")
    if path.exists():
        try:
            kept = {name: str(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError) as error:
            raise UsageError(f"{path}: the kept secrets cannot be read ({error}); remove it to make new ones") from None
        return replace(settings, **{name: kept[name] for name in wanted if name in kept})  # type: ignore[arg-type]
    fresh = {name: getattr(settings, name) for name in wanted}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(fresh, file)
    return settings


def payments_journal(settings: Settings) -> Path | None:
    """Where the sandbox provider writes down its charges."""
    database = database_file(settings)
    return None if database is None else database.with_name(database.name + ".payments")
