"""Takes messages from the broker to the ledger and answers the gateways after the commit.

Everything that has arrived while the last commit was running goes into the next one. What cannot be
understood is kept in quarantine with its bytes; it never stops what comes behind it.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, insert, select

from central import leases, schema
from central.alerts import Announcement, Concern
from central.arrivals import API_PREFIX, Applied, Arrival
from central.retrying import until_done
from central.tenure import Tenure
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

Who = tuple[str, str]  # site, gateway


@dataclass
class Intake:
    """The broker's side of central."""

    link: Link
    topics: Topics
    writer: Writer
    tenure: Tenure
    lag_ms: float = 0.0
    _tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    _arrived: deque[tuple[Message, Arrival, float]] = field(default_factory=deque)
    _events_waiting: int = 0
    _some: asyncio.Event = field(default_factory=asyncio.Event)
    #: Set once the first connection is there.
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    #: The session that each lease's gateways were told.
    _sessions: dict[str, uuid.UUID] = field(default_factory=dict)
    _gateways: dict[Who, GatewayState] = field(default_factory=dict)

    def on_message(self, message: Message) -> None:
        """Take one message; called by the link, in order. What is another process's is dropped."""
        try:
            address = self.topics.parse(message.topic)
            match address.channel:
                case "events" if self.tenure.owns(address.site, address.name):
                    self._take(message, arrival(address, message.payload))
                    return
                case "state" if message.payload:
                    self._gateway(address, codec.decode(GatewayState, message.payload))
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
        async with self._tasks:
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
            lines = [line.model_dump_json(exclude_none=True).encode() for line in result.activity]
            if lines:
                self._spawn(self._tell_activity(result.key[0], lines))

    def tell(self, announcements: Sequence[Announcement]) -> None:
        """Send the lines of the live feed among what a command of this process announced."""
        for each in announcements:
            if each.channel == "activity":
                self._spawn(self._tell_activity(each.key[0], [each.body]))

    async def _tell_activity(self, site: str, lines: Sequence[bytes]) -> None:
        for line in lines:  # lossy
            await self.link.publish(self.topics.activity(site), line, qos=0)

    def _answer(self, result: Applied) -> None:
        site, source, epoch = result.key
        if not self.tenure.owns(site, source):
            return  # its new owner answers
        ack = Ack(
            epoch=uuid.UUID(epoch),
            applied_seq=result.applied_seq,
            expect_seq=result.applied_seq + 1,
            rejected=result.rejected[-REJECTED_PER_ACK_MAX:],
            central_session=self._session_of(site, source),
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

    def _session_of(self, site: str, gateway: str) -> uuid.UUID:
        return self._sessions.setdefault(leases.of_gateway(site, gateway), uuid.uuid4())

    async def greet(self) -> None:
        """Tell our gateways where their outboxes stand, under a new session.

        What the broker had for the old connection is gone with it; the new session makes gateways
        send again from there.
        """
        self.connected.set()
        self._sessions.clear()
        await until_done(self._answer_all)

    def on_tenure(self, new: frozenset[str], lost: frozenset[str]) -> None:
        """Greet the gateways that are ours now; what their last owner did not commit is gone."""
        for name in new | lost:
            self._sessions.pop(name, None)
        if new:
            self._spawn(until_done(lambda: self._answer_all(new)))
        for who, state in self._gateways.items():
            if leases.of_gateway(*who) in new:
                self._judge(who, state, again=True)

    async def _answer_all(self, only: Collection[str] | None = None) -> None:
        def marks(tx: Transaction) -> list[Applied]:
            table = schema.stream
            gateways = select(table).where(~table.c.source.startswith(API_PREFIX, autoescape=True))
            rows = tx.connection.execute(gateways.order_by(table.c.seen_us, table.c.id))
            return [Applied((r.site, r.source, r.epoch), r.applied_seq) for r in rows]

        newest = {mark.key[:2]: mark for mark in await self.writer.submit(marks)}
        for who, mark in newest.items():
            if only is None or leases.of_gateway(*who) in only:
                self._answer(mark)

    def _gateway(self, address: Address, state: GatewayState) -> None:
        who = (address.site, address.name)
        known = self._gateways.get(who)
        if known is not None and known.session == state.session and known.online == state.online:
            return
        if known is not None and known.session != state.session and known.online > state.online:
            return  # the Will of a connection that was replaced: the gateway lives
        self._gateways[who] = state
        if self.tenure.owns(*who):
            self._judge(who, state)

    def _judge(self, who: Who, state: GatewayState, *, again: bool = False) -> None:
        """Open or close the alert; `again`, for a state that its last owner may have judged."""
        ref = "/".join(who)
        concern = Concern(
            "gateway_offline",
            ref,
            "critical",
            f"gateway {who[1]} is offline",
            f"{state.outbox.pending} scans wait there. Nothing is lost: they are on "
            "its disk. Check its power and network.",
            who[0],
        )

        def judge(tx: Transaction) -> None:
            if state.online:
                tx.books.settle(concern.kind, ref)
            elif not (again and tx.books.alerts.is_open(tx.connection, concern.kind, ref)):
                tx.books.raise_alert(concern)

        self._spawn(self.writer.submit(judge))

    def _quarantine(self, message: Message, reason: str) -> None:
        if not self._is_ours(message.topic):
            return
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

    def _is_ours(self, topic: str) -> bool:
        """Return whether this process keeps what is wrong with a topic: all of them hear it."""
        try:
            address = self.topics.parse(topic)
        except Malformed:
            return self.tenure.leads
        return self.tenure.owns(address.site, address.name)

    def _spawn(self, work: Awaitable[None]) -> None:
        self._tasks.create_task(_quietly(work))


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
