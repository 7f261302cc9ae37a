"""HTTP Digest authentication of printers (RFC 7616), the server's side, without any memory.

Decides what a challenge holds and whether an answer to one is right. A nonce is its time of issue, signed with the
platform's key: every worker can check every other's, and none survives `LIFE_S` (the answer then is "stale", and the
device tries again with a fresh one, without asking anybody for a password). What a stateless nonce cannot do is to see
one request twice: within LIFE_S a request that somebody has overheard can be repeated. Repeated results and status are
harmless; TLS is for whoever minds the rest.

MD5 is offered before SHA-256, against the RFC's order: firmware that knows only MD5 takes the first challenge that it
shown, and a client that knows both takes the stronger one whatever the order.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
from collections.abc import Callable
from enum import StrEnum

LIFE_S = 300.0
"""How long a nonce is good for, seconds."""
AHEAD_S = 5.0
"""Clocks of two workers differ by less."""
_HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
_STAMP = struct.Struct(">Q")
_SIGNATURE = 16
_PAIR = re.compile(r'\s*([A-Za-z][\w*-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|\Z)')
_ESCAPED = re.compile(r"\\(.)")
_COUNT = re.compile(r"[0-9a-fA-F]{8}\Z")
HEADER_CHARS = 2048


class Verdict(StrEnum):
    """On an Authorization header."""

    RIGHT = "right"
    STALE = "stale"
    """Everything fits, and the nonce is too old."""
    WRONG = "wrong"


def fields_of(header: str) -> dict[str, str] | None:
    """The parameters of an Authorization header, names in lower case; None if it is no Digest header."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "digest" or len(header) > HEADER_CHARS:
        return None
    found: dict[str, str] = {}
    at = 0
    rest = rest.strip()
    while at < len(rest):
        pair = _PAIR.match(rest, at)
        if pair is None or pair[1].lower() in found:
            return None
        found[pair[1].lower()] = pair[3] if pair[2] is None else _ESCAPED.sub(r"\1", pair[2])
        at = pair.end()
    return found


class Digest:
    """Challenges and checks for one realm. `key`: the platform's, the same in every worker."""

    def __init__(self, realm: str, key: bytes) -> None:
        self._realm = realm
        self._key = key

    def challenges(self, now: float, *, stale: bool = False) -> list[str]:
        """Values of WWW-Authenticate, one header each."""
        nonce, more = self._nonce(now), ", stale=true" if stale else ""
        return [
            f'Digest realm="{self._realm}", qop="auth", algorithm={name}, nonce="{nonce}", charset=UTF-8{more}'
            for name in _HASHES
        ]

    def check(self, header: str, method: str, target: str, name: str, secret: str, now: float) -> Verdict:
        """Whether `header` shows that its sender knows `secret`. `target`: path and query of the request."""
        fields = fields_of(header)
        if fields is None:
            return Verdict.WRONG
        hashed = _HASHES.get(fields.get("algorithm", "MD5").upper())
        uri, count = fields.get("uri", ""), fields.get("nc", "")
        if (
            hashed is None
            or fields.get("username") != name
            or fields.get("realm") != self._realm
            or fields.get("qop") != "auth"
            or not _COUNT.match(count)
            or not fields.get("cnonce")
            or _path(uri) != target
        ):
            return Verdict.WRONG
        issued = self._issued(fields.get("nonce", ""))
        if issued is None:
            return Verdict.WRONG
        first = hashed(f"{name}:{self._realm}:{secret}".encode())
        second = hashed(f"{method}:{uri}".encode())
        proof = ":".join((first, fields["nonce"], count, fields["cnonce"], "auth", second))
        if not hmac.compare_digest(hashed(proof.encode()), fields.get("response", "").lower()):
            return Verdict.WRONG
        return Verdict.RIGHT if -AHEAD_S <= now - issued <= LIFE_S else Verdict.STALE

    def _nonce(self, now: float) -> str:
        stamp = _STAMP.pack(int(now * 1000))
        return base64.urlsafe_b64encode(stamp + self._signature(stamp)).decode()

    def _issued(self, nonce: str) -> float | None:
        """When one of ours was made; None if it is not."""
        try:
            raw = base64.urlsafe_b64decode(nonce.encode("ascii"))
        except (binascii.Error, UnicodeEncodeError):
            return None
        stamp, signature = raw[: _STAMP.size], raw[_STAMP.size :]
        if len(stamp) != _STAMP.size or not hmac.compare_digest(signature, self._signature(stamp)):
            return None
        return float(_STAMP.unpack(stamp)[0]) / 1000.0

    def _signature(self, stamp: bytes) -> bytes:
        return hmac.digest(self._key, stamp + self._realm.encode(), "sha256")[:_SIGNATURE]


def _path(uri: str) -> str:
    """Path and query of a URI, which some clients write out in full."""
    if "://" in uri[:8]:
        _, _, rest = uri.partition("://")
        _, slash, path = rest.partition("/")
        return slash + path
    return uri
