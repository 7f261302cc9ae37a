"""Signatures between platform and provider: HMAC-SHA256 with a shared secret.

A pay link carries payment, amount and signature, so that POST /orders calls nobody: the provider believes the link. A
callback carries the signature of its raw body in `X-Signature`.
"""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Signature"


def sign(secret: str, message: bytes) -> str:
    """Hex HMAC-SHA256 of `message`."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def holds(secret: str, message: bytes, signature: str) -> bool:
    """Whether `signature` is that of `message` (compared in constant time)."""
    return hmac.compare_digest(sign(secret, message), signature)


def pay_url(provider_url: str, secret: str, payment_id: int, amount_fen: int) -> str:
    """The link that the user opens (POSTs to) in order to pay."""
    signature = sign(secret, charge(payment_id, amount_fen))
    return f"{provider_url.rstrip('/')}/pay/{payment_id}?amount_fen={amount_fen}&sig={signature}"


def charge(payment_id: int, amount_fen: int) -> bytes:
    """What a pay link's signature is over."""
    return f"pay:{payment_id}:{amount_fen}".encode()
