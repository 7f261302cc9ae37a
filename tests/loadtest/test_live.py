"""When a live run is over: not before the city has told of the last orders."""

from __future__ import annotations

import time
from typing import Any

from o2o_loadtest import live
from o2o_scenarios.schema import Scenario


class Ended:
    """A child whose work is done."""

    ended = True

    def check(self, *, may_have_ended: bool = False) -> None:
        pass


def test_what_the_city_said_before_the_last_journey_ends_nothing() -> None:
    """The city tells once a second: "all of 60 settled" may be older than the 61st order."""
    locust_said, city_said = live._Said(), live._Said()
    city_said({"known": 60, "settled": 60, "at": time.time()})
    later = time.time() + 10.0
    news = iter(({"known": 61, "settled": 60, "at": later}, {"known": 61, "settled": 61, "at": later + 1.0}))
    looked = []

    def stop() -> bool:
        looked.append(dict(city_said.facts))
        if len(looked) > 1:
            city_said(next(news))
        return False

    scenario = Scenario.model_validate({"name": "short", "clock": {"duration_s": 1, "drain_s": 600}})
    child: Any = Ended()
    over = live._watch(
        scenario, 61, time.time(), [child], child, city_said, locust_said, lambda what, share: None, stop
    )
    assert over is False
    assert (city_said.facts["known"], city_said.facts["settled"]) == (61, 61)
    assert len(looked) == 3
