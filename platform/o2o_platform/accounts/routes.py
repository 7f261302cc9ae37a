"""Log-in, self registration, `/me`, and synthetic accounts in bulk.

Decides the HTTP shapes. Anyone may register, but only as a consumer; every other role is made by an administrator.
Passwords are hashed on worker threads, tokens are signed on the loop (20 microseconds each).
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, ConfigDict, Field

from o2o_domain.refusal import Refused
from o2o_domain.roles import ALLOWED, Permission, Role
from o2o_platform.accounts import repository
from o2o_platform.accounts.dependencies import current_user, require
from o2o_platform.accounts.passwords import hash_password, verify_password
from o2o_platform.accounts.repository import Account, NewAccount
from o2o_platform.accounts.tokens import CurrentUser, issue_token
from o2o_platform.errors import Conflict, NotFound, Unauthenticated, Unprocessable, refusal
from o2o_platform.kit.context import Context

ADMIN_REF = "admin"
MAX_BULK = 20_000
_TAKEN = {"ref_taken"}

Ref = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[str, Field(min_length=8, max_length=256)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Registration(_Body):
    """A consumer's own sign-up; `ref` is the log-in name."""

    ref: Ref
    password: Password
    name: Annotated[str, Field(max_length=64)] = ""
    phone: Annotated[str, Field(max_length=32)] | None = None


class BulkAccount(_Body):
    """One synthetic account. Without a password it can only be used with the token in the answer."""

    ref: Ref
    role: Role
    name: Annotated[str, Field(max_length=64)] = ""
    phone: Annotated[str, Field(max_length=32)] | None = None
    segment: Annotated[str, Field(max_length=32)] | None = None
    manager_ref: Ref | None = None
    merchant_ref: Ref | None = None
    password: Password | None = None


def _token(ctx: Context, account: Account) -> str:
    return issue_token(ctx.settings.jwt_secret, account.user, now=ctx.clock.now(), ttl_s=ctx.settings.token_ttl_s)


def register(app: FastAPI, ctx: Context) -> None:
    """Plug accounts into the app; the bootstrap administrator exists before the platform is ready."""

    async def bootstrap() -> None:
        password = ctx.settings.admin_password
        if not password:
            password = secrets.token_urlsafe(12)
            # The one place where a secret is shown: there is no other way in yet. Standard error, not the log.
            print(f"o2o: administrator '{ADMIN_REF}' has the password {password}", file=sys.stderr, flush=True)
        hashed = await asyncio.to_thread(hash_password, password)
        now = ctx.clock.now()
        await ctx.db.write(lambda conn: repository.ensure_admin(conn, ref=ADMIN_REF, password_hash=hashed, now=now))

    ctx.on_start.append(bootstrap)

    @app.post("/auth/token", tags=["accounts"])
    async def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, Any]:
        """OAuth2 password grant: a bearer token for a name and password."""
        account = await ctx.db.read(lambda conn: repository.by_ref(conn, form.username))
        stored = account.password_hash if account is not None else None
        matches = await asyncio.to_thread(verify_password, form.password, stored)
        if account is None or not matches:
            raise Unauthenticated(
                "bad_credentials", "name or password is wrong", headers={"WWW-Authenticate": "Bearer"}
            )
        return {
            "access_token": _token(ctx, account),
            "token_type": "bearer",
            "expires_in": int(ctx.settings.token_ttl_s),
            "role": account.role.value,
        }

    @app.post("/auth/register", status_code=201, tags=["accounts"])
    async def register_consumer(body: Registration) -> dict[str, Any]:
        """A new consumer, and a token for them. 409 if the name is taken."""
        hashed = await asyncio.to_thread(hash_password, body.password)
        new = NewAccount(body.ref, Role.CONSUMER, body.name or body.ref, phone=body.phone, password_hash=hashed)
        now = ctx.clock.now()
        made = await ctx.db.write(lambda conn: repository.create(conn, [new], synthetic=False, now=now))
        if isinstance(made, Refused):
            raise refusal(made)
        account = made[0]
        return {"id": account.id, "ref": account.ref, "role": account.role.value, "access_token": _token(ctx, account)}

    @app.get("/me", tags=["accounts"])
    async def me(user: CurrentUser = Depends(current_user)) -> dict[str, Any]:
        """The account behind the token, and what its role may do."""
        account = await ctx.db.read(lambda conn: repository.by_id(conn, user.id))
        if account is None:
            raise NotFound("unknown_account", "the account behind this token is gone")
        return {
            "id": account.id,
            "ref": account.ref,
            "role": account.role.value,
            "name": account.name,
            "segment": account.segment,
            "manager_id": account.manager_id,
            "merchant_ref": account.merchant_ref,
            "permissions": sorted(permission.value for permission in ALLOWED[account.role]),
        }

    @app.post("/admin/accounts:bulk", status_code=201, tags=["accounts"])
    async def create_bulk(
        body: Annotated[list[BulkAccount], Field(max_length=MAX_BULK)],
        _: CurrentUser = require(Permission.MANAGE_ACCOUNTS),
    ) -> dict[str, Any]:
        """Synthetic accounts with a token each, in order; those that exist already come back as they are."""
        now = ctx.clock.now()
        hashes = await asyncio.gather(
            *(asyncio.to_thread(hash_password, one.password) for one in body if one.password is not None)
        )
        hashed = iter(hashes)
        new = [
            NewAccount(
                ref=one.ref,
                role=one.role,
                name=one.name or one.ref,
                phone=one.phone,
                segment=one.segment,
                manager_ref=one.manager_ref,
                merchant_ref=one.merchant_ref,
                password_hash=next(hashed) if one.password is not None else None,
            )
            for one in body
        ]
        made = await ctx.db.write(lambda conn: repository.create(conn, new, synthetic=True, now=now), long=True)
        if isinstance(made, Refused):
            raise refusal(made, Conflict if made.code in _TAKEN else Unprocessable)
        return {"accounts": [{"ref": one.ref, "id": one.id, "token": _token(ctx, one)} for one in made]}
