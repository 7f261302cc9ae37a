"""What a route asks for to know its user: `current_user`, or `require(permission)`.

Decides 401 (no token, or one that does not hold) and 403 (the role lacks the permission). Which role holds which
permission is `o2o_domain.roles`; whether a thing belongs to the user is the feature's own check. Use:

    @router.post("/coupons/{code}/claim")
    async def claim(code: str, user: CurrentUser = require(Permission.CLAIM_COUPON)) -> ...

"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from o2o_domain.roles import Permission, allowed
from o2o_platform.accounts.tokens import BadToken, CurrentUser, read_until
from o2o_platform.errors import Forbidden, Unauthenticated
from o2o_platform.kit.access import USER
from o2o_platform.kit.context import context

_bearer = OAuth2PasswordBearer(tokenUrl="/auth/token", auto_error=False)
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def authenticate(secret: str, token: str | None, *, now: float) -> CurrentUser:
    """The user behind a bearer token, for routes outside FastAPI's dependencies. Raises Unauthenticated."""
    return authenticate_until(secret, token, now=now)[0]


def authenticate_until(secret: str, token: str | None, *, now: float) -> tuple[CurrentUser, float]:
    """The same, with the unix second at which the token expires."""
    if not token:
        raise Unauthenticated("unauthenticated", "a bearer token is needed", headers=_CHALLENGE)
    found = read_until(secret, token, now=now)
    if isinstance(found, BadToken):
        raise Unauthenticated(found.code, found.detail, headers=_CHALLENGE)
    return found


def authorize(user: CurrentUser, *permissions: Permission) -> CurrentUser:
    """`user` if their role holds one of `permissions`. Raises Forbidden."""
    if not any(allowed(user.role, permission) for permission in permissions):
        raise Forbidden("forbidden", f"a {user.role.value} may not {' or '.join(permissions)}")
    return user


async def current_user(request: Request, token: str | None = Depends(_bearer)) -> CurrentUser:
    """The user of this request, of whatever role. Raises Unauthenticated."""
    ctx = context(request)
    user = request.scope[USER] = authenticate(ctx.settings.jwt_secret, token, now=ctx.clock.now())
    return user


def require(*permissions: Permission) -> Any:
    """The default of a route's user parameter: its role must hold one of these, else 403 (401 without a token)."""
    wanted = frozenset(permissions)

    async def permitted(user: CurrentUser = Depends(current_user)) -> CurrentUser:
        return authorize(user, *permissions)

    permitted.__dict__["permissions"] = wanted
    return Depends(permitted)


def permissions_of(call: Callable[..., Any] | None) -> frozenset[Permission]:
    """The permissions of which a dependency made by `require` wants one; empty for any other function."""
    return cast("frozenset[Permission]", getattr(call, "permissions", frozenset()))
