"""Does what a shop's order asks for: promises, shipments, returns, each once, in any order.

The shop has sold already, so an order is never turned away. What there is is promised to it, by the
same conditional UPDATE as any promise; what is missing waits, an alert names the order, and it is
tried again as soon as there is some. What left, left: a shipment is posted whatever was promised.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from central import adjustments, grants, reservations, schema, shipping
from central.adjustments import Transfer
from central.alerts import Concern
from central.channel_config import Channel
from central.channels import order_plan, order_rows
from central.channels.order_events import OrderEvent
from central.channels.order_plan import Promise, Step
from central.channels.order_rows import Wait
from central.requests import Answer, Caller, problem
from central.reservations import Request, Wanted
from central.rules import Outside, Reason
from central.shipping import Parcel
from central.writer import Transaction

KIND = "order_waiting"
#: Orders that wait, tried again in one go.
RETRIED_MAX = 20
#: What cannot be seen coming (a place for returns, a share of a channel) is tried this often.
RETRY_US = 60 * 1_000_000
#: An order of which nothing was heard for this long is forgotten; its journal stays.
KEPT_US = 90 * 86_400 * 1_000_000
_FORGOTTEN_MAX = 500
#: Another process may take goods between our look and our promise; then we look again.
_LOOKS = 3
#: A promise to an order that is sold does not end; this is only until it is committed, just below.
_TTL_S = 900
_NAMED_MAX = 10
_ADVICE = {
    True: "The shop has sold it: what there is is held for it. Restock, or cancel it in the shop. ",
    False: "What could be done is done. ",
}


def take(tx: Transaction, channel: Channel, event: OrderEvent) -> Answer:
    """Do what an event asks for, once; return what became of it.

    `state` is done, waiting (an alert says for what), repeated or ignored.
    """
    if channel.since_us is not None and (event.at_us or channel.since_us) < channel.since_us:
        return _said("ignored", event, "it happened before this channel's `since`")
    order = order_rows.hold(tx, channel.name, event)
    known = order_rows.add_step(tx, order, event)
    if known is None:
        why = _Desk(tx, channel, order).settle()
        return _said("waiting" if order_rows.is_waiting(tx, order, event) else "done", event, why)
    if channel.kind == "generic" and not order_rows.is_the_same(known, order, event):
        return problem(422, "id_reused", f"webhook-id {event.id} was used for another event")
    return _said("repeated", event, order.why)


def retry(tx: Transaction, channels: Mapping[str, Channel], number: int) -> Answer:
    """Try again to do what an order waits for."""
    order = order_rows.find(tx, number)
    if order is None:
        return problem(404, "no_such_order", f"there is no order {number}")
    if order.channel not in channels:
        detail = f"channel {order.channel} is not in central's configuration any more"
        return problem(409, "no_such_channel", detail)
    why = _Desk(tx, channels[order.channel], order).settle()
    return Answer(200, {"order": order.ref, "state": "waiting" if why else "done", "detail": why})


def hopeful(tx: Transaction, channels: Collection[str]) -> list[int]:
    """Return some orders of these channels that wait and may go on by now."""
    return order_rows.hopeful(tx, sorted(channels), tx.now_us - RETRY_US, RETRIED_MAX)


def dismiss(tx: Transaction, number: int) -> Answer:
    """End the waiting of an order: a person has taken care of it, or nothing is to be done."""
    order = order_rows.find(tx, number)
    if order is None:
        return problem(404, "no_such_order", f"there is no order {number}")
    waiting = [s for s in order_rows.steps_of(tx.connection, number) if s.state == "waiting"]
    order_rows.end(tx, waiting, "dismissed")
    order_rows.write_wait(tx, order, "", Wait(), "")
    tx.books.settle(KIND, _ref(order))
    return Answer(200, {"order": order.ref, "state": "dismissed", "steps": len(waiting)})


def forget_old(tx: Transaction) -> int:
    """Forget some orders that ended long ago; return how many."""
    return order_rows.prune(tx.connection, tx.now_us - KEPT_US, _FORGOTTEN_MAX)


def _said(state: str, event: OrderEvent, why: str = "") -> Answer:
    body: dict[str, Any] = {"order": event.order_ref, "step": event.step, "state": state}
    return Answer(200, body | ({"detail": why} if why else {}))


def _ref(order: Row[Any]) -> str:
    return f"{order.channel}:{order.ref}"


@dataclass
class _Desk:
    """One order on the desk; its row is held."""

    tx: Transaction
    channel: Channel
    order: Row[Any]

    def __post_init__(self) -> None:
        self.wait = Wait()
        self._look()

    def _look(self) -> None:
        self.steps: list[Step] = order_rows.steps_of(self.tx.connection, self.order.id)
        self.promises: list[Promise] = order_rows.promises_of(self.tx, self.order)

    def _open(self, kind: str) -> list[Step]:
        return [s for s in self.steps if s.step == kind and s.state == "waiting"]

    def settle(self) -> str:
        """Do all that can be done; return what the order waits for, nothing when for nothing."""
        if order_plan.is_cancelled(self.steps):
            if self._open("cancelled"):
                self._release()
            order_rows.end(self.tx, self._open("cancelled") + self._open("approved"))
        else:
            order_rows.end(self.tx, self._open("cancelled"))  # it was approved again since
            if self._open("approved"):
                self._promise()
        for step in self._open("shipped"):
            self._ship(step)
        for step in self._open("returned"):
            self._take_back(step)
        self._end_approval()
        return self._tell()

    def _release(self) -> None:
        for promise in self.promises:
            if promise.is_open:
                reservations.release(self.tx, promise.number)
        self._look()

    def _promise(self) -> None:
        for promise in self.promises:
            if promise.state == "held":
                reservations.commit(self.tx, promise.number)
        self._look()
        if self.channel.approved == "commit" or order_plan.is_over(self.steps):
            return
        if order_plan.has_too_much(self.steps, self.promises):
            self._release()  # and what it still wants is promised anew, just below
        for _ in range(_LOOKS):
            wanted, _ = self._known(self._wanted())
            wanted = self._there_is(wanted)
            if not wanted or self._reserve(wanted):
                break
        self._look()

    def _wanted(self) -> dict[str, int]:
        left = order_plan.unpromised(self.steps, self.promises)
        return {sku: quantity for sku, quantity in sorted(left.items()) if quantity > 0}

    def _known(self, lines: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return the lines whose SKU is in the catalogue, and the others."""
        found = self.tx.books.catalogue.find(self.tx.connection, [f"sku:{sku}" for sku in lines])
        known = {sku: n for sku, n in lines.items() if f"sku:{sku}" in found}
        return known, {sku: n for sku, n in lines.items() if sku not in known}

    def _there_is(self, lines: Mapping[str, int]) -> dict[str, int]:
        """Return as much of the lines as could be promised now."""
        site = self._site()
        if site is None or not lines:
            return {}
        request = self._request(lines)
        demand = reservations.demand(self.tx, request)
        left = grants.left_for(self.tx.books, self.channel.name, site, demand)
        if any(left[sku] < n for sku, n in lines.items()) and reservations.expire(self.tx):
            left = grants.left_for(self.tx.books, self.channel.name, site, demand)
        some = {sku: min(quantity, left[sku]) for sku, quantity in lines.items()}
        return {sku: quantity for sku, quantity in some.items() if quantity > 0}

    def _request(self, lines: Mapping[str, int]) -> Request:
        return Request(
            self.channel.name,
            f"hook:{uuid.uuid4()}",
            self.channel.site,
            _TTL_S,
            tuple(Wanted(sku, quantity) for sku, quantity in lines.items()),
            self.order.ref,
        )

    def _reserve(self, lines: Mapping[str, int]) -> bool:
        answer = reservations.reserve(self.tx, self._request(lines))
        if answer.status != 201:
            return False
        reservations.commit(self.tx, answer.body["id"])
        return True

    def _site(self) -> int | None:
        site = schema.site
        query = select(site.c.id).where(site.c.code == self.channel.site)
        return self.tx.connection.execute(query).scalar()

    def _end_approval(self) -> None:
        """End the approval when all of it is promised or gone; else note what is missing."""
        waiting = self._open("approved")
        if not waiting:
            return
        counts = order_plan.approval(self.steps)
        if counts is not None and not order_plan.is_over(self.steps):
            served = any(p.is_open or p.state == "done" for p in self.promises)
            if self.channel.approved == "commit" or not counts.lines:
                if not served and not order_plan.shipped(self.steps, self.promises):
                    self.wait.reasons.append("nothing was reserved for it")
                    return
            else:
                known, unknown = self._known(self._wanted())
                self.wait.short |= known
                self._lack(unknown)
                if known or unknown:
                    waiting = [step for step in waiting if step.number != counts.number]
        order_rows.end(self.tx, waiting)

    def _lack(self, unknown: Mapping[str, int]) -> None:
        for sku, quantity in unknown.items():
            self.wait.unknown[sku] = max(quantity, self.wait.unknown.get(sku, 0))

    def _ship(self, step: Step) -> None:
        if not self.channel.ships:
            order_rows.end(self.tx, [step])
            return
        left = order_plan.to_ship(step, self.steps, self.promises)
        if left is None:
            self.wait.reasons.append("it was shipped, but nobody has said what it is")
            return
        known, unknown = self._known(left)
        parts = order_plan.share_out(known, self.promises)
        for number, lines in parts.items():
            parcels = [Parcel(sku, quantity) for sku, quantity in lines.items()]
            answer = shipping.ship(self.tx, number, parcels)
            assert answer.status == 200, f"it was found open, and is held, but: {answer.body}"
            for sku, quantity in lines.items():
                known[sku] -= quantity
        beyond = {sku: quantity for sku, quantity in known.items() if quantity}
        if beyond:
            parcels = [Parcel(sku, quantity) for sku, quantity in beyond.items()]
            shipping.ship_unpromised(
                self.tx, self.channel.name, self.channel.site, self.order.ref, parcels
            )
            order_rows.take(self.tx, step, _sum(step.took, beyond))
        self._lack(unknown)
        if not unknown:
            order_rows.end(self.tx, [step])
        self._look()
        if not unknown and (step.whole or not step.lines):
            self._release()  # there is nothing more to come

    def _take_back(self, step: Step) -> None:
        place = self.channel.returns_to or self._quarantine()
        if place is None:
            self.wait.reasons.append(
                f"{self.channel.site} has no quarantine for its return: make one, or set returns_to"
            )
            return
        if not step.lines and not order_plan.shipped(self.steps, self.promises):
            self.wait.reasons.append("it came back, but nobody has said that it left")
            return
        known, unknown = self._known(order_plan.to_return(step, self.steps, self.promises))
        moved: dict[str, int] = {}
        for sku, quantity in known.items():
            done = (step.took or {}).get(sku, 0)
            answer = adjustments.transfer(
                self.tx,
                Caller(self.channel.name, f"return:{step.number}:{sku}:{done}"),
                Transfer(
                    self.channel.site, Outside.CUSTOMER, place, sku, quantity,
                    reason=Reason.RETURN, ref=f"order:{self.channel.name}/{self.order.ref}",
                ),
            )  # fmt: skip
            if answer.status >= 400:
                self.wait.reasons.append(f"its return cannot be booked: {answer.body['detail']}")
                break
            moved[sku] = quantity
        if moved:
            order_rows.take(self.tx, step, _sum(step.took, moved))
        self._lack(unknown)
        if len(moved) == len(known) and not unknown:
            order_rows.end(self.tx, [step])
        self._look()

    def _quarantine(self) -> str | None:
        place, site = schema.location, schema.site
        return self.tx.connection.execute(
            select(place.c.code)
            .join(site, site.c.id == place.c.site)
            .where(site.c.code == self.channel.site, place.c.kind == "quarantine")
            .order_by(place.c.id)
            .limit(1)
        ).scalar()

    def _tell(self) -> str:
        """Write down what the order waits for, and have a person know; return the sentence."""
        why = _sentence(self.wait)
        order_rows.write_wait(self.tx, self.order, self.channel.site, self.wait, why)
        ref = _ref(self.order)
        if not self.wait:
            self.tx.books.settle(KIND, ref)
        elif why != self.order.why or not self.tx.books.watch.is_open(KIND, ref):
            self.tx.books.raise_alert(
                Concern(
                    "order_waiting",
                    ref,
                    "critical",
                    f"order {self.order.label} of {self.channel.name} waits: {why}",
                    f"Its number in the shop is {self.order.ref}. {_ADVICE[bool(self.wait.short)]}"
                    "It is tried again by itself; when it is dealt with otherwise, "
                    f"POST /v1/shop-orders/{self.order.id}/dismiss.",
                    self.channel.site,
                )
            )
        return why


def _sum(lines: Mapping[str, int] | None, more: Mapping[str, int]) -> dict[str, int]:
    total = dict(lines or {})
    for sku, quantity in more.items():
        total[sku] = total.get(sku, 0) + quantity
    return total


def _sentence(wait: Wait) -> str:
    """Return what an order waits for, in one line."""
    parts = list(wait.reasons)
    if wait.short:
        parts.append(f"{_named(wait.short)} missing")
    if wait.unknown:
        parts.append(f"{_named(wait.unknown)} unknown here")
    return "; ".join(parts)


def _named(lines: Mapping[str, int]) -> str:
    named: Sequence[str] = [f"{quantity} {sku}" for sku, quantity in sorted(lines.items())]
    more = len(named) - _NAMED_MAX
    return ", ".join(named[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
