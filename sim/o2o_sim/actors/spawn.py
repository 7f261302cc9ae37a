"""Spawn: puts a city's actors to work on a SimPy environment, in the model and live alike.

Decides who is started and in which order (which breaks ties between events of one instant, so it must not change from
run to run). What they do is theirs; when time passes is the environment's.
"""

from __future__ import annotations

from simpy import Environment

from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.actors.app_staff import AppStaff
from o2o_sim.actors.bd import Bd
from o2o_sim.actors.kitchen import Kitchen
from o2o_sim.actors.log import ActorLog
from o2o_sim.actors.reviewer import Reviewers
from o2o_sim.actors.rider import Rider
from o2o_sim.actors.scene import Errands, Scene, Steps
from o2o_sim.actors.voucher_holder import VoucherHolders
from o2o_sim.city.model import City
from o2o_sim.city.travel import TravelTimes
from o2o_sim.crm.signing import Luck, extended
from o2o_sim.demand.clock import effective_clock
from o2o_sim.notification.draws import PeopleDraws
from o2o_sim.port import AttachedPrinters, Delivered, Platform
from o2o_sim.tempo import Tempo


def spawn_actors(
    env: Environment,
    scenario: Scenario,
    city: City,
    trace: Trace,
    port: Platform,
    tempo: Tempo,
    *,
    errands: Errands | None = None,
    attached: AttachedPrinters | None = None,
) -> ActorLog:
    """Start every kitchen, rider, BD and reactive user of the city as processes of `env`.

    The actors stop only with the environment; ask the log for their tables whenever the run ends. `errands` are the
    trace's columns if the caller has read them already; `attached` are the printers beside the merchants' apps, in the
    age in which somebody must tap "print". Raises ValueError if the trace's ids are not 0, 1, 2, ...
    """
    start_min, _ = effective_clock(scenario)
    travel = TravelTimes.of(scenario, city.graph, start_min=start_min)
    travel.prepare((merchant.node for merchant in city.merchants), {rider.vehicle for rider in city.riders})
    scene = Scene(env, scenario, city, errands or Errands.of(trace), port, tempo, travel, start_min)
    kitchens = [Kitchen(scene, merchant) for merchant in city.merchants]
    riders = [Rider(scene, rider) for rider in city.riders]
    luck = Luck(scenario.seed, len(city.leads))
    extends = extended(scenario, len(city.leads))
    bds = [Bd(scene, bd, luck, extends) for bd in city.bds]
    staff: list[AppStaff] = []
    if attached is not None:
        draws = PeopleDraws(scenario.printing.staff, scenario.seed, len(scene.errands.user_id))
        staff = [AppStaff(scene, merchant, attached, draws) for merchant in city.merchants]
    for life in (actor.run for group in (kitchens, riders, bds, staff) for actor in group):
        env.process(life())
    env.process(_users(scene))
    return ActorLog(scene, kitchens, riders, bds, staff)


def _users(scene: Scene) -> Steps:
    """Hand each message of the users' inbox to those whom it concerns."""
    reviewers, holders = Reviewers(scene), VoucherHolders(scene)
    inbox = scene.port.users_inbox()
    while True:
        message = yield inbox.get()
        if isinstance(message, Delivered):
            reviewers.delivered(message.order_id)
        else:
            holders.issued(message.order_id)
