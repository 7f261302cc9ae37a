"""What a served platform keeps beside its database for the next start."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from o2o_cli.errors import UsageError
from o2o_cli.jobs.restart import keep_secrets, payments_journal, with_kept_secrets
from o2o_platform.settings import Settings


def settings(folder: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'lunch.db'}")


def test_the_second_start_has_the_secrets_of_the_first(tmp_path: Path) -> None:
    first = with_kept_secrets(settings(tmp_path))
    keep_secrets(first)
    second = with_kept_secrets(settings(tmp_path))
    keep_secrets(settings(tmp_path))  # a later start changes nothing
    assert with_kept_secrets(settings(tmp_path)).jwt_secret == first.jwt_secret
    assert (second.jwt_secret, second.provider_secret) == (first.jwt_secret, first.provider_secret)
    assert stat.S_IMODE((tmp_path / "lunch.db.secrets").stat().st_mode) == 0o600


def test_what_a_variable_gives_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings(tmp_path)
    keep_secrets(first)
    monkeypatch.setenv("O2O_JWT_SECRET", "x" * 64)
    second = with_kept_secrets(settings(tmp_path))
    assert second.jwt_secret != first.jwt_secret
    assert second.provider_secret == first.provider_secret


def test_a_file_that_is_none_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "lunch.db.secrets").write_text("[]")
    with pytest.raises(UsageError, match=r"lunch\.db\.secrets: the kept secrets cannot be read"):
        with_kept_secrets(settings(tmp_path))


def test_a_database_in_memory_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    in_memory = Settings(database_url="sqlite:///:memory:")
    keep_secrets(in_memory)
    assert with_kept_secrets(in_memory) is in_memory
    assert payments_journal(in_memory) is None
    assert list(tmp_path.iterdir()) == []
