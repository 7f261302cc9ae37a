"""The scenario: every quantity that a run depends on, as one validated tree of pydantic models.

Decides the names, units, defaults and allowed ranges of the fields. Leaves reading files, `extends:` and `--set` to
`loader`, and what the figures mean in time to the model (o2o_sim) and the live world (o2o_loadtest).

Rules that hold in this file:
- a quantity carries its unit in its name (`_s`, `_min`, `_km`, `_m`, `_mm`, `_ms`, `_fen`, `_per_hour`, `_kmh`);
- money is integer fen (1 yuan = 100 fen);
- unknown keys are refused, models are frozen, so a scenario can be hashed and shared between processes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from o2o_scenarios.notification import CABLE_FAULTS, AgeName, AppSpec, AttachedSpec, PhoneSpec, StaffSpec
from o2o_scenarios.printer_faults import PrinterFaultsSpec
from o2o_scenarios.quantities import (
    Fraction,
    MinuteOfDay,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Spec,
    Whole,
)

Segment = Literal["work_meal", "family", "social"]
Vehicle = Literal["motorcycle", "bicycle", "car", "walking"]
Weather = Literal["clear", "rain", "storm"]
HelperName = Literal["risk", "recommendation", "reviews"]


class ClockSpec(Spec):
    """When the run starts on the city's day, and how long it lasts.

    A run's clock counts *run seconds* from its epoch. `speed` compresses the city (arrivals, cooking, riding, shifts:
    k city seconds pass in one run second) but neither the platform nor the printers: that is how one machine puts a
    city's peak on the order-to-print path. 1.0 is real time.
    """

    start_min: MinuteOfDay = 660
    duration_s: PositiveFloat = 7200.0
    """City seconds during which intents arrive."""
    drain_s: NonNegativeFloat = 7200.0
    """City seconds after the last arrival before the horizon; orders still open then are counted as unfinished."""
    speed: PositiveFloat = 1.0


class MerchantsSpec(Spec):
    """Stores with menus, kitchens of finite capacity, opening hours and a printer each."""

    count: PositiveInt = 200
    dishes: Annotated[Whole, Field(ge=1, le=60)] = 12
    price_min_fen: PositiveInt = 600
    price_max_fen: PositiveInt = 4800
    stock_per_dish: NonNegativeInt = 500
    kitchen_slots_mean: PositiveFloat = 4.0
    prep_median_s: PositiveFloat = 540.0
    prep_sigma: NonNegativeFloat = 0.35
    """Sigma of the log-normal preparation time."""
    open_min: MinuteOfDay = 540
    close_min: MinuteOfDay = 1320
    popularity_exponent: NonNegativeFloat = 0.5
    """Zipf exponent of the merchants' share of demand; 0 makes all equally popular."""

    @model_validator(mode="after")
    def _ordered(self) -> MerchantsSpec:
        if self.price_min_fen > self.price_max_fen:
            raise ValueError("price_min_fen must not exceed price_max_fen")
        if self.open_min >= self.close_min:
            raise ValueError("open_min must come before close_min")
        return self


class UsersSpec(Spec):
    """Consumers with a home and a workplace each (S4): the three segments and their shares."""

    count: PositiveInt = 5000
    work_meal: Fraction = 0.5
    family: Fraction = 0.3
    social: Fraction = 0.2

    @model_validator(mode="after")
    def _shares(self) -> UsersSpec:
        if abs(self.work_meal + self.family + self.social - 1.0) > 1e-6:
            raise ValueError("the shares work_meal + family + social must sum to 1")
        return self


class RidersSpec(Spec):
    """Riders (couriers): fleet, vehicles, speeds, service times and shifts."""

    count: PositiveInt = 300
    motorcycle: Fraction = 0.7
    bicycle: Fraction = 0.3
    motorcycle_kmh: PositiveFloat = 24.0
    bicycle_kmh: PositiveFloat = 14.0
    car_kmh: PositiveFloat = 28.0
    walking_kmh: PositiveFloat = 4.8
    shift_h: PositiveFloat = 8.0
    pickup_s: NonNegativeFloat = 90.0
    dropoff_s: NonNegativeFloat = 120.0

    @model_validator(mode="after")
    def _shares(self) -> RidersSpec:
        if abs(self.motorcycle + self.bicycle - 1.0) > 1e-6:
            raise ValueError("the shares motorcycle + bicycle must sum to 1")
        return self


class CitySpec(Spec):
    """The road graph (synthetic, or read from a file) and who lives on it."""

    graph: str | None = None
    """GraphML (OSMnx) or .osm.pbf file, or a folder with nodes.csv and edges.csv; null makes a synthetic city."""
    nodes: Annotated[Whole, Field(ge=16, le=100_000)] = 2000
    extent_km: PositiveFloat = 9.0
    rivers: Annotated[Whole, Field(ge=0, le=4)] = 1
    bridges_per_river: PositiveInt = 5
    arterial_every: Annotated[Whole, Field(ge=2)] = 6
    zones: PositiveInt = 48
    merchants: MerchantsSpec = MerchantsSpec()
    users: UsersSpec = UsersSpec()
    riders: RidersSpec = RidersSpec()


class CurveKnot(Spec):
    """One knot of the piecewise-linear daily curve: the relative demand at a minute of the day."""

    at_min: MinuteOfDay
    weight: NonNegativeFloat


class DemandSpec(Spec):
    """Non-homogeneous arrivals of intents, or a real day's order file (S5: weather and holiday multipliers)."""

    orders_per_hour: NonNegativeFloat = 3600.0
    """Mean rate over the arrival window in clear weather on a working day; curve, weather and holiday multiply it."""
    deals_per_hour: NonNegativeFloat = 0.0
    curve: tuple[CurveKnot, ...] = ()
    """Empty means flat. Weights are normalised to mean 1 over the arrival window."""
    weather: Weather = "clear"
    rain_multiplier: PositiveFloat = 1.25
    storm_multiplier: PositiveFloat = 1.5
    rain_rider_speed: PositiveFloat = 0.85
    storm_rider_speed: PositiveFloat = 0.65
    holiday: bool = False
    holiday_multiplier: PositiveFloat = 1.3
    coupon_share: Fraction = 0.3
    """Share of order intents that try to use a coupon of the scenario."""
    review_share: Fraction = 0.25
    max_distance_m: PositiveFloat = 5000.0
    """A user orders from merchants within this straight-line distance of the drop-off."""
    orders: str | None = None
    """Folder with a real day (layouts of Rappi's city-days or of Grubhub's mdrplib); replaces generated demand."""


class StageSpec(Spec):
    """Service time of one platform stage: log-normal with this mean and coefficient of variation."""

    mean_ms: NonNegativeFloat
    cv: NonNegativeFloat = 0.5


class PaymentFaultsSpec(Spec):
    """Shares of payments whose callback goes wrong, one fault each; both worlds meet the same."""

    lost: Fraction = 0.0
    """The money is taken, the callback never comes."""
    doubled: Fraction = 0.0
    """Told twice."""
    late: Fraction = 0.0
    late_mean_s: PositiveFloat = 30.0
    """How much later, exponential."""
    amount_wrong: Fraction = 0.0
    """Another amount is taken, and told."""

    @model_validator(mode="after")
    def _shares(self) -> PaymentFaultsSpec:
        if self.lost + self.doubled + self.late + self.amount_wrong > 1.0 + 1e-6:
            raise ValueError("the shares lost + doubled + late + amount_wrong must not exceed 1")
        return self


class PaymentSpec(Spec):
    """The sandbox payment provider: how long users take, how its callback behaves, how often it refuses."""

    confirm_mean_s: NonNegativeFloat = 0.2
    callback_mean_s: NonNegativeFloat = 0.1
    refuse_share: Fraction = 0.005
    deadline_s: PositiveFloat = 900.0
    faults: PaymentFaultsSpec = PaymentFaultsSpec()
    reconcile_interval_s: PositiveFloat = 30.0
    """How often the platform compares its books with the provider's."""
    reconcile_grace_s: NonNegativeFloat = 10.0
    """A payment is compared when the provider decided so long ago: its callback may still be on its way."""
    balance_share: Fraction = 0.0
    """Share of the users' orders that are paid from a wallet, at once and without the provider."""
    wallet_fen: PositiveInt = 20_000
    """What each user has in the wallet when the run begins, if anybody pays from one."""


class HelperFaultSpec(Spec):
    """A helper service that dies, and comes back."""

    helper: HelperName
    kill_s: NonNegativeFloat
    """City seconds after the epoch at which its process is killed."""
    back_s: PositiveFloat
    """City seconds after the epoch at which it is started again."""

    @model_validator(mode="after")
    def _ordered(self) -> HelperFaultSpec:
        if self.kill_s >= self.back_s:
            raise ValueError("kill_s must come before back_s")
        return self


class BreakerSpec(Spec):
    """When a helper counts as ill, and when it is tried again (o2o_domain.breaker); run seconds."""

    timeout_s: PositiveFloat = 0.1
    """An order waits no longer for a helper."""
    failures: PositiveInt = 5
    """Failures in a row that open the breaker."""
    open_s: NonNegativeFloat = 5.0


class PlatformSpec(Spec):
    """The platform as the model sees it: workers and per-stage service times (measured values come by calibration)."""

    workers: PositiveInt = 4
    dispatchers: PositiveInt = 2
    accept: StageSpec = StageSpec(mean_ms=8.0)
    commit: StageSpec = StageSpec(mean_ms=6.0)
    publish: StageSpec = StageSpec(mean_ms=2.0)
    claim: StageSpec = StageSpec(mean_ms=2.0)
    render: StageSpec = StageSpec(mean_ms=2.0)
    send: StageSpec = StageSpec(mean_ms=3.0)
    event: StageSpec = StageSpec(mean_ms=5.0)
    """Any other request of an actor (accept, ready, picked up, delivered, claim, visit)."""
    payment: PaymentSpec = PaymentSpec()
    helpers: tuple[HelperName, ...] = ()
    """Helper services of the order path that run beside the platform, behind breakers (S11)."""
    helper: StageSpec = StageSpec(mean_ms=2.0)
    """How long a helper takes to answer."""
    breaker: BreakerSpec = BreakerSpec()
    helper_faults: tuple[HelperFaultSpec, ...] = ()

    @model_validator(mode="after")
    def _helpers_known(self) -> PlatformSpec:
        if len(set(self.helpers)) != len(self.helpers):
            raise ValueError("helpers must be unique")
        last: dict[str, float] = {}
        for fault in self.helper_faults:
            if fault.helper not in self.helpers:
                raise ValueError(f"helper_faults: {fault.helper} is not among the helpers")
            if fault.kill_s <= last.get(fault.helper, -1.0):
                raise ValueError(f"helper_faults: {fault.helper} is killed again before it is back")
            last[fault.helper] = fault.back_s
        return self


class PrintingSpec(Spec):
    """How the kitchen hears of an order; printers' mechanism and the platform's print policy."""

    age: AgeName = "cloud"
    """Which of the four ages of notification (A14, o2o_domain.notification)."""
    width: Literal["58mm", "80mm"] = "80mm"
    speed_mm_s: PositiveFloat = 200.0
    roll_mm: PositiveFloat = 50_000.0
    ack_timeout_s: PositiveFloat = 20.0
    retry_backoff_s: PositiveFloat = 2.0
    max_attempts: PositiveInt = 5
    deadline_s: PositiveFloat = 180.0
    """A first copy that is not on paper after this time escalates to the merchant's app."""
    faults: PrinterFaultsSpec = PrinterFaultsSpec()
    phone: PhoneSpec = PhoneSpec()
    app: AppSpec = AppSpec()
    attached: AttachedSpec = AttachedSpec()
    staff: StaffSpec = StaffSpec()

    @model_validator(mode="after")
    def _faults_known(self) -> PrintingSpec:
        strange = [name for name, share in self.faults.shares().items() if share and name not in CABLE_FAULTS]
        if self.age == "app_printer" and strange:
            raise ValueError(
                f"a printer on a cable has no {strange[0]}: with age app_printer only {', '.join(CABLE_FAULTS)}"
            )
        return self


class DispatchSpec(Spec):
    """Which rider takes an order."""

    rule: Literal["nearest", "least_loaded"] = "nearest"
    max_radius_m: PositiveFloat = 6000.0
    patience_s: PositiveFloat = 1800.0
    """City seconds after which an order without a rider is cancelled and refunded."""


class FeesSpec(Spec):
    """Delivery fee and commission."""

    delivery_base_fen: NonNegativeInt = 300
    delivery_free_over_fen: NonNegativeInt = 6000
    delivery_per_km_fen: NonNegativeInt = 100
    delivery_free_km: NonNegativeFloat = 2.0
    commission_share: Fraction = 0.1


class CouponSpec(Spec):
    """A spend-and-save coupon with a budget."""

    code: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[A-Z0-9_]+$")]
    threshold_fen: NonNegativeInt
    off_fen: PositiveInt
    budget_fen: NonNegativeInt
    per_user: PositiveInt = 1
    segments: tuple[Segment, ...] = ()
    """Empty means every segment may use it."""


class PoolSpec(Spec):
    """Public and private pools of leads (C6-C8)."""

    quota: PositiveInt = 40
    term_days: PositiveInt = 45
    visit_days: PositiveInt = 15
    contract_days: PositiveInt = 30
    extension_days: NonNegativeInt = 15
    max_extensions: NonNegativeInt = 1
    extension_resets: Literal["term", "all"] = "term"
    """Which clocks an extension or an assignment resets: the term's only, or all three (o2o_domain.pools)."""


class CrmSpec(Spec):
    """Leads, sales people (BDs) and how they work."""

    leads: NonNegativeInt = 0
    bds: NonNegativeInt = 0
    days: PositiveInt = 90
    visits_per_day: PositiveFloat = 8.0
    visit_min: PositiveFloat = 35.0
    work_hours: PositiveFloat = 8.0
    sign_chance: Fraction = 0.05
    """Mean chance that a visit ends in a signed contract, for a lead that has not been visited before."""
    sign_gain_per_visit: Fraction = 0.04
    sign_heterogeneity: NonNegativeFloat = 0.8
    new_leads_per_day: NonNegativeFloat = 0.0
    bd_kmh: PositiveFloat = 20.0
    """Speed of a BD's vehicle on the road graph."""
    revisit_days: NonNegativeFloat = 5.0
    """A key person receives the same BD again after this many days at the earliest."""
    interest_half_life_days: PositiveFloat = 10.0
    """What earlier visits gained halves with each such span without a visit."""
    freshness_half_life_days: PositiveFloat = 120.0
    """The chance to sign halves with each such span since the lead appeared (rivals, closures)."""
    hoarding: Fraction = 1.0
    """Share of the free quota beyond his day's work that a BD claims ahead; 1 fills the quota whenever he can."""
    defend_days: NonNegativeFloat = 2.0
    """A lead that the pool rules would take within this many days counts twice for a BD: a visit to keep it."""
    extend_share: Fraction = 0.5
    """Share of the warm leads about to lose their term or contract clock that a BD extends (C8)."""
    assignments_per_week: NonNegativeFloat = 2.0
    """Leads a week that each manager moves from a BD who lets them lie to one with room (C8)."""
    pool: PoolSpec = PoolSpec()


class LoadSpec(Spec):
    """How `o2o load` replays the scenario against a live platform unless the command line says otherwise."""

    speed: PositiveFloat | None = None
    """City seconds per wall second; null is `clock.speed`."""
    lateness_p99_ms: PositiveFloat = 10.0
    """A run whose generator was later than this at p99 is INVALID."""


class SloSpec(Spec):
    """Service-level objectives that the report's verdict is given against."""

    order_to_print_p95_s: PositiveFloat = 10.0
    success_share: Fraction = 0.999
    late_share: Fraction = 0.1
    """Share of delivered orders later than `promise_min` after intent."""
    promise_min: PositiveFloat = 45.0


class CompareSpec(Spec):
    """What `o2o compare` varies unless the command line says otherwise."""

    vary: Annotated[str, Field(pattern=r"^[a-z0-9_.\[\]]+=[^,]+(,[^,]+)+$")] | None = None
    """FIELD=A,B,C: the field that differs and its values, the first is the baseline."""
    replications: Annotated[Whole, Field(ge=2)] = 20


class Scenario(Spec):
    """One story that can be run in the model and against the live platform."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+$")]
    title: str = ""
    story: str = ""
    """What the scenario shows and what to look at."""
    kind: Literal["city", "pools"] = "city"
    """`city`: a day of orders; `pools`: weeks of BDs and leads."""
    seed: Annotated[Whole, Field(ge=0, le=2**63 - 1)] = 7
    clock: ClockSpec = ClockSpec()
    city: CitySpec = CitySpec()
    demand: DemandSpec = DemandSpec()
    platform: PlatformSpec = PlatformSpec()
    printing: PrintingSpec = PrintingSpec()
    dispatch: DispatchSpec = DispatchSpec()
    fees: FeesSpec = FeesSpec()
    coupons: tuple[CouponSpec, ...] = ()
    crm: CrmSpec = CrmSpec()
    compare: CompareSpec = CompareSpec()
    load: LoadSpec = LoadSpec()
    slo: SloSpec = SloSpec()

    @field_validator("coupons")
    @classmethod
    def _unique_coupons(cls, coupons: tuple[CouponSpec, ...]) -> tuple[CouponSpec, ...]:
        codes = [coupon.code for coupon in coupons]
        if twice := [code for place, code in enumerate(codes) if code in codes[:place]]:
            raise ValueError(f"codes must be unique, {twice[0]} is there twice")
        return coupons
