"""Bearer tokens: signed JWTs (HS256) that carry all a request needs to know of its user (G5).

Decides the claims and their check against the injected clock. Leaves the secret and the lifetime to the settings, and
what a role may do to `o2o_domain.roles`. A token holds role, ref, segment and merchant, so that a request on the hot
path needs no read of the accounts table; a change of role takes effect when the token expires.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

import jwt
import msgspec
from jwt.types import Options

from o2o_domain.roles import Role

_ALGORITHM = "HS256"
_HEAD = jwt.encode({}, "0" * 32, algorithm=_ALGORITHM).split(".")[0] + "."
"""How all our tokens begin."""


class _Claims(msgspec.Struct):
    sub: str
    role: str
    ref: str
    exp: float
    seg: str | None = None
    mer: str | None = None


_decoder = msgspec.json.Decoder(_Claims)


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
    found = read_until(secret, token, now=now)
    return found if isinstance(found, BadToken) else found[0]


def read_until(secret: str, token: str, *, now: float) -> tuple[CurrentUser, float] | BadToken:
    """The same, with the unix second from which on the token speaks for nobody."""
    try:
        claims = _claims(secret, token)
        user = CurrentUser(int(claims.sub), Role(claims.role), claims.ref, claims.seg, claims.mer)
    except (jwt.InvalidTokenError, msgspec.DecodeError, ValueError, TypeError):
        return BadToken("token_invalid", "the bearer token is not one of ours")
    if now >= claims.exp:
        return BadToken("token_expired", "the bearer token has expired")
    return user, claims.exp


def _claims(secret: str, token: str) -> _Claims:
    """What a token claims, if its signature holds."""
    signed, _, signature = token.rpartition(".")
    if not signed.startswith(_HEAD):  # not as we write it: let the library look at it
        # Expiry is checked by the caller, on the injected clock; PyJWT would look at the machine's.
        options: Options = {"verify_exp": False, "verify_iat": False, "require": ["sub", "role", "ref", "exp"]}
        return msgspec.convert(jwt.decode(token, secret, algorithms=[_ALGORITHM], options=options), _Claims)
    # The whole of HS256: a tenth of what the library takes, and each user's first request pays for it.
    mac = hmac.digest(secret.encode(), signed.encode(), "sha256")
    if not hmac.compare_digest(urlsafe_b64encode(mac).rstrip(b"="), signature.encode()):
        raise jwt.InvalidSignatureError
    return _decoder.decode(urlsafe_b64decode(signed[len(_HEAD) :] + "=="))
