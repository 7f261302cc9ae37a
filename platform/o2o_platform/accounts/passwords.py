"""Password hashes: scrypt with a random salt, kept as one self-describing string (G5).

Decides the cost parameters and the stored form `scrypt$log2n$r$p$salt$key` (hex), so that the cost can be raised later
without breaking old hashes. Leaves storage to `repository`. A hash takes tens of milliseconds and 16 MiB by intent:
call it off the event loop.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

_LOG2_N, _R, _P = 14, 8, 1
_SALT_BYTES, _KEY_BYTES = 16, 32


def _derive(password: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    # scrypt needs 128 * n * r bytes; OpenSSL refuses at its default ceiling of 32 MiB, so it is stated with headroom.
    return hashlib.scrypt(
        password.encode(), salt=salt, n=1 << log2_n, r=r, p=p, maxmem=256 * r * (1 << log2_n), dklen=_KEY_BYTES
    )


def hash_password(password: str) -> str:
    """The string to store for `password`; two calls differ, because the salt is random."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt${_LOG2_N}${_R}${_P}${salt.hex()}${_derive(password, salt, _LOG2_N, _R, _P).hex()}"


def verify_password(password: str, stored: str | None) -> bool:
    """Whether `password` is the one behind `stored`.

    `None` (no such account, or a synthetic one without a password) costs as much as a wrong password and is False, so
    that the answer's delay does not tell which names exist.
    """
    if stored is None:
        _derive(password, bytes(_SALT_BYTES), _LOG2_N, _R, _P)
        return False
    scheme, log2_n, r, p, salt, key = stored.split("$")
    if scheme != "scrypt":
        return False
    derived = _derive(password, bytes.fromhex(salt), int(log2_n), int(r), int(p))
    return hmac.compare_digest(derived, bytes.fromhex(key))
