"""What one central does for all of them: tell the broker, keep the feed, give back what is over.

Its connection to the broker is its own. Where several processes share the database, whoever leads
connects under one client id with a Will that waits: when the leader dies, the next one takes that
connection over before the broker has called central offline, and a leader that hangs is cut off.
"""

import asyncio
import contextlib
import logging
import uuid
from dataclasses import dataclass, field

from sqlalchemy import Engine, func, select

from central import database, leases, outbox, reservations, schema
from central.alerts import Announcement
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
#: Holds that are over are given back this often.
SWEEP_INTERVAL_S = 1.0
#: The relay is woken by each commit, and looks by itself after this long.
RELAY_WAIT_S = 0.5
#: Central counts as offline when its leader has died and none has followed for this long.
WILL_DELAY_S = 10
#: Old rows of the feed are removed this often, at most outbox.ROWS_MAX at a time: 500 a second.
PRUNE_INTERVAL_S = 10.0
_DAY_US = 86_400 * 1_000_000


@dataclass
class Leader:
    """Does that work while the relay is ours; `state` is what it says about central."""

    broker: Broker
    topics: Topics
    writer: Writer
    reader: Engine
    tenure: Tenure
    state: CentralState
    feed_days: int
    intake: Intake
    _link: Link | None = None
    _is_leaving: bool = False
    _connected: asyncio.Event = field(default_factory=asyncio.Event)

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
            outbound = await asyncio.to_thread(Outbound, link, self.topics, self.reader, tasks)
            self._link = link
            if not shared:
                self.writer.on_commit = outbound.offer  # one writer has numbered it already
            try:
                work = [self._connect(link), self._sweep(), self._prune(), self._tell_state(link)]
                if shared:
                    work.append(self._relay(outbound))
                for each in work:
                    tasks.create_task(each)
                await asyncio.Event().wait()
            finally:
                self._link = None

    async def _outbound(self, link: Link, tasks: asyncio.TaskGroup) -> Outbound:
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

    async def _relay(self, outbound: Outbound) -> None:
        """Number what any process has committed, and tell it in that order."""
        while True:
            try:
                with contextlib.ExitStack() as stack:
                    listening = database.listening(self.writer.engine, outbox.WAITING)
                    wait = await asyncio.to_thread(stack.enter_context, listening)
                    while True:
                        rows = await asyncio.to_thread(self._number)
                        if rows:
                            outbound.offer(outbox.latest(rows))
                        else:
                            await asyncio.to_thread(wait, RELAY_WAIT_S)
            except Unavailable as error:
                log.error("%s", error)
                await asyncio.sleep(RETRY_S)

    def _number(self) -> list[Announcement]:
        with database.asking(self.writer.engine) as connection:
            if not outbox.is_waiting(connection):
                return []
            ours = leases.fence(connection, self.tenure.me, [leases.RELAY])
            return outbox.number(connection) if ours else []

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            with contextlib.suppress(Unavailable):
                await self.writer.submit(reservations.expire)

    async def _prune(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                await self.writer.submit(self._remove_old)
            await asyncio.sleep(PRUNE_INTERVAL_S)

    def _remove_old(self, tx: Transaction) -> int:
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
