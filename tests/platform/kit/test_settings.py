"""Settings from the environment, errors in one shape, and the app's health."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_platform.errors import PlatformError
from o2o_platform.settings import Settings


def test_from_env_overrides_defaults() -> None:
    env = {"O2O_DATABASE_URL": "sqlite:///x.db", "O2O_PAYMENT_DEADLINE_S": "12.5", "O2O_DURABLE": "no",
           "O2O_PRINT_MAX_ATTEMPTS": "3", "O2O_DISPATCH_RULE": "least_loaded", "HOME": "/"}  # fmt: skip
    settings = Settings.from_env(env)
    assert (settings.database_url, settings.payment_deadline_s, settings.durable) == ("sqlite:///x.db", 12.5, False)
    assert settings.print_policy.max_attempts == 3
    assert settings.dispatch_policy.rule == "least_loaded"
    assert settings.fees.base_fen == 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("O2O_READERS", "two"),
        ("O2O_READERS", "0"),
        ("O2O_READERS", "1.5"),
        ("O2O_DURABLE", "perhaps"),
        ("O2O_DISPATCH_RULE", "random"),
        ("O2O_PROMISE_S", "nan"),
        ("O2O_PROMISE_S", "-1"),
    ],
)
def test_a_bad_value_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(PlatformError, match=name):
        Settings.from_env({name: value})


@pytest.mark.parametrize("given", [{"readers": True}, {"readers": "2"}, {"durable": 1}, {"database_url": None}])
def test_a_setting_of_another_type_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(PlatformError, match=f"setting {next(iter(given))} .*must be"):
        Settings(**given)


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings(jwt_secret="hidden-1", admin_password="hidden-2", provider_secret="hidden-3"))
    assert "hidden" not in shown
    assert Settings().jwt_secret != Settings().jwt_secret


@pytest.mark.anyio
async def test_health_and_errors_have_one_shape(world: Any) -> None:
    assert (await world.client.get("/healthz")).json() == {"status": "ok"}
    assert (await world.client.get("/readyz")).json() == {"status": "ready"}
    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/orders", 405), ("GET", "/orders/x", 422)):
        answer = await world.admin.call(method, path)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"code", "detail"}
    schema = (await world.client.get("/openapi.json")).json()
    body = schema["paths"]["/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "drop" in body["properties"]
