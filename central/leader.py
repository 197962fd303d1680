"""What one central does for all of them: tell the broker and the endpoints, keep the feed, tidy up.

Its connection to the broker is its own. Where several processes share the database, whoever leads
connects under one client id with a Will that waits: when the leader dies, the next one takes that
connection over before the broker has called central offline, and a leader that hangs is cut off.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Engine, func, select

from central import (
    database,
    deliveries,
    leases,
    outbox,
    requests,
    reservations,
    schema,
    upkeep,
    verdicts,
)
from central.alerts import Announcement
from central.channel_config import Channel
from central.channels import order_desk, push_list
from central.channels.order_retries import retry_orders
from central.channels.pusher import Lag, Pusher
from central.channels.shops import open_shop
from central.dispatcher import Dispatcher
from central.guarded_http import Client
from central.intake import Intake
from central.outbound import Outbound
from central.retrying import RETRY_S, until_done
from central.tenure import Tenure
from central.writer import Transaction, Writer
from wire import codec
from wire.broker import Broker
from wire.errors import Malformed, Unavailable
from wire.events import CentralState
from wire.link import Link, Message, Will
from wire.topics import DELIVERY, Topics

log = logging.getLogger(__name__)

STATE_INTERVAL_S = 5.0
#: Holds that are over are given back, and changes of the catalogue carried out, this often.
SWEEP_INTERVAL_S = 1.0
#: On PostgreSQL the relay is woken by each commit, and looks by itself after this long.
RELAY_WAIT_S = 0.5
#: On SQLite it numbers this long after a commit, with all that came since: the gateway's answer and
#: MQTT come first.
RELAY_DELAY_S = 0.005
#: On PostgreSQL it rests this long after it has numbered something: in a flash sale it would take a
#: fifth of central's time, a few rows at a time.
RELAY_PAUSE_S = 0.01
#: Central counts as offline when its leader has died and none has followed for this long.
WILL_DELAY_S = 10
#: Old rows of the feed are removed this often, at most outbox.ROWS_MAX at a time; where more are
#: old, the next ones follow after a pause, in which scans are applied.
PRUNE_INTERVAL_S, PRUNE_PAUSE_S = 10.0, 0.5
_SWEPT_MAX = reservations.EXPIRED_PER_SWEEP_MAX
_DAY_US = 86_400 * 1_000_000


@dataclass
class Leader:
    """Does that work while the relay is ours; `state` is what it says about central.

    `client` calls the endpoints, `on_feed` hears that the change feed has new rows. `channels` are
    the shops: the quantities of some are ours to set.
    """

    broker: Broker
    topics: Topics
    writer: Writer
    reader: Engine
    tenure: Tenure
    state: CentralState
    feed_days: int
    intake: Intake
    client: Client
    on_feed: Callable[[], None]
    channels: Sequence[Channel] = ()
    _pushers: Sequence[Pusher] = ()
    _link: Link | None = None
    _outbound: Outbound | None = None
    _is_leaving: bool = False
    _connected: asyncio.Event = field(default_factory=asyncio.Event)
    _committed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Lead whenever it is our turn, until cancelled."""
        while True:
            await self.tenure.leading.wait()
            leading = asyncio.create_task(self._lead())
            following = asyncio.create_task(self.tenure.following.wait())
            try:
                await asyncio.wait({leading, following}, return_when=asyncio.FIRST_COMPLETED)
                if leading.done():
                    leading.result()
            finally:
                following.cancel()
                leading.cancel()
                await asyncio.gather(leading, following, return_exceptions=True)

    def offer(self, announcements: Sequence[Announcement]) -> None:
        """Take what our writer committed: alone we tell it now, else the relay does, in turn."""
        if self._outbound is not None and self.tenure.engine is None:
            self._outbound.offer(announcements)
            self._committed.set()

    def lags(self) -> Mapping[str, Lag]:
        """Return how far each shop is behind whose quantities we set; empty while another leads."""
        return {pusher.channel: pusher.lag() for pusher in self._pushers}

    async def farewell(self) -> None:
        """Say that central goes offline, unless another process goes on."""
        if self._link is not None and not await self.tenure.are_others():
            self._is_leaving = True
            with contextlib.suppress(Unavailable):
                await self._say(self._link, self.state)

    async def _lead(self) -> None:
        shared = self.tenure.engine is not None
        will = Will(
            self.topics.central(), codec.encode(self.state), delay_s=WILL_DELAY_S if shared else 0
        )
        name = uuid.uuid5(uuid.NAMESPACE_URL, self.topics.root) if shared else self.state.session
        link = Link(
            self.broker,
            f"docktally-central-{name.hex[:12]}-leader",
            lambda message: self._hear(outbound, message),  # made just below
            [(self.topics.every("alert"), 1)],
            on_connect=lambda: self._greet(outbound),
            will=will,
        )
        async with asyncio.TaskGroup() as tasks:
            outbound = await self._open(link, tasks)
            dispatcher = Dispatcher(self.writer, self.reader, self.client)
            self._link, self._outbound = link, outbound
            relay = self._relay(outbound, dispatcher) if shared else self._relay_alone(dispatcher)
            work = (
                self._connect(link), relay, dispatcher.run(), self._sweep(), self._prune(),
                self._tell_state(link), self._serve_shops(),
            )  # fmt: skip
            try:
                for each in work:
                    tasks.create_task(each)
                await asyncio.Event().wait()
            finally:
                self._link = self._outbound = None

    async def _serve_shops(self) -> None:
        """Keep the quantities of the shops, and their orders that wait, going."""
        pushed = [channel for channel in self.channels if channel.pushes]

        async def forget_others() -> None:
            names = [channel.name for channel in pushed]
            await self.writer.submit(partial(push_list.forget_others, names=names))

        await until_done(forget_others)
        async with asyncio.TaskGroup() as tasks:
            self._pushers = [
                Pusher(each.name, each.site, open_shop(each, self.client), self.writer, self.reader)
                for each in pushed
            ]
            try:
                for pusher in self._pushers:
                    tasks.create_task(pusher.run())
                await retry_orders(self.writer, self.channels)
            finally:
                self._pushers = ()

    def _offer_shops(self, rows: Sequence[Announcement]) -> None:
        for pusher in self._pushers:
            pusher.offer(rows)

    async def _open(self, link: Link, tasks: asyncio.TaskGroup) -> Outbound:
        while True:
            try:
                return await asyncio.to_thread(Outbound, link, self.topics, self.reader, tasks)
            except Unavailable as error:
                log.error("%s", error)
                await asyncio.sleep(RETRY_S)

    async def _connect(self, link: Link) -> None:
        # Who hears that central is online must find somebody who takes events.
        await self.intake.connected.wait()
        await link.run()

    def _hear(self, outbound: Outbound, message: Message) -> None:
        with contextlib.suppress(Malformed):
            if message.payload and message.retain:
                outbound.heard_alert(self.topics.parse(message.topic).name)

    async def _greet(self, outbound: Outbound) -> None:
        self._connected.set()
        await until_done(outbound.announce_all)

    async def _relay(self, outbound: Outbound, dispatcher: Dispatcher) -> None:
        """Number what any process has committed, and tell it in that order."""
        while True:
            try:
                with contextlib.ExitStack() as stack:
                    listening = database.listening(self.writer.engine, outbox.WAITING)
                    wait = await asyncio.to_thread(stack.enter_context, listening)
                    while True:
                        rows, webhooks = await asyncio.to_thread(self._number)
                        if rows:
                            outbound.offer(outbox.latest(rows))
                            self.on_feed()
                            dispatcher.wake(webhooks)
                            self._offer_shops(rows)
                            await asyncio.sleep(RELAY_PAUSE_S)
                        else:
                            await asyncio.to_thread(wait, RELAY_WAIT_S)
            except Unavailable as error:
                log.error("%s", error)
                await asyncio.sleep(RETRY_S)

    def _number(self) -> tuple[list[Announcement], set[int]]:
        with database.asking(self.writer.engine) as connection:
            if outbox.is_waiting(connection) and leases.fence(
                connection, self.tenure.me, [leases.RELAY]
            ):
                outbox.tell_readers(connection)
                return deliveries.relay(connection, time.time_ns() // 1_000)
        return [], set()

    async def hear(self) -> None:
        """Where several share the database: say `on_feed` when another one's relay has numbered."""
        while self.tenure.engine is not None:
            try:
                with contextlib.ExitStack() as stack:
                    listening = database.listening(self.writer.engine, outbox.NUMBERED)
                    wait = await asyncio.to_thread(stack.enter_context, listening)
                    while True:
                        await asyncio.to_thread(wait, RELAY_WAIT_S)
                        self.on_feed()
            except Unavailable as error:
                log.error("%s", error)
                await asyncio.sleep(RETRY_S)

    async def _relay_alone(self, dispatcher: Dispatcher) -> None:
        """Number what our writer has committed; outbound has told it already."""

        def number(tx: Transaction) -> tuple[list[Announcement], set[int]]:
            return deliveries.relay(tx.connection, tx.now_us)

        async def number_all() -> None:
            numbered = outbox.ROWS_MAX
            while numbered == outbox.ROWS_MAX:
                rows, webhooks = await self.writer.submit(number)
                numbered = len(rows)
                if rows:
                    self.on_feed()
                    dispatcher.wake(webhooks)
                    self._offer_shops(rows)

        while True:
            self._committed.clear()
            await until_done(number_all)
            await self._committed.wait()
            await asyncio.sleep(RELAY_DELAY_S)

    async def _sweep(self) -> None:
        done = ""
        judged: verdicts.Verdicts | None = None
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            with contextlib.suppress(Unavailable):
                while await self.writer.submit(reservations.expire) == _SWEPT_MAX:
                    pass  # the next ones, after the scans that arrived meanwhile
                judged = await self.writer.submit(partial(verdicts.judge, judged=judged))
                catch_up = partial(upkeep.catch_up, done=done)
                while (version := await self.writer.submit(catch_up)) is None:
                    pass  # the next portion, after the scans that arrived meanwhile
                done = version

    async def _prune(self) -> None:
        while True:
            removed = 0
            with contextlib.suppress(Unavailable):
                removed = await self.writer.submit(self._remove_old)
                await self.writer.submit(order_desk.forget_old)
            await asyncio.sleep(PRUNE_INTERVAL_S if removed < outbox.ROWS_MAX else PRUNE_PAUSE_S)

    def _remove_old(self, tx: Transaction) -> int:
        requests.forget_old(tx)
        return outbox.prune(tx.connection, tx.now_us - self.feed_days * _DAY_US)

    async def _tell_state(self, link: Link) -> None:
        position = 0
        while True:
            with contextlib.suppress(Unavailable):
                position = await asyncio.to_thread(self._position)
                if self._is_leaving:
                    return
                now = {"lag_ms": round(self.intake.lag_ms, 1), "ledger_position": position}
                await self._say(link, self.state.model_copy(update={"online": True, **now}))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATE_INTERVAL_S):
                    await self._connected.wait()
            self._connected.clear()

    def _position(self) -> int:
        with database.asking(self.reader) as connection:
            return connection.execute(select(func.max(schema.event.c.id))).scalar() or 0

    async def _say(self, link: Link, state: CentralState) -> None:
        how = DELIVERY["central"]
        await link.publish(
            self.topics.central(), codec.encode(state), qos=how.qos, retain=how.retain
        )
