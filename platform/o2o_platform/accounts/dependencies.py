"""What a route asks for to know its user: `current_user`, or `require(permission)`.

Decides 401 (no token, or one that does not hold) and 403 (the role lacks the permission). Which role holds which
permission is `o2o_domain.roles`; whether a thing belongs to the user is the feature's own check. Use:

    @router.post("/coupons/{code}/claim")
    async def claim(code: str, user: CurrentUser = require(Permission.CLAIM_COUPON)) -> ...

"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from o2o_domain.roles import Permission, allowed
from o2o_platform.accounts.tokens import BadToken, CurrentUser, read_token
from o2o_platform.errors import Forbidden, Unauthenticated
from o2o_platform.kit.context import Context, context

_bearer = OAuth2PasswordBearer(tokenUrl="/auth/token", auto_error=False)
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


async def _context(request: Request) -> Context:
    return context(request)


Ctx = Annotated[Context, Depends(_context)]
"""Annotation of a route's context parameter; asynchronous, because FastAPI runs plain functions on a thread."""


def authenticate(secret: str, token: str | None, *, now: float) -> CurrentUser:
    """The user behind a bearer token, for routes outside FastAPI's dependencies. Raises Unauthenticated."""
    if not token:
        raise Unauthenticated("unauthenticated", "a bearer token is needed", headers=_CHALLENGE)
    user = read_token(secret, token, now=now)
    if isinstance(user, BadToken):
        raise Unauthenticated(user.code, user.detail, headers=_CHALLENGE)
    return user


def authorize(user: CurrentUser, permission: Permission) -> CurrentUser:
    """`user` if their role holds `permission`. Raises Forbidden."""
    if not allowed(user.role, permission):
        raise Forbidden("forbidden", f"a {user.role.value} may not {permission.value}")
    return user


async def current_user(request: Request, token: str | None = Depends(_bearer)) -> CurrentUser:
    """The user of this request, of whatever role. Raises Unauthenticated."""
    ctx = context(request)
    return authenticate(ctx.settings.jwt_secret, token, now=ctx.clock.now())


def require(permission: Permission) -> Any:
    """The default of a route's user parameter: its role must hold `permission`, else 403 (401 without a token)."""

    async def permitted(user: CurrentUser = Depends(current_user)) -> CurrentUser:
        return authorize(user, permission)

    permitted.__dict__["permission"] = permission
    return Depends(permitted)


def permission_of(call: Callable[..., Coroutine[Any, Any, CurrentUser]] | None) -> Permission | None:
    """The permission that a dependency made by `require` asks for, None for any other; for the matrix test."""
    return cast("Permission | None", getattr(call, "permission", None))
