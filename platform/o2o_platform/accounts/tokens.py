"""Bearer tokens: signed JWTs (HS256) that carry all a request needs to know of its user (G5).

Decides the claims and their check against the injected clock. Leaves the secret and the lifetime to the settings, and
what a role may do to `o2o_domain.roles`. A token holds role, ref, segment and merchant, so that a request on the hot
path needs no read of the accounts table; a change of role takes effect when the token expires.
"""

from __future__ import annotations

from dataclasses import dataclass

import jwt

from o2o_domain.roles import Role

_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """The account behind a request. `ref` is the name it was created under, unique among accounts."""

    id: int
    role: Role
    ref: str
    segment: str | None = None
    merchant_ref: str | None = None


@dataclass(frozen=True, slots=True)
class BadToken:
    """The token does not speak for anybody: `code` is `token_expired` or `token_invalid`."""

    code: str
    detail: str


def issue_token(secret: str, user: CurrentUser, *, now: float, ttl_s: float) -> str:
    """A token for `user`, valid from `now` (unix seconds) for `ttl_s` seconds."""
    claims: dict[str, object] = {
        "sub": str(user.id),
        "role": user.role.value,
        "ref": user.ref,
        "iat": int(now),
        "exp": int(now + ttl_s),
    }
    if user.segment is not None:
        claims["seg"] = user.segment
    if user.merchant_ref is not None:
        claims["mer"] = user.merchant_ref
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def read_token(secret: str, token: str, *, now: float) -> CurrentUser | BadToken:
    """The user that `token` speaks for at `now`, or why it speaks for nobody. Only HS256 is taken, never `none`."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            # Expiry is checked below, on the injected clock; PyJWT would look at the machine's.
            options={"verify_exp": False, "verify_iat": False, "require": ["sub", "role", "ref", "exp"]},
        )
        user = CurrentUser(
            id=int(claims["sub"]),
            role=Role(claims["role"]),
            ref=str(claims["ref"]),
            segment=claims.get("seg"),
            merchant_ref=claims.get("mer"),
        )
        expires = float(claims["exp"])
    except (jwt.InvalidTokenError, ValueError, TypeError):
        return BadToken("token_invalid", "the bearer token is not one of ours")
    if now >= expires:
        return BadToken("token_expired", "the bearer token has expired")
    return user
