"""Where a Star printer learns at start how it is to reach us: GET /cloudprnt-setting.json (A14).

Source: Star CloudPRNT Protocol Guide 2.4.0, "Server setting information request (GET)": a printer takes the last part
of the CloudPRNT URL set in it (`/cloudprnt`) for this name. Decides by the printer's address: one that is named
cloudprnt-mqtt:// is told of the broker, any other gets 404, which means that it is to poll over HTTP.

The broker's address is `settings.mqtt_url`'s; its user and password are the platform's own and are told to nobody. A
printer with a secret shows it here as it does at /cloudprnt, and is told to use it at the broker as well, its MAC being
the user: the broker has to know it.
"""

from __future__ import annotations

import hmac
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from o2o_platform.errors import NotFound, Unauthenticated
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.printing import remote
from o2o_platform.printing.drivers.mqtt_broker import POLLING_S, BrokerUrl
from o2o_platform.printing.drivers.mqtt_settle import SCHEME
from o2o_platform.printing.protocols import cloudprnt_wire as wire

PATH = "/cloudprnt-setting.json"
_WHO = {"WWW-Authenticate": 'Basic realm="o2o printers"'}


def register(app: FastAPI, ctx: Context) -> None:
    """Add the route."""

    @app.get(PATH, tags=["printers"])
    async def setting(request: Request) -> Response:
        """What kind of server this is, for the printer of this MAC."""
        mac = wire.mac_of(request.query_params.get("mac"))
        if not ctx.settings.mqtt_url or mac is None:
            raise NotFound("no_mqtt", "printers poll here over HTTP")
        found = await ctx.db.read(lambda conn: remote.merchant_at(conn, f"{SCHEME}://{mac}"))
        if found is None:
            raise NotFound("no_mqtt", "this printer polls over HTTP")
        if found.printer_secret is not None:
            user, password = wire.credentials(request.headers.get("authorization")) or ("", "")
            right = hmac.compare_digest(password.encode(), found.printer_secret.encode())
            if not right or wire.mac_of(user) != mac:
                raise Unauthenticated("wrong_secret", "the printer's user and password are not right", headers=_WHO)
        return reply(answer(BrokerUrl.parse(ctx.settings.mqtt_url), mac, found.printer_secret))


def answer(broker: BrokerUrl, mac: str, secret: str | None) -> dict[str, Any]:
    """The body: Full MQTT, at this broker."""
    connection: dict[str, Any] = {"hostName": broker.host, "portNumber": broker.port, "useTls": broker.tls}
    if secret is not None:
        connection["authenticationSetting"] = {"username": mac, "password": secret}
    return {
        "title": "star_cloudprnt_server_setting",
        "version": "1.0.0",
        "serverSupportProtocol": ["HTTP", "MQTT"],
        "settingForMQTT": {
            "useTriggerPOST": False,
            "pollingTimeSec": POLLING_S,
            "mqttConnectionSetting": connection,
        },
    }
