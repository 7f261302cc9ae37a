"""The third age: whoever takes orders at a merchant's looks at the app, taps "print" and tears the ticket off (A14).

Decides when somebody looks (each order rings for itself, and who looks prints all that waits), what is done about a
printer in trouble, and what is written down of the work. What may be printed is the platform's to say; the attached
printer is the merchant's own. The same in the model and live.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from simpy import Event

from o2o_sim.actors.scene import Scene, Steps, insist
from o2o_sim.city.model import Merchant
from o2o_sim.notification.draws import PeopleDraws
from o2o_sim.notification.notes import Note
from o2o_sim.port import AttachedPrinters, TicketWaiting


class AppStaff:
    """One merchant's app, its printer, and who sees to them."""

    def __init__(self, scene: Scene, merchant: Merchant, printers: AttachedPrinters, draws: PeopleDraws) -> None:
        self.notes: dict[int, Note] = {}
        self._unseen: dict[int, Note] = {}
        self._scene = scene
        self._merchant_id = merchant.merchant_id
        self._printers = printers
        self._draws = draws

    def run(self) -> Steps:
        """Wait for the app to ring, look sooner or later, print all that waits."""
        scene, printing = self._scene, self._scene.scenario.printing
        inbox = scene.port.app_inbox(self._merchant_id)
        while True:
            message: TicketWaiting = yield inbox.get()
            if self._heard(message).noticed is not None:
                continue  # printed when somebody looked for another
            yield from self._unlooked(message)
            opening_s = printing.app.open_s
            yield self._city(opening_s)
            while True:
                while inbox.items:
                    self._heard((yield inbox.get()))
                if (yield from self._next(opening_s)):
                    opening_s = 0.0
                elif self._rings():  # the last ticket is under way still: nobody knows what became of it
                    yield self._city(printing.attached.mend_poll_s)
                else:
                    break

    def _unlooked(self, message: TicketWaiting) -> Steps:
        """It rings, for one order and then for others, until somebody looks for one of them."""
        env, inbox = self._scene.env, self._scene.port.app_inbox(self._merchant_id)
        look_at = self._looked_for_at(message)
        while env.now < look_at:
            rings = inbox.get()
            yield rings | env.timeout(look_at - env.now)
            if not rings.triggered:
                rings.cancel()
                return
            other: Any = rings.value
            self._heard(other)
            look_at = min(look_at, self._looked_for_at(other))

    def _looked_for_at(self, message: TicketWaiting) -> float:
        """When somebody would look because of this order alone."""
        look_s = self._draws.look[message.order_id] * self._scene.scenario.printing.app.look_mean_s
        return message.at + self._scene.tempo.run_s(look_s)

    def _next(self, opening_s: float) -> Steps:
        """Print the next ticket, if there is one. `opening_s`: work that was done before, for the first of a look."""
        scene, port = self._scene, self._scene.port
        printing, mine = scene.scenario.printing, self._merchant_id
        reply = yield from insist(scene.env, partial(port.next_ticket, mine))
        if reply.status != 200:
            return False
        order_id, token = int(reply.body["order_id"]), str(reply.body["token"])
        note = self._heard(TicketWaiting(order_id, scene.env.now))
        if note.noticed is None:
            note.noticed = scene.env.now
            self._unseen.pop(order_id, None)
        note.staff_s += opening_s
        while self._printers.trouble(mine, order_id) is not None:  # change the roll, find the cable
            yield self._city(printing.attached.mend_poll_s)
            note.staff_s += printing.attached.mend_poll_s
        tap_s = printing.attached.tap_s * self._draws.pace[order_id]
        yield self._city(tap_s)
        note.staff_s += tap_s
        note.attempts += 1
        reply = yield from insist(scene.env, partial(port.fetch_ticket, mine, token))
        if not reply.ok:
            return True  # overtaken by its deadline: look again
        out = self._printers.put_out(mine, order_id, reply.body["job"])
        yield out | scene.env.timeout(printing.ack_timeout_s)
        if out.triggered:  # else nobody knows, and nothing is said
            note.known = scene.env.now if out.value is None else None
            yield from insist(scene.env, partial(port.ticket_result, mine, token, out.value))
        yield self._city(printing.attached.tear_s)
        note.staff_s += printing.attached.tear_s
        return True

    def _heard(self, message: TicketWaiting) -> Note:
        note = self.notes.get(message.order_id)
        if note is None:
            note = self.notes[message.order_id] = Note(message.order_id, self._merchant_id, message.at)
            self._unseen[message.order_id] = note
        return note

    def _rings(self) -> bool:
        """Whether there is a ticket that nobody has seen; at its deadline it is told otherwise."""
        now, deadline_s = self._scene.env.now, self._scene.scenario.printing.deadline_s
        self._unseen = {number: note for number, note in self._unseen.items() if now < note.told + deadline_s}
        return bool(self._unseen)

    def _city(self, seconds: float) -> Event:
        return self._scene.env.timeout(self._scene.tempo.run_s(seconds))
