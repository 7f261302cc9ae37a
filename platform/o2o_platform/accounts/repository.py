"""Reads and writes of accounts: units of work on one connection.

Leaves hashing and tokens to their modules, and HTTP to `routes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from o2o_domain.refusal import Refused
from o2o_domain.roles import Role
from o2o_platform.accounts.tables import accounts
from o2o_platform.accounts.tokens import CurrentUser

_CHUNK = 500
"""Values per IN list: below every database's limit of bound parameters."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made; `manager_ref` may name one of the same batch."""

    ref: str
    role: Role
    name: str
    phone: str | None = None
    segment: str | None = None
    manager_ref: str | None = None
    merchant_ref: str | None = None
    password_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is stored. `password_hash` None: no password opens it."""

    id: int
    ref: str
    role: Role
    name: str
    phone: str | None
    segment: str | None
    manager_id: int | None
    merchant_ref: str | None
    password_hash: str | None
    synthetic: bool

    @property
    def user(self) -> CurrentUser:
        """What a token for this account carries."""
        return CurrentUser(self.id, self.role, self.ref, self.segment, self.merchant_ref)


_COLUMNS = [accounts.c[name] for name in Account.__dataclass_fields__]


def _find(conn: Connection, *where: object) -> Account | None:
    row = conn.execute(select(*_COLUMNS).where(*where)).one_or_none()  # type: ignore[arg-type]
    return None if row is None else Account(**{**row._asdict(), "role": Role(row.role)})


def by_ref(conn: Connection, ref: str) -> Account | None:
    """The account created under `ref`."""
    return _find(conn, accounts.c.ref == ref)


def by_id(conn: Connection, account_id: int) -> Account | None:
    """The account with this id."""
    return _find(conn, accounts.c.id == account_id)


def by_refs(conn: Connection, refs: Sequence[str]) -> dict[str, Account]:
    """Those of `refs` that exist."""
    found: dict[str, Account] = {}
    for start in range(0, len(refs), _CHUNK):
        query = select(*_COLUMNS).where(accounts.c.ref.in_(refs[start : start + _CHUNK]))
        for row in conn.execute(query):
            found[row.ref] = Account(**{**row._asdict(), "role": Role(row.role)})
    return found


def is_superior(conn: Connection, boss_id: int, account_id: int) -> bool:
    """Whether `boss_id` stands above `account_id` in the sales organisation, at any distance (A7, C8)."""
    chain = select(accounts.c.manager_id).where(accounts.c.id == account_id).cte("chain", recursive=True)
    above = accounts.alias("above")
    # UNION, not UNION ALL: a ring of managers, should one ever be stored, ends the walk instead of the process.
    chain = chain.union(select(above.c.manager_id).join(chain, above.c.id == chain.c.manager_id))
    return conn.execute(select(chain.c.manager_id).where(chain.c.manager_id == boss_id)).first() is not None


def subordinates(conn: Connection, boss_id: int) -> list[int]:
    """Ids of all accounts below `boss_id`, at any distance, ascending (A7: a manager sees the own subtree only)."""
    below = select(accounts.c.id).where(accounts.c.manager_id == boss_id).cte("below", recursive=True)
    child = accounts.alias("child")
    below = below.union(select(child.c.id).join(below, child.c.manager_id == below.c.id))
    return list(conn.execute(select(below.c.id).order_by(below.c.id)).scalars())


def create(conn: Connection, new: Sequence[NewAccount], *, synthetic: bool, now: float) -> list[Account] | Refused:
    """Make accounts; the result is in the order of `new`.

    A synthetic account that already exists with the same role is returned as it is, so that a run can be set up twice.
    Refused, and then nothing is made: `ref_taken`, `duplicate_ref`, `unknown_manager`, `not_a_manager`,
    `manager_cycle`.
    """
    refs = [account.ref for account in new]
    if len(set(refs)) != len(refs):
        return Refused("duplicate_ref", "a ref stands twice in the request")
    boss_refs = {account.manager_ref for account in new if account.manager_ref is not None}
    known = by_refs(conn, [*refs, *sorted(boss_refs - set(refs))])
    for account in new:
        old = known.get(account.ref)
        if old is not None and not (synthetic and old.synthetic and old.role is account.role):
            return Refused("ref_taken", f"{account.ref}: there is such an account already")
    fresh = [account for account in new if account.ref not in known]
    refused = _bad_managers(fresh, known)
    if refused is not None:
        return refused
    if fresh:
        conn.execute(
            insert(accounts),
            [
                {
                    "ref": account.ref,
                    "role": account.role.value,
                    "name": account.name,
                    "phone": account.phone,
                    "segment": account.segment,
                    "merchant_ref": account.merchant_ref,
                    "password_hash": account.password_hash,
                    "synthetic": synthetic,
                    "created_at": now,
                }
                for account in fresh
            ],
        )
        known |= by_refs(conn, [account.ref for account in fresh])
        bound = [
            {"account": known[account.ref].id, "boss": known[account.manager_ref].id}
            for account in fresh
            if account.manager_ref is not None
        ]
        if bound:
            link = update(accounts).where(accounts.c.id == bindparam("account")).values(manager_id=bindparam("boss"))
            conn.execute(link, bound)
    return [known[ref] for ref in refs]


def _bad_managers(fresh: Sequence[NewAccount], known: Mapping[str, Account]) -> Refused | None:
    batch = {account.ref: account for account in fresh}
    for account in fresh:
        seen = {account.ref}
        boss = account.manager_ref
        while boss is not None:
            if boss in seen:
                return Refused("manager_cycle", f"{account.ref}: its managers form a ring")
            seen.add(boss)
            above = batch.get(boss)
            role = above.role if above else known[boss].role if boss in known else None
            if role is None:
                return Refused("unknown_manager", f"{account.ref}: no account {boss}")
            if role is not Role.MANAGER:
                return Refused("not_a_manager", f"{account.ref}: {boss} is a {role.value}")
            boss = above.manager_ref if above else None
    return None


def ensure_admin(conn: Connection, *, ref: str, password_hash: str, now: float) -> None:
    """The bootstrap administrator: made if missing, and given this password."""
    if by_ref(conn, ref) is None:
        values = {"ref": ref, "role": Role.ADMIN.value, "name": ref, "synthetic": False, "created_at": now}
        conn.execute(insert(accounts).values(password_hash=password_hash, **values))
    else:
        conn.execute(update(accounts).where(accounts.c.ref == ref).values(password_hash=password_hash))
