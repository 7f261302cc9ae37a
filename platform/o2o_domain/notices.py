"""What a merchant is told about a ticket that did not come out, and what may be answered (A14).

Decides the words of a notice and the table of answers. The ladder (when which level is due) is `tickets`; how a notice
reaches anybody is the platform's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.refusal import Refused
from o2o_domain.tickets import Escalation


class Answer(StrEnum):
    """What came back on a notice."""

    READ = "read"
    """The app showed it to somebody."""
    DELIVERED = "delivered"
    """The SMS arrived at the phone."""
    ANSWERED = "answered"
    """Somebody took the call."""
    NO_ANSWER = "no_answer"
    """Nobody took the call."""
    GOT_IT = "got_it"
    """The merchant says: we know of the order."""
    BY_HAND = "by_hand"
    """The merchant says: we have written the ticket by hand."""


_A = Answer

BY_CHANNEL: Mapping[Escalation, frozenset[Answer]] = MappingProxyType(
    {
        Escalation.APP: frozenset({_A.READ}),
        Escalation.SMS: frozenset({_A.DELIVERED}),
        Escalation.PHONE: frozenset({_A.ANSWERED, _A.NO_ANSWER}),
    }
)
"""What the channel itself reports."""

BY_MERCHANT: frozenset[Answer] = frozenset({_A.GOT_IT, _A.BY_HAND})
"""What the merchant says, whatever the channel reported before; the first word stands."""

_WHY: Mapping[str, str] = MappingProxyType(
    {
        "unconfirmed": "可能没有打印成功，请查看打印机",
        "failed": "没有打印，请在商家端接单",
        "queued": "正在等待打印",
        "claimed": "正在打印",
    }
)


def text(*, order_no: str, state: str, code: str | None, copy_no: int) -> str:
    """The words of a notice: which order, what became of its ticket, and why.

    Worked: "订单 #W0000007 的小票没有打印，请在商家端接单（paper_end）".
    """
    copy = f"（补打 {copy_no - 1}）" if copy_no > 1 else ""
    why = f"（{code}）" if code else ""
    return f"订单 #{order_no} 的小票{copy}{_WHY.get(state, state)}{why}"


def merchant_says(answer: Answer, before: Answer | None) -> Answer | Refused:
    """The answer to write down when the merchant says `answer` to a notice that has `before`."""
    if answer not in BY_MERCHANT:
        return Refused("no_answer_of_a_merchant", f"{answer} is the channel's to report")
    if before in BY_MERCHANT and before != answer:
        return Refused("answered_already", f"this notice was answered: {before}")
    return answer
