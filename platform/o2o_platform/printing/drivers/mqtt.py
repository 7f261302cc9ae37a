"""Driver for printers on Star CloudPRNT over MQTT: jobs go out through a broker, results come back through it (A14).

Decides that a job is published once and its result waited for, also across a new connection: the broker's restart
neither ends the wait nor has the job sent again. What the broker is not known to have ends the attempt at once, and the
ticket is unconfirmed: the job may be on its way. The connection is `mqtt_broker`'s, messages are `star_messages`', and
results that nobody waits for are `mqtt_settle`'s.
"""

from __future__ import annotations

import asyncio

from o2o_domain.tickets import PrintOutcome
from o2o_platform.kit.context import Context
from o2o_platform.printing import remote
from o2o_platform.printing.drivers import Answer, Driver, Link, PrintFailed
from o2o_platform.printing.drivers import star_messages as star
from o2o_platform.printing.drivers.mqtt_broker import Broker
from o2o_platform.printing.drivers.mqtt_settle import SCHEME
from o2o_platform.printing.drivers.star_messages import PrintResult
from o2o_platform.printing.media import starprnt

MEDIA_TYPE = "application/vnd.star.starprnt"
_SHELF = "mqtt broker"


class StarConnection:
    """One printer on the broker."""

    def __init__(self, broker: Broker, mac: str, link: Link) -> None:
        self.mac = mac
        self._broker = broker
        self._link = link
        self._waiting: dict[str, tuple[asyncio.Future[Answer], float]] = {}  # with the loop's time of sending
        self._unanswered = 0.0  # when the last job was sent that was given up
        self._open = True

    @classmethod
    async def open(cls, address: str, link: Link) -> StarConnection:
        """Have the broker at hand. Raises OSError when it is away."""
        broker: Broker | None = link.ctx.shelf.get(_SHELF)
        if broker is None:
            raise OSError("there is no MQTT broker: mqtt_url is not set")
        if not broker.connected:
            raise ConnectionRefusedError("the MQTT broker is away")
        printer = cls(broker, address.partition("://")[2], link)
        broker.add(printer)
        return printer

    @property
    def alive(self) -> bool:
        """The broker is there."""
        return self._open and self._broker.connected

    @property
    def owes(self) -> bool:
        """Whether a result is still due."""
        return any(not done.done() for done, _ in self._waiting.values())

    async def trouble(self, timeout_s: float) -> PrintOutcome | None:
        """What keeps the printer from printing, None if nothing does. Nothing is printed by asking."""
        for token, (done, sent) in list(self._waiting.items()):
            if done.done():
                del self._waiting[token]
                self._unanswered = max(self._unanswered, sent)
        return await self._broker.trouble(self.mac, timeout_s, self._unanswered)

    async def send(self, ticket: int, data: bytes) -> asyncio.Future[Answer]:
        """Publish a job; the future is done when it is on paper, and fails with PrintFailed when it never will be.

        Raises OSError if the broker is not known to have it: it may have.
        """
        token = remote.token_of(ticket)
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[token] = done, self._broker.now()
        await self._broker.publish(self.mac, "print-job", star.print_job(token, MEDIA_TYPE, data))
        return done

    def answered(self, result: PrintResult) -> bool:
        """Take a result; False if nobody waits for it here."""
        done, _ = self._waiting.pop(result.token, (None, 0.0))
        if done is None or done.done():
            return False
        if result.ok:
            done.set_result(Answer.PRINTED)
        else:
            done.set_exception(PrintFailed(result.failure))
            done.exception()  # the sender may have given up in this moment; that is no bug
        return True

    async def close(self) -> None:
        """Results that still come are anybody's."""
        self._open = False
        self._broker.remove(self)


def register(ctx: Context) -> None:
    """Give a process that dispatches its connection to the broker, if one is set. PlatformError for a bad URL."""
    if not ctx.settings.mqtt_url:
        return
    broker = ctx.shelf[_SHELF] = Broker(ctx)
    ctx.on_start.append(broker.start)
    ctx.background.on_close(broker.close)
    ctx.meters.read("mqtt", "Messages of printers on the MQTT broker.", lambda: broker.figures)


DRIVER = Driver(SCHEME, starprnt.render, StarConnection.open)
