"""G5: a token ends with its lifetime on the platform's clock."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


async def test_a_token_expires_on_the_platforms_clock(world: Any) -> None:
    actor = await world.actor("consumer")
    world.clock.advance(world.app.state.ctx.settings.token_ttl_s - 2)
    assert (await actor.get("/me")).status_code == 200
    world.clock.advance(3)
    expired = await actor.get("/me")
    assert expired.status_code == 401
    assert expired.json()["error"]["code"] == "token_expired"
