"""Roles and what each may do: one matrix, read by the platform's access check and tested cell by cell (A7).

Decides role against permission. Leaves "is it your own?" (own orders, own shop, own leads) to the shell that loads
the row, and who is whose superior to the organisation tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """Who speaks to the platform."""

    CONSUMER = "consumer"
    MERCHANT = "merchant"
    RIDER = "rider"
    BD = "bd"
    MANAGER = "manager"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """What can be done; a route names one of these."""

    PLACE_ORDER = "place_order"
    """Place, pay, see, cancel and review one's own orders; buy deals."""
    CLAIM_COUPON = "claim_coupon"
    WORK_ORDERS = "work_orders"
    """Accept, reject and make ready the orders of one's own shop; see its feed."""
    MANAGE_MENU = "manage_menu"
    """Prices, stock, shelf and printer of one's own shop; operators: of any shop."""
    PUBLISH_DEAL = "publish_deal"
    REDEEM_VOUCHER = "redeem_voucher"
    RIDE = "ride"
    """Go on and off line, pick up and deliver."""
    WORK_LEADS = "work_leads"
    """See open leads, claim, release, visit, extend, bring the contract."""
    ASSIGN_LEAD = "assign_lead"
    ADD_LEAD = "add_lead"
    RECYCLE_LEADS = "recycle_leads"
    SEE_ALL_LEADS = "see_all_leads"
    MANAGE_MERCHANTS = "manage_merchants"
    MANAGE_COUPONS = "manage_coupons"
    SEE_ALL_ORDERS = "see_all_orders"
    CANCEL_ANY_ORDER = "cancel_any_order"
    REFUND_ORDER = "refund_order"
    """Give back a part of an order's money, or all of it, while the order stands; merchants: of one's own shop."""
    RECONCILE = "reconcile"
    """Compare the books with the payment provider's, and have repaired what differs."""
    PAY_OUT = "pay_out"
    """Pay merchants what is settled."""
    REPRINT = "reprint"
    """Have a ticket printed again, marked as a reprint."""
    MANAGE_ACCOUNTS = "manage_accounts"
    EXPORT = "export"
    """Read whole tables (/admin/export)."""


_P = Permission

ALLOWED: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        # G1 user side
        Role.CONSUMER: frozenset({_P.PLACE_ORDER, _P.CLAIM_COUPON}),
        # G2 merchant console, A6 voucher redemption
        Role.MERCHANT: frozenset(
            {_P.WORK_ORDERS, _P.MANAGE_MENU, _P.PUBLISH_DEAL, _P.REDEEM_VOUCHER, _P.REFUND_ORDER, _P.REPRINT}
        ),
        # A13 step "delivery by runner"
        Role.RIDER: frozenset({_P.RIDE}),
        # C1, C6 the BD works the pools
        Role.BD: frozenset({_P.WORK_LEADS, _P.ADD_LEAD}),
        # C8 assignment is the superior's
        Role.MANAGER: frozenset({_P.WORK_LEADS, _P.ADD_LEAD, _P.ASSIGN_LEAD, _P.SEE_ALL_LEADS}),
        # C9 operations workbench, G3
        Role.OPERATOR: frozenset(
            {
                _P.MANAGE_MENU,
                _P.PUBLISH_DEAL,
                _P.ADD_LEAD,
                _P.RECYCLE_LEADS,
                _P.SEE_ALL_LEADS,
                _P.MANAGE_MERCHANTS,
                _P.MANAGE_COUPONS,
                _P.SEE_ALL_ORDERS,
                _P.CANCEL_ANY_ORDER,
                _P.REFUND_ORDER,
                _P.RECONCILE,
                _P.REPRINT,
            }
        ),
        # G3 the super tier
        Role.ADMIN: frozenset(Permission),
    }
)
"""The matrix: what each role may do."""


def allowed(role: Role, perm: Permission) -> bool:
    """Whether `role` may do `perm`; a role outside the matrix may do nothing."""
    return perm in ALLOWED.get(role, frozenset())
