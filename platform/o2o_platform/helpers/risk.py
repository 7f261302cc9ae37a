"""Risk scoring as a service of its own (A3): remembers who ordered and where to, and scores with the domain's rule.

Decides what counts as the same address (its text) and that an order is scored once: whoever asks again under the same
key, because the answer was lost on its way, is told the same. A denied order is remembered and counts for nothing.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from o2o_domain.risk import RiskFacts, RiskPolicy, RiskVerdict, assess
from o2o_platform.helpers.service import open_file
from o2o_platform.helpers.wire import RiskAnswer, RiskQuestion

_SCHEMA = """
CREATE TABLE IF NOT EXISTS scored (
    user_id INTEGER NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, amount_fen INTEGER NOT NULL, address TEXT NOT NULL,
    verdict TEXT NOT NULL, score INTEGER NOT NULL, reasons TEXT NOT NULL, PRIMARY KEY (user_id, key)
) WITHOUT ROWID;
"""
_KNOWN = "SELECT verdict, score, reasons FROM scored WHERE user_id = :user_id AND key = :key"
_HISTORY = """
SELECT count(*), coalesce(sum(at > :since), 0), coalesce(sum(address = :address), 0) FROM scored
WHERE user_id = :user_id AND verdict <> :deny
"""
_REMEMBER = """
INSERT INTO scored VALUES (:user_id, :key, :at, :amount_fen, :address, :verdict, :score, :reasons)
"""


class Risk:
    """See the module."""

    name = "risk"
    questions = msgspec.json.Decoder(list[RiskQuestion])

    def __init__(self, data: Path | None = None, policy: RiskPolicy | None = None) -> None:
        self._policy = policy or RiskPolicy()
        self._db = open_file(data, _SCHEMA)

    def answer(self, question: RiskQuestion) -> RiskAnswer:
        """The verdict on an order."""
        order = msgspec.structs.asdict(question)
        known = self._db.execute(_KNOWN, order).fetchone()
        if known is not None:
            return RiskAnswer(RiskVerdict(known[0]), known[1], tuple(known[2].split()))
        since = question.at - self._policy.window_s
        history = {
            "user_id": question.user_id,
            "address": question.address,
            "since": since,
            "deny": RiskVerdict.DENY.value,
        }
        before, in_window, same_address = self._db.execute(_HISTORY, history).fetchone()
        found = assess(RiskFacts(question.amount_fen, in_window, before, same_address > 0), self._policy)
        said = RiskAnswer(found.verdict, found.score, found.reasons)
        self._db.execute(
            _REMEMBER, order | {"verdict": said.verdict.value, "score": said.score, "reasons": " ".join(said.reasons)}
        )
        return said

    def commit(self) -> None:
        """Keep what was scored."""
        self._db.commit()

    def close(self) -> None:
        """Close the file."""
        self._db.close()
