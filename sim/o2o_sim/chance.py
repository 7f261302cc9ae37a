"""Chance: one stream of random numbers per seed, purpose and entity (common random numbers).

Decides how a stream is derived from its address, and nothing else: what is drawn belongs to the caller. Two runs that
differ in a policy ask for the same addresses and so meet the same draws; a draw more in one stream shifts no other.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, purpose: str, *entity: int) -> np.random.Generator:
    """The random numbers of one purpose (a dotted name, e.g. "demand.arrivals") and entity (ids, >= 0).

    The same address gives the same numbers in every process and on every machine: the purpose is hashed with BLAKE2,
    not with `hash()`, which Python salts per process.

    >>> bool(stream(7, "a", 1).random() == stream(7, "a", 1).random())
    True
    """
    word = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, word, *entity))))
