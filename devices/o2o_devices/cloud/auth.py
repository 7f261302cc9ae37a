"""How a printer shows who it is: HTTP Basic (RFC 7617) and Digest (RFC 7616) from the client's side.

Decides what stands in the Authorization header. Digest: MD5 and SHA-256, qop "auth"; the strongest that is offered is
taken, the nonce is kept and counted up, so that only the first request (and one with a stale nonce) is asked twice.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from typing import Protocol

_PARTS = re.compile(r'([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}


class Auth(Protocol):
    """Credentials of a client."""

    def header(self, method: str, target: str) -> str | None:
        """The Authorization header for a request; None: nothing to show yet."""

    def challenged(self, challenges: Sequence[str]) -> bool:
        """The server answered 401 with these WWW-Authenticate headers: whether to ask once more."""


class Basic:
    """Name and password with every request."""

    __slots__ = ("_shown",)

    def __init__(self, user: str, password: str) -> None:
        self._shown = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")

    def header(self, method: str, target: str) -> str | None:
        return self._shown

    def challenged(self, challenges: Sequence[str]) -> bool:
        """They were shown already."""
        return False


class Digest:
    """Name and password, proved and not told. `cnonce` makes the client's nonces (tests of published examples)."""

    __slots__ = ("_challenge", "_cnonce", "_count", "_password", "_user")

    def __init__(self, user: str, password: str, *, cnonce: Callable[[], str] = lambda: os.urandom(12).hex()) -> None:
        self._user = user
        self._password = password
        self._cnonce = cnonce
        self._challenge: dict[str, str] | None = None
        self._count = 0

    def challenged(self, challenges: Sequence[str]) -> bool:
        offers = [offer for text in challenges for offer in _digests(text) if "auth" in _qop(offer)]
        known = [offer for offer in offers if offer.get("algorithm", "MD5").upper() in _HASHES]
        if not known:
            return False
        best = max(known, key=lambda offer: offer.get("algorithm", "MD5").upper() == "SHA-256")
        used = self._challenge is not None and self._count > 0 and self._challenge["nonce"] == best.get("nonce")
        if used or not best.get("nonce"):
            return False  # the same question again: name or password are wrong
        self._challenge, self._count = best, 0
        return True

    def header(self, method: str, target: str) -> str | None:
        challenge = self._challenge
        if challenge is None:
            return None
        self._count += 1
        algorithm = challenge.get("algorithm", "MD5").upper()
        digest = _HASHES[algorithm]
        realm, nonce = challenge.get("realm", ""), challenge["nonce"]
        count, cnonce = f"{self._count:08x}", self._cnonce()
        who = digest(f"{self._user}:{realm}:{self._password}".encode())
        what = digest(f"{method}:{target}".encode())
        response = digest(f"{who}:{nonce}:{count}:{cnonce}:auth:{what}".encode())
        parts = [
            f'username="{self._user}"',
            f'realm="{realm}"',
            f'uri="{target}"',
            f"algorithm={algorithm}",
            f'nonce="{nonce}"',
            f"nc={count}",
            f'cnonce="{cnonce}"',
            "qop=auth",
            f'response="{response}"',
        ]
        if "opaque" in challenge:
            parts.append(f'opaque="{challenge["opaque"]}"')
        return "Digest " + ", ".join(parts)


def _qop(offer: dict[str, str]) -> list[str]:
    return [word.strip() for word in offer.get("qop", "").split(",")]


def _digests(text: str) -> list[dict[str, str]]:
    """The Digest challenges of a WWW-Authenticate header, as parameters."""
    pieces = re.split(r"(?:^|,\s*)Digest\s+", text, flags=re.IGNORECASE)[1:]
    return [{name.lower(): quoted or plain for name, quoted, plain in _PARTS.findall(piece)} for piece in pieces]
