"""Takes messages from the broker to the ledger and answers the gateways after the commit.

Everything that has arrived while the last commit was running goes into the next one. What cannot be
understood is kept in quarantine with its bytes; it never stops what comes behind it.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, insert, select

from central import schema
from central.alerts import Concern
from central.arrivals import API_PREFIX, Applied, Arrival
from central.outbound import Outbound
from central.writer import Transaction, Writer
from wire import codec
from wire.errors import Malformed, Unavailable
from wire.events import Ack, Batch, Event, GatewayState
from wire.link import Link, Message
from wire.topics import DELIVERY, Address, Topics

log = logging.getLogger(__name__)

#: Events in one commit: enough to make the fsync cheap, few enough to answer within some 50 ms.
EVENTS_PER_COMMIT_MAX = 2_000
#: Events waiting in memory. More are dropped unanswered, and the gateway sends them again.
EVENTS_WAITING_MAX = 50_000
#: Malformed messages kept; the oldest go first.
QUARANTINE_ROWS_MAX = 10_000
#: Reasons in one answer, so that it stays below the packet limit; the ledger has them all.
REJECTED_PER_ACK_MAX = 100
_JSON = TypeAdapter(Any)


@dataclass
class Intake:
    """The broker's side of central."""

    link: Link
    topics: Topics
    writer: Writer
    outbound: Outbound
    tasks: asyncio.TaskGroup
    lag_ms: float = 0.0
    _arrived: deque[tuple[Message, Arrival, float]] = field(default_factory=deque)
    _events_waiting: int = 0
    _some: asyncio.Event = field(default_factory=asyncio.Event)
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    _session: uuid.UUID = field(default_factory=uuid.uuid4)
    _gateways: dict[tuple[str, str], tuple[uuid.UUID, bool]] = field(default_factory=dict)

    def on_message(self, message: Message) -> None:
        """Take one message; called by the link, in order."""
        try:
            address = self.topics.parse(message.topic)
            match address.channel:
                case "events":
                    self._take(message, arrival(address, message.payload))
                    return
                case "state" if message.payload:
                    self._gateway(address, codec.decode(GatewayState, message.payload))
                case "alert" if message.payload and message.retain:
                    self.outbound.heard_alert(address.name)
                case _:
                    pass
        except Malformed as error:
            self._quarantine(message, str(error))
        message.ack()

    def _take(self, message: Message, arrived: Arrival) -> None:
        size = len(arrived.events) + len(arrived.broken)
        if self._events_waiting + size > EVENTS_WAITING_MAX:
            log.warning("%d events of %s dropped: too many wait", size, arrived.source)
            message.ack()
            return
        self._events_waiting += size
        self._arrived.append((message, arrived, asyncio.get_running_loop().time()))
        self._some.set()

    async def run(self) -> None:
        """Commit what arrives and answer, until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._arrived:
                await self._commit(self._next_group())

    def _next_group(self) -> list[tuple[Message, Arrival, float]]:
        group: list[tuple[Message, Arrival, float]] = []
        events = 0
        while self._arrived and events < EVENTS_PER_COMMIT_MAX:
            group.append(self._arrived.popleft())
            events += len(group[-1][1].events)
        return group

    async def _commit(self, group: list[tuple[Message, Arrival, float]]) -> None:
        arrivals = [arrived for _, arrived, _ in group]
        self._events_waiting -= sum(len(a.events) + len(a.broken) for a in arrivals)
        try:
            results = await self.writer.apply(arrivals)
        except Unavailable:
            # Not answered, so the gateways keep everything and send it again.
            results = []
        now = asyncio.get_running_loop().time()
        self.lag_ms = (now - group[0][2]) * 1_000
        for answer in _one_per_stream(results):
            self._answer(answer)
        for message, _, _ in group:
            message.ack()
        for result in results:
            if result.activity:
                self._spawn(self.outbound.tell_activity(result.key[0], result.activity))

    def _answer(self, result: Applied) -> None:
        site, source, epoch = result.key
        ack = Ack(
            epoch=uuid.UUID(epoch),
            applied_seq=result.applied_seq,
            expect_seq=result.applied_seq + 1,
            rejected=result.rejected[-REJECTED_PER_ACK_MAX:],
            central_session=self._session,
        )
        delivery = DELIVERY["ack"]
        self._spawn(
            self.link.publish(
                self.topics.ack(site, source),
                ack.model_dump_json().encode(),
                qos=delivery.qos,
                retain=delivery.retain,
            )
        )

    async def greet(self) -> None:
        """Tell every gateway where its outbox stands, under a new session.

        What the broker had for the old connection is gone with it; the new session makes gateways
        send again from there.
        """
        self._session = uuid.uuid4()
        self.connected.set()

        def marks(tx: Transaction) -> list[Applied]:
            table = schema.stream
            gateways = select(table).where(~table.c.source.startswith(API_PREFIX, autoescape=True))
            rows = tx.connection.execute(gateways.order_by(table.c.seen_us, table.c.id))
            return [Applied((r.site, r.source, r.epoch), r.applied_seq) for r in rows]

        newest = {mark.key[:2]: mark for mark in await self.writer.submit(marks)}
        for mark in newest.values():
            self._answer(mark)

    def _gateway(self, address: Address, state: GatewayState) -> None:
        who = (address.site, address.name)
        session, online = self._gateways.get(who, (state.session, None))
        if state.online == online and state.session == session:
            return
        if online and not state.online and state.session != session:
            return  # the Will of a connection that was replaced: the gateway lives
        self._gateways[who] = (state.session, state.online)
        ref = "/".join(who)

        def judge(tx: Transaction) -> None:
            if state.online:
                tx.books.settle("gateway_offline", ref)
            else:
                tx.books.raise_alert(
                    Concern(
                        "gateway_offline",
                        ref,
                        "critical",
                        f"gateway {address.name} is offline",
                        f"{state.outbox.pending} scans wait there. Nothing is lost: they are on "
                        "its disk. Check its power and network.",
                        address.site,
                    )
                )

        self._spawn(self.writer.submit(judge))

    def _quarantine(self, message: Message, reason: str) -> None:
        log.warning("malformed message on %s: %s", message.topic, reason)

        def keep(tx: Transaction) -> None:
            table = schema.quarantine
            number = tx.connection.execute(
                insert(table)
                .values(
                    topic=message.topic,
                    payload=message.payload[: codec.PAYLOAD_BYTES_MAX],
                    reason=reason,
                    received_us=tx.now_us,
                )
                .returning(table.c.id)
            ).scalar_one()
            tx.connection.execute(delete(table).where(table.c.id <= number - QUARANTINE_ROWS_MAX))
            tx.books.raise_alert(
                Concern(
                    "malformed_message",
                    message.topic,
                    "warning",
                    f"a message on {message.topic} cannot be understood",
                    f"{reason}. Its bytes are in quarantine.",
                )
            )

        self._spawn(self.writer.submit(keep))

    def _spawn(self, work: Awaitable[None]) -> None:
        self.tasks.create_task(_quietly(work))


async def _quietly(work: Awaitable[None]) -> None:
    """Await what may fail for now: it is repeated after the next connect, or sent again."""
    try:
        await work
    except Unavailable as error:
        log.warning("%s", error)


def arrival(address: Address, payload: bytes) -> Arrival:
    """Return what an events message brings; raise Malformed when not even its head makes sense."""
    try:
        batch = codec.decode(Batch, payload)
    except Malformed as error:
        return _salvage(address, payload, error)
    if batch.gateway != address.name:
        raise Malformed(f"batch of gateway {batch.gateway!r} on the topic of {address.name!r}")
    for seq, event in enumerate(batch.events, batch.first_seq):
        _in_place(event, seq)
    return Arrival(address.site, address.name, batch.epoch, batch.first_seq, batch.events)


def _in_place(event: Event, seq: int) -> Event:
    if event.seq != seq:
        raise Malformed(f"event {event.seq} where {seq} belongs")
    return event


class Head(Batch):
    """A batch whose events are not looked at yet."""

    events: tuple[Any, ...]  # decoded one by one below


def _salvage(address: Address, payload: bytes, why: Malformed) -> Arrival:
    """Decode event by event, so that one bad event does not cost the good ones their place."""
    try:
        head = codec.decode(Head, payload)
    except Malformed:
        raise why from None
    if head.gateway != address.name:
        raise why
    good: list[Event] = []
    broken: list[tuple[int, str, str]] = []
    for seq, data in enumerate(head.events, head.first_seq):
        text = _JSON.dump_json(data)
        try:
            good.append(_in_place(codec.decode(Event, text), seq))
        except Malformed as error:
            broken.append((seq, text.decode(), str(error)))
    return Arrival(
        address.site, address.name, head.epoch, head.first_seq, tuple(good), tuple(broken)
    )


def _one_per_stream(results: list[Applied]) -> list[Applied]:
    """Return one answer for each outbox: its newest mark, and all its rejected events."""
    merged: dict[tuple[str, str, str], Applied] = {}
    for result in results:
        earlier = merged.get(result.key)
        rejected = (earlier.rejected if earlier else ()) + result.rejected
        merged[result.key] = Applied(result.key, result.applied_seq, result.hole, 0, rejected)
    return list(merged.values())
