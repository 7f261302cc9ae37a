"""A7: every role x every route. A route is public by the list below, asks for a user, or demands a permission."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from o2o_domain.roles import Permission, Role, allowed
from o2o_platform.accounts.dependencies import current_user, permissions_of

pytestmark = pytest.mark.anyio

PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/auth/token"),
    ("POST", "/auth/register"),
    ("GET", "/merchants"),
    ("GET", "/merchants/{merchant_id}/menu"),
    ("GET", "/merchants/{merchant_id}/page"),
    ("GET", "/merchants/{merchant_id}/reviews"),
    ("GET", "/deals"),
    ("GET", "/deals/{deal_id}"),
    ("POST", "/payments/callback"),  # signed by the provider instead
    ("POST", "/epson"),  # a printer, which shows its secret if the merchant has set one
    ("POST", "/cloudprnt"),  # printers, which show their own secrets
    ("GET", "/cloudprnt"),
    ("DELETE", "/cloudprnt"),
    ("GET", "/cloudprnt-setting.json"),
    ("POST", "/printing/feie/{token}/{mark}"),  # signed by the vendor's cloud
    ("POST", "/printing/yilianyun"),  # the same
}
"""Routes that need no token. Whoever adds one says so here."""

ANYBODY = {
    ("GET", "/me"),
    ("GET", "/orders/{order_id}"),  # then: whom the order concerns
    ("GET", "/merchants/{merchant_id}/orders"),  # then: whose merchant it is
    ("POST", "/orders/{order_id}/cancel"),  # then: whose order it is, or who may cancel any
    ("GET", "/feed/riders"),
    ("GET", "/feed/orders"),
}
"""Routes for every role, which look at the row and the role themselves."""

NOT_OURS = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)


def _routes(world: Any) -> dict[tuple[str, str], APIRoute]:
    found: dict[tuple[str, str], APIRoute] = {}
    for route in world.app.routes:
        if getattr(route, "path", None) in NOT_OURS:
            continue
        assert isinstance(route, APIRoute), f"{route}: the matrix cannot see what it asks for"
        for method in route.methods:
            found[(method, route.path)] = route
    return found


def _wanted(route: APIRoute) -> frozenset[Permission]:
    return frozenset().union(*(permissions_of(call) for call in _calls(route.dependant)))


async def test_every_route_is_listed_or_demands_a_permission(world: Any) -> None:
    routes = _routes(world)
    assert set(routes) >= PUBLIC | ANYBODY, "a listed route is gone"
    for key, route in routes.items():
        asks_for_user = current_user in _calls(route.dependant)
        if key in PUBLIC:
            assert not asks_for_user, f"{key} is listed as public and asks for a user"
        elif key in ANYBODY:
            assert asks_for_user, f"{key} asks for nobody"
            assert not _wanted(route)
        else:
            assert _wanted(route), f"{key} demands no permission: list it, or protect it"


async def test_every_permission_guards_a_route(world: Any) -> None:
    guarded = frozenset().union(*(_wanted(route) for route in _routes(world).values()))
    checked_inside = {Permission.CANCEL_ANY_ORDER, Permission.SEE_ALL_ORDERS}
    assert guarded | checked_inside == set(Permission)


async def test_every_role_on_every_route(world: Any) -> None:
    """Without a token 401; with a role that lacks the permission 403; with one that has it neither."""
    actors = {role: await world.actor(role.value) for role in Role}
    cells = 0
    for (method, path), route in _routes(world).items():
        if path.startswith("/feed/"):
            continue  # a stream that never ends; its own tests open it
        url = re.sub(r"\{[^}]+\}", "999999", path)
        if (method, path) in PUBLIC:
            continue
        anonymous = await world.client.request(method, url)
        assert anonymous.status_code == 401, (method, path, anonymous.status_code)
        wanted = _wanted(route)
        for role, actor in actors.items():
            answer = await actor.call(method, url)
            may = not wanted or any(allowed(role, permission) for permission in wanted)
            code = answer.json()["error"]["code"] if answer.status_code >= 400 else ""
            assert may == (code != "forbidden"), (role, method, path, answer.status_code, answer.text)
            assert answer.status_code != 401
            if not may:
                assert answer.status_code == 403
            cells += 1
    assert cells > 250
