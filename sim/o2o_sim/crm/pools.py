"""The public pool and the BDs' private pools of one simulated city: the shell around o2o_domain.pools and .leads.

Loads what a rule needs, asks it, applies what it says and writes the history; no rule stands here. A hold that comes
due is dropped at that instant, by an alarm of the simulated clock (C7). Leaves to `season` who asks for what, and when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from simpy import Environment

from o2o_domain import leads as stages
from o2o_domain import pools as rules
from o2o_domain.leads import CHECK_IN_RADIUS_M, LeadStage
from o2o_domain.pools import Hold, PoolPolicy
from o2o_domain.refusal import Refused
from o2o_results.tables import TABLES
from o2o_sim.city.model import Lead
from o2o_sim.crm.history import History

Floats: TypeAlias = npt.NDArray[np.float64]
Note: TypeAlias = Callable[[str, Mapping[str, Any], Any], None]
"""Writes down a rule's name, what it was asked and what it said."""

Answer = TypeVar("Answer")


class Pools:
    """Who holds which lead. Lead and BD ids are indices; every time is `env.now`, seconds.

    Calls that a rule may refuse return its `Refused` and change nothing.
    """

    def __init__(
        self,
        env: Environment,
        policy: PoolPolicy,
        leads: tuple[Lead, ...],
        bds: int,
        *,
        note: Note | None = None,
    ) -> None:
        """The policy's days are as `env` counts: on a city day at speed 10, a tenth of a day each."""
        n = len(leads)
        self._logged = note
        self.env = env
        self.policy = policy
        self.leads = leads
        self.history = History()
        self.holds: list[Hold | None] = [None] * n
        self.stage: list[LeadStage] = [LeadStage.NEW] * n
        self.private: list[dict[int, None]] = [{} for _ in range(bds)]
        """The leads each BD holds, in the order in which he got them."""
        self.open = np.zeros(n, dtype=np.bool_)
        """Whether a lead lies in the public pool."""
        self.due_s: Floats = np.full(n, math.inf)
        """When the first clock of a private lead is due, if nothing else happens to it."""
        self.visits = np.zeros(n, dtype=np.int32)
        self.last_visit_s: Floats = np.full(n, -math.inf)
        """By whomever; minus infinity: never."""
        self.signed_at: list[float | None] = [None] * n
        self._claims = [0] * n
        self._drops = [0] * n
        self._private_s = [0.0] * n
        self._idle_s = [0.0] * n
        self._known: list[int] = []
        self._since = [0.0] * n
        """Since when the present owner holds the lead."""
        self._touched = [0.0] * n
        """The last visit by the present owner, or when he got the lead."""

    def appear(self, lead_id: int) -> None:
        """A lead becomes known and lies in the public pool."""
        self._known.append(lead_id)
        self.open[lead_id] = True
        self.history.event(self.env.now, lead_id, "created", actor=None, owner=None, owned=0)

    def claim(self, bd_id: int, lead_id: int) -> Refused | None:
        """A BD takes a lead into his private pool (C6)."""
        hold = self.holds[lead_id]
        granted = self._ask(
            "pools.claim",
            rules.claim,
            owner=None if hold is None else hold.owner,
            held=len(self.private[bd_id]),
            policy=self.policy,
            stage=self.stage[lead_id],
        )
        if isinstance(granted, Refused):
            return granted
        self._take(lead_id, rules.start(bd_id, self.env.now))
        self._claims[lead_id] += 1
        self._note(lead_id, "claimed", actor=bd_id, owner=bd_id)
        return None

    def visit(
        self, bd_id: int, lead_id: int, travel_s: float, *, contract_signed: bool, distance_m: float = 0.0
    ) -> Refused | None:
        """The owner visits the lead's key person, who signs or not; a signed lead leaves the pools (C1).

        He checks in `distance_m` from the store (C13).
        """
        hold = self.holds[lead_id]
        after = self._ask(
            "leads.visit",
            stages.visit,
            stage=self.stage[lead_id],
            is_owner=hold is not None and hold.owner == bd_id,
            distance_m=distance_m,
            radius_m=CHECK_IN_RADIUS_M,
        )
        if isinstance(after, Refused):
            return after
        assert hold is not None
        now = self.env.now
        self.stage[lead_id] = after
        self._hold(lead_id, rules.visited(hold, now))
        self._count_idle(lead_id)
        self._touched[lead_id] = now
        self.visits[lead_id] += 1
        self.last_visit_s[lead_id] = now
        self.history.visit(now, lead_id, bd_id, travel_s, contract_signed)
        self._note(lead_id, "visited", actor=bd_id, owner=bd_id)
        return self.sign(bd_id, lead_id) if contract_signed else None

    def sign(self, bd_id: int, lead_id: int) -> Refused | None:
        """The owner's lead signed a contract: it converts and leaves the pools (C1)."""
        hold = self.holds[lead_id]
        converted = self._ask(
            "leads.sign",
            stages.sign,
            stage=self.stage[lead_id],
            is_owner=hold is not None and hold.owner == bd_id,
            visits=int(self.visits[lead_id]),
        )
        if isinstance(converted, Refused):
            return converted
        self.stage[lead_id] = converted
        self.signed_at[lead_id] = self.env.now
        self._leave(lead_id)
        self._note(lead_id, "signed", actor=bd_id, owner=bd_id)
        return None

    def extend(self, bd_id: int, lead_id: int) -> Refused | None:
        """The owner lengthens the protection of a lead (C8)."""
        hold = self.holds[lead_id]
        by_owner = hold is not None and hold.owner == bd_id
        extended = self._ask(
            "pools.extend", rules.extend, hold=hold, policy=self.policy, by_owner=by_owner, now_s=self.env.now
        )
        if isinstance(extended, Refused):
            return extended
        self._hold(lead_id, extended.hold)
        self._note(lead_id, "extended", actor=bd_id, owner=bd_id)
        return None

    def assign(self, lead_id: int, to: int, *, manager: int, is_superior: bool) -> Refused | None:
        """A superior gives a lead to a BD (C8). `manager` is the manager's number, written as the history's reason."""
        hold = self.holds[lead_id]
        assigned = self._ask(
            "pools.assign",
            rules.assign,
            hold=hold,
            to=to,
            by_is_superior=is_superior,
            held_by_target=len(self.private[to]),
            policy=self.policy,
            now_s=self.env.now,
            stage=self.stage[lead_id],
        )
        if isinstance(assigned, Refused):
            return assigned
        if hold is not None:
            self._leave(lead_id)
        self._take(lead_id, assigned.hold)
        self._note(lead_id, "assigned", actor=None, owner=to, reason=f"manager {manager}")
        return None

    def idle_since(self, lead_id: int) -> float:
        """Since when nobody visits this private lead: the owner's last visit, or when he got it."""
        return self._touched[lead_id]

    def close(self) -> None:
        """End of the run: count private and idle time up to now. Owners stay as they are."""
        for lead_id, hold in enumerate(self.holds):
            if hold is not None:
                self._count_private(lead_id)

    def tables(self) -> dict[str, pa.Table]:
        """`leads`, `lead_events` and `visits`, after `close`."""
        known = sorted(self._known)
        columns = {
            "lead_id": known,
            "source": [self.leads[i].source for i in known],
            "stage": [str(self.stage[i]) for i in known],
            "owner": [self._owner(i) for i in known],
            "claims": [self._claims[i] for i in known],
            "drops": [self._drops[i] for i in known],
            "visits": [int(self.visits[i]) for i in known],
            "created": [self.leads[i].created_s for i in known],
            "signed": [self.signed_at[i] for i in known],
            "private_s": [self._private_s[i] for i in known],
            "idle_s": [self._idle_s[i] for i in known],
        }
        return {"leads": pa.table(columns, schema=TABLES["leads"]), **self.history.tables()}

    def _ask(self, name: str, rule: Callable[..., Answer], **facts: Any) -> Answer:
        answer = rule(**facts)
        if self._logged is not None:
            self._logged(name, facts, answer)
        return answer

    def _owner(self, lead_id: int) -> int | None:
        hold = self.holds[lead_id]
        return None if hold is None else hold.owner

    def _hold(self, lead_id: int, hold: Hold | None) -> None:
        self.holds[lead_id] = hold
        self.due_s[lead_id] = math.inf if hold is None else rules.next_check_s(hold, self.policy)

    def _take(self, lead_id: int, hold: Hold) -> None:
        self._hold(lead_id, hold)
        self.open[lead_id] = False
        self.private[hold.owner][lead_id] = None
        self._since[lead_id] = self._touched[lead_id] = self.env.now
        self._watch(lead_id)

    def _leave(self, lead_id: int) -> int:
        """Take a lead out of its private pool; returns who held it."""
        hold = self.holds[lead_id]
        assert hold is not None
        self._count_private(lead_id)
        del self.private[hold.owner][lead_id]
        self._hold(lead_id, None)
        return hold.owner

    def _watch(self, lead_id: int) -> None:
        """Set an alarm for the first instant at which a clock of this hold can be due."""
        hold = self.holds[lead_id]
        if hold is None:
            return
        alarm = self.env.timeout(max(0.0, float(self.due_s[lead_id]) - self.env.now))
        alarm.callbacks.append(lambda _: self._recycle(lead_id, hold))

    def _recycle(self, lead_id: int, watched: Hold) -> None:
        hold = self.holds[lead_id]
        if hold is None or hold.owner != watched.owner or hold.claimed_at_s != watched.claimed_at_s:
            return  # another hold has its own alarm
        drop = self._ask("pools.drop_due", rules.drop_due, hold=hold, policy=self.policy, now_s=self.env.now)
        if drop is None:
            self._watch(lead_id)
            return
        owner = self._leave(lead_id)
        self.open[lead_id] = True
        self._drops[lead_id] += 1
        self.history.event(
            self.env.now,
            lead_id,
            "dropped",
            actor=None,
            owner=None,
            owned=len(self.private[owner]),
            reason=drop.reason,
        )

    def _count_idle(self, lead_id: int) -> None:
        self._idle_s[lead_id] += rules.idle_s(self.policy, since_s=self._touched[lead_id], now_s=self.env.now)

    def _count_private(self, lead_id: int) -> None:
        self._private_s[lead_id] += self.env.now - self._since[lead_id]
        self._count_idle(lead_id)

    def _note(self, lead_id: int, what: str, *, actor: int | None, owner: int, reason: str | None = None) -> None:
        self.history.event(
            self.env.now, lead_id, what, actor=actor, owner=owner, owned=len(self.private[owner]), reason=reason
        )
