"""G5: passwords are stored as salted scrypt hashes only."""

from __future__ import annotations

from o2o_platform.accounts.passwords import hash_password, verify_password


def test_right_password_verifies_and_wrong_one_does_not() -> None:
    stored = hash_password("correct horse")
    assert verify_password("correct horse", stored)
    assert not verify_password("correct horsf", stored)
    assert not verify_password("", stored)


def test_hash_is_salted_and_does_not_hold_the_password() -> None:
    first, second = hash_password("secret-word"), hash_password("secret-word")
    assert first != second
    assert "secret-word" not in first
    assert first.startswith("scrypt$14$8$1$")


def test_account_without_password_accepts_none() -> None:
    assert not verify_password("", None)
    assert not verify_password("anything", None)


def test_unknown_scheme_is_refused() -> None:
    assert not verify_password("x", "md5$1$1$1$00$00")
