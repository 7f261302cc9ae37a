"""One order that somebody wants, on its way through a batch: what was asked, what was decided, what became of it.

Decides when cached facts are enough: a yes is (the writing statement guards it), a no is not, and neither is a coupon's
no that may have changed since (its budget, the user's claims), nor too little money. Then the want is decided again
with fresh facts, in the batch, after the others of the batch. The questions are `orders.decide` and `coupons.decide`,
as in the unit of work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from o2o_domain.coupons import Coupon, Ineligible
from o2o_domain.orders import OrderEvent, OrderState, step
from o2o_domain.pricing import Quote
from o2o_domain.refusal import Refused
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.coupons.decide import Redemption, redemption
from o2o_platform.coupons.repository import UNKNOWN
from o2o_platform.errors import NotFound, PlatformError
from o2o_platform.orders import decide
from o2o_platform.orders.bodies import OrderBody
from o2o_platform.orders.decide import Basket
from o2o_platform.orders.lane.facts import Dish, Facts, Menu, Standing
from o2o_platform.reservation.balance import too_little

if TYPE_CHECKING:
    from o2o_platform.orders.place import Placed
    from o2o_platform.settings import Settings

MAX_INT = 2**63 - 1
NOBODYS = Standing()
"""Of orders without a coupon."""


def _known(state: OrderState | Refused) -> str:
    assert not isinstance(state, Refused)
    return state.value


PLACED = OrderState.PENDING_PAYMENT.value
PAID = _known(step("order", OrderState.PENDING_PAYMENT, OrderEvent.PAY))


@dataclass(slots=True)
class Taken:
    """What others of the batch take before an order: pieces by dish, fen of budgets by code, of wallets by user."""

    pieces: dict[int, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    money: dict[int, int] = field(default_factory=dict)


class Want:
    """See the module. Named like the columns of an order, which it becomes."""

    __slots__ = (
        "basket", "body", "coupon_code", "coupon_refused", "fingerprint", "from_balance", "id", "key", "menu", "now",
        "order_no", "outcome", "payment_id", "quote", "redemption", "ref", "risk", "standing", "ticket_id", "txn_id",
        "user",
    )  # fmt: skip

    kind = "order"
    rider_id = None

    def __init__(
        self, user: CurrentUser, key: str, fingerprint: str, body: OrderBody, now: float, risk: str | None = None
    ) -> None:
        self.user = user
        self.ref = key
        self.key = (user.id, key)
        self.fingerprint = fingerprint
        self.body = body
        self.now = now
        self.risk = risk
        self.id = 0
        self.payment_id = 0
        self.from_balance = body.pay_with == "balance"
        self.ticket_id = self.txn_id = 0
        self.order_no = ""
        self.basket: Basket | None = None
        self.standing = NOBODYS
        self.outcome: Placed | Exception | None = None

    # What the answer and the event ask of an order's row.
    @property
    def state(self) -> str:
        return PAID if self.from_balance else PLACED

    @property
    def user_id(self) -> int:
        return self.user.id

    @property
    def user_ref(self) -> str:
        return self.user.ref

    @property
    def merchant_id(self) -> int:
        return self.body.merchant_id

    @property
    def items_fen(self) -> int:
        return self.quote.items_fen

    @property
    def discount_fen(self) -> int:
        return self.quote.discount_fen

    @property
    def delivery_fee_fen(self) -> int:
        return self.quote.delivery_fee_fen

    @property
    def total_fen(self) -> int:
        return self.quote.total_fen

    @property
    def wallet_fen(self) -> int:
        """What it takes from the user's wallet; 0 while it is not decided."""
        return self.quote.total_fen if self.from_balance and self.basket is not None else 0

    def decide(self, settings: Settings, menu: Menu, dishes: Mapping[int, Dish]) -> None:
        """Ask for the basket. Raises what `decide.basket` raises."""
        self.menu = menu
        self.basket = basket = decide.basket(settings, menu, dishes, self.body, self.now)
        self.quote: Quote = basket.quote
        self.coupon_code: str | None = None
        self.coupon_refused: str | None = None
        self.redemption: Redemption | None = None

    def ask_coupon(
        self, settings: Settings, coupon: Coupon | None, committed_fen: int, standing: Standing | None
    ) -> Redemption | Ineligible | Refused:
        """Ask for the coupon that was named; `coupon` is None if there is none of this code."""
        assert self.basket is not None
        code = self.body.coupon_code
        assert code is not None
        if coupon is None or standing is None:
            verdict: Redemption | Ineligible | Refused = UNKNOWN
        else:
            verdict = redemption(
                coupon,
                committed_fen=committed_fen,
                held=standing.held,
                used=standing.used,
                segment=self.user.segment,
                items_fen=self.quote.items_fen,
            )
        if isinstance(verdict, Redemption):
            assert standing is not None
            self.redemption, self.standing = verdict, standing
            told = decide.with_coupon(settings, self.basket, code, verdict.verdict)
        else:
            told = decide.with_coupon(settings, self.basket, code, verdict)
        self.coupon_code, self.coupon_refused, self.quote = told
        return verdict

    def try_cached(self, settings: Settings, facts: Facts) -> None:
        """Decide by cached facts; leaves the basket None if they are not enough for a yes."""
        menu = facts.menus.get(self.body.merchant_id)
        if menu is None:
            return
        try:
            self.decide(settings, menu, menu.dishes)
        except PlatformError:
            return
        if not self._coupon_cached(settings, facts) or not self._money_cached(facts):
            self.basket = None

    def _coupon_cached(self, settings: Settings, facts: Facts) -> bool:
        code = self.body.coupon_code
        if code is None:
            return True
        budget, standing = facts.budgets.get(code), facts.claims.get((code, self.user.id))
        if budget is not None and standing is not None:
            verdict = self.ask_coupon(settings, budget.coupon, budget.committed_fen, standing)
            return isinstance(verdict, Redemption) or (
                isinstance(verdict, Ineligible) and "per_user_limit" not in verdict.reasons
            )
        return False

    def _money_cached(self, facts: Facts) -> bool:
        fen = self.wallet_fen
        if not fen:
            return True
        money = facts.wallets.get(self.user.id)
        return money is not None and money.balance_fen >= fen

    def decide_fresh(self, settings: Settings, facts: Facts, taken: Taken) -> None:
        """Decide by facts just read, less what this batch takes before. Raises the refusal."""
        body = self.body
        menu = facts.menus.get(body.merchant_id)
        if menu is None:
            raise NotFound("no_such_merchant", f"merchant {body.merchant_id}")
        dishes = menu.dishes
        if taken.pieces:
            left = {}
            for item in body.items:
                dish = dishes.get(item.dish_id)
                if dish is not None and dish.id in taken.pieces:
                    level = dish.level - taken.pieces[dish.id]
                    left[dish.id] = Dish(dish.id, dish.name, dish.price_fen, dish.on_shelf, level)
            if left:
                dishes = {**dishes, **left}
        self.decide(settings, menu, dishes)
        code = body.coupon_code
        if code is not None:
            budget = facts.budgets.get(code)
            standing = facts.claims.get((code, self.user.id))
            committed = 0 if budget is None else budget.committed_fen + taken.spent.get(code, 0)
            self.ask_coupon(settings, None if budget is None else budget.coupon, committed, standing)
        fen = self.wallet_fen
        if fen:
            money = facts.wallets.get(self.user.id)
            if money is None or money.balance_fen - taken.money.get(self.user.id, 0) < fen:
                raise too_little(fen)


def fits(body: OrderBody) -> bool:
    """Whether the database can have every number of the body; the unit of work says what is wrong with the others."""
    return abs(body.merchant_id) <= MAX_INT and all(abs(item.dish_id) <= MAX_INT for item in body.items)
