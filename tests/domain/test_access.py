"""Roles, opening hours and reviews."""

from __future__ import annotations

import pytest

from o2o_domain.hours import is_open
from o2o_domain.orders import OrderState
from o2o_domain.refusal import Refused
from o2o_domain.reviews import Accepted, review
from o2o_domain.roles import ALLOWED, Permission, Role, allowed

WHO_MAY = {
    Permission.PLACE_ORDER: "consumer",
    Permission.CLAIM_COUPON: "consumer",
    Permission.WORK_ORDERS: "merchant",
    Permission.MANAGE_MENU: "merchant operator",
    Permission.PUBLISH_DEAL: "merchant operator",
    Permission.REDEEM_VOUCHER: "merchant",
    Permission.RIDE: "rider",
    Permission.WORK_LEADS: "bd manager",
    Permission.ASSIGN_LEAD: "manager",
    Permission.ADD_LEAD: "bd manager operator",
    Permission.RECYCLE_LEADS: "operator",
    Permission.SEE_ALL_LEADS: "manager operator",
    Permission.MANAGE_MERCHANTS: "operator",
    Permission.MANAGE_COUPONS: "operator",
    Permission.SEE_ALL_ORDERS: "operator",
    Permission.CANCEL_ANY_ORDER: "operator",
    Permission.REFUND_ORDER: "merchant operator",
    Permission.RECONCILE: "operator",
    Permission.PAY_OUT: "",
    Permission.REPRINT: "merchant operator",
    Permission.MANAGE_ACCOUNTS: "",
    Permission.EXPORT: "",
}
"""The matrix from the other side: who but the admin may do it."""


@pytest.mark.parametrize("perm", list(Permission))
@pytest.mark.parametrize("role", list(Role))
def test_the_matrix_cell_by_cell(role: Role, perm: Permission) -> None:
    """A7: every role by every permission."""
    assert allowed(role, perm) is (role == Role.ADMIN or str(role) in WHO_MAY[perm].split())


def test_every_role_has_a_row_and_an_unknown_one_may_nothing() -> None:
    assert set(ALLOWED) == set(Role)
    assert not allowed("ghost", Permission.EXPORT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("open_min", "close_min", "minute", "expected"),
    [(540, 1320, 539, False), (540, 1320, 540, True), (540, 1320, 1319, True), (540, 1320, 1320, False),
     (1320, 120, 1439, True), (1320, 120, 0, True), (1320, 120, 119, True), (1320, 120, 120, False),
     (1320, 120, 1319, False), (0, 1440, 1439, True), (0, 1440, 0, True), (600, 600, 600, False),
     (540, 1320, 1440 + 540, True), (540, 1320, 1440 + 539, False)],
)  # fmt: skip
def test_opening_hours_edges(open_min: int, close_min: int, minute: int, expected: bool) -> None:
    assert is_open(open_min, close_min, minute) is expected


@pytest.mark.parametrize("stars", [1, 5])
@pytest.mark.parametrize("state", [OrderState.DELIVERED, OrderState.REDEEMED])
def test_what_was_had_can_be_reviewed(stars: int, state: OrderState) -> None:
    assert review(stars, state) == Accepted(stars)


@pytest.mark.parametrize("stars", [0, 6, -1])
def test_stars_are_one_to_five(stars: int) -> None:
    assert review(stars, OrderState.DELIVERED) == Refused("bad_stars", str(stars))


@pytest.mark.parametrize("state", sorted(set(OrderState) - {OrderState.DELIVERED, OrderState.REDEEMED}))
def test_nothing_else_can_be_reviewed(state: OrderState) -> None:
    assert review(5, state) == Refused("not_finished", str(state))
