"""G5: bearer tokens are signed, expire on the injected clock, and cannot be forged or unsigned."""

from __future__ import annotations

import jwt
import pytest

from o2o_domain.roles import Role
from o2o_platform.accounts.tokens import BadToken, CurrentUser, issue_token, read_token

SECRET = "a-secret-that-is-long-enough-for-every-one-of-the-HMAC-algorithms"
USER = CurrentUser(id=7, role=Role.MERCHANT, ref="m-7", segment=None, merchant_ref="merchant-3")


def test_round_trip_keeps_every_field() -> None:
    token = issue_token(SECRET, USER, now=1000.0, ttl_s=60)
    assert read_token(SECRET, token, now=1059.9) == USER


def test_expires_at_the_end_of_its_lifetime() -> None:
    token = issue_token(SECRET, USER, now=1000.0, ttl_s=60)
    expired = read_token(SECRET, token, now=1060.0)
    assert isinstance(expired, BadToken)
    assert expired.code == "token_expired"


def test_another_secret_is_invalid() -> None:
    token = issue_token("another-secret-of-more-than-32-bytes!!!", USER, now=1000.0, ttl_s=60)
    refused = read_token(SECRET, token, now=1001.0)
    assert isinstance(refused, BadToken)
    assert refused.code == "token_invalid"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not-a-token",
        jwt.encode({"sub": "1", "role": "admin", "ref": "x", "exp": 9e9}, None, algorithm="none"),
        jwt.encode({"sub": "1", "role": "emperor", "ref": "x", "exp": 9e9}, SECRET, algorithm="HS256"),
        jwt.encode({"sub": "one", "role": "admin", "ref": "x", "exp": 9e9}, SECRET, algorithm="HS256"),
        jwt.encode({"sub": "1", "role": "admin", "exp": 9e9}, SECRET, algorithm="HS256"),
        jwt.encode({"sub": "1", "role": "admin", "ref": "x", "exp": 9e9}, SECRET, algorithm="HS512"),
    ],
    ids=["empty", "garbage", "unsigned", "unknown role", "sub not a number", "no ref", "other algorithm"],
)
def test_forged_tokens_are_invalid(token: str) -> None:
    refused = read_token(SECRET, token, now=1.0)
    assert isinstance(refused, BadToken)
    assert refused.code == "token_invalid"


def test_a_changed_payload_is_invalid() -> None:
    token = issue_token(SECRET, USER, now=1000.0, ttl_s=60)
    other = issue_token(SECRET, CurrentUser(id=1, role=Role.ADMIN, ref="root"), now=1000.0, ttl_s=60)
    head, _, signature = token.split(".")
    spliced = ".".join([head, other.split(".")[1], signature])
    assert isinstance(read_token(SECRET, spliced, now=1001.0), BadToken)
