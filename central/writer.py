"""The one thread that writes the ledger. Whatever is queued when it is free goes into one commit.

A command is a function of the open transaction. All commands of a commit share its fate, so one
that raises makes the others run again without it; a refusal is therefore returned, never raised.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, bindparam, func, select, update
from sqlalchemy.exc import OperationalError

from central import schema, statements
from central.alerts import Alerts, Announcement
from central.arrivals import Applied, Arrival
from central.books import Books
from central.catalogue import Catalogue
from central.ledger import Ledger
from wire.errors import Unavailable

log = logging.getLogger(__name__)

#: Commands in one commit. More would make the first one wait for the last without gaining much.
GROUP_MAX = 64
#: Commands that may wait; whoever brings more is told to come back.
QUEUE_MAX = 1_000
#: Outbox rows that one commit numbers.
NUMBERED_MAX = 5_000

Result = TypeVar("Result")


@dataclass
class Transaction:
    """What a command may use; committed, or forgotten, as a whole."""

    connection: Connection
    books: Books
    ledger: Ledger
    now_us: int


Command = Callable[[Transaction], Any]


@dataclass
class _Waiting:
    command: Command
    future: "asyncio.Future[Any]"
    careful: Command | None


@dataclass
class Writer:
    """Runs commands and hands their announcements to `on_commit`, in commit order, in the loop."""

    engine: Engine
    sellable: Sequence[str]
    on_commit: Callable[[list[Announcement]], None] = lambda _: None
    _queue: "queue.Queue[_Waiting | None]" = field(
        default_factory=lambda: queue.Queue(QUEUE_MAX), init=False
    )
    _catalogue: Catalogue = field(init=False)
    _alerts: Alerts = field(default_factory=Alerts, init=False)
    _ledger: Ledger = field(default_factory=Ledger, init=False)

    def __post_init__(self) -> None:
        self._catalogue = Catalogue(frozenset(self.sellable))

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._queue.put, None)
        await asyncio.to_thread(self._thread.join)

    def submit(
        self, command: Callable[[Transaction], Result], careful: Command | None = None
    ) -> "asyncio.Future[Result]":
        """Queue a command; the future has its result once that is committed.

        It fails with Unavailable when the database cannot be written or too much is waiting.
        `careful` is run in place of a command that raised when tried alone.
        """
        future: asyncio.Future[Result] = self._loop.create_future()
        try:
            self._queue.put_nowait(_Waiting(command, future, careful))
        except queue.Full:
            future.set_exception(Unavailable("central is busy; try again in a moment"))
        return future

    def apply(self, arrivals: Sequence[Arrival]) -> "asyncio.Future[list[Applied]]":
        """Queue arrived events."""
        return self.submit(
            lambda tx: tx.ledger.apply(tx.books, arrivals),
            lambda tx: tx.ledger.apply(tx.books, arrivals, carefully=True),
        )

    def _run(self) -> None:
        while True:
            group = self._take()
            if not group:
                return
            self._commit(group)

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        waiting = self._queue.get()
        while waiting is not None:
            group.append(waiting)
            if len(group) == GROUP_MAX:
                return group
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return group
        if group:
            self._queue.put(None)  # finish these first, then stop
        return group

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            results, announcements = self._transact([w.command for w in group])
        except OperationalError as error:
            self._forget()
            reason = Unavailable(f"the ledger's database cannot be written: {error.orig}")
            log.error("%s", reason)
            self._tell(group, [reason] * len(group), [])
        except BaseException as error:  # noqa: BLE001  it is not swallowed: see below
            self._forget()
            if len(group) > 1:
                for waiting in group:
                    self._commit([waiting])
            elif (careful := group[0].careful) is not None:
                log.warning("a command failed (%s); trying it piece by piece", error)
                self._commit([_Waiting(careful, group[0].future, None)])
            else:
                self._tell(group, [error], [])
        else:
            self._tell(group, results, announcements)

    def _transact(self, commands: Sequence[Command]) -> tuple[list[Any], list[Announcement]]:
        now_us = time.time_ns() // 1_000
        with self.engine.begin() as connection:
            self._catalogue.refresh(connection)
            books = Books(connection, self._catalogue, self._alerts, now_us)
            transaction = Transaction(connection, books, self._ledger, now_us)
            results = [command(transaction) for command in commands]
            books.close()
            announcements = latest(books.announcements)
            keep(connection, announcements, now_us)
        return results, announcements

    def _forget(self) -> None:
        self._catalogue.forget()
        self._alerts.forget()
        self._ledger.forget()

    def _tell(
        self, group: list[_Waiting], results: Sequence[Any], announcements: list[Announcement]
    ) -> None:
        def tell() -> None:
            if announcements:
                self.on_commit(announcements)
            for waiting, result in zip(group, results, strict=True):
                if waiting.future.done():
                    continue
                if isinstance(result, BaseException):
                    waiting.future.set_exception(result)
                else:
                    waiting.future.set_result(result)

        self._loop.call_soon_threadsafe(tell)


def latest(announcements: Sequence[Announcement]) -> list[Announcement]:
    """Return only the last announcement of each key: nobody needs the values in between."""
    return list({(a.channel, a.key): a for a in announcements}.values())


def keep(connection: Connection, announcements: Sequence[Announcement], now_us: int) -> None:
    """Write announcements to the outbox, in the transaction that makes them true.

    The live feed is not among them: whoever misses a line of it has the journal.
    """
    announcements = [each for each in announcements if each.channel != "activity"]
    if announcements:
        statements.write(
            connection,
            statements.ADD_ANNOUNCEMENTS,
            [
                {
                    "channel": a.channel,
                    "agg_key": "/".join(a.key),
                    "body": a.body.decode(),
                    "created_us": now_us,
                }
                for a in announcements
            ],
        )


def number(transaction: Transaction) -> int:
    """Give waiting outbox rows their `feed_seq`, dense and in order; return how many it numbered.

    Only the relay does this. A writer's own serial would not do: with several writers a reader's
    cursor could pass a row that commits later.
    """
    table = schema.outbox
    connection = transaction.connection
    newest = connection.execute(select(func.max(table.c.feed_seq))).scalar() or 0
    waiting = select(table.c.id).where(table.c.feed_seq.is_(None)).order_by(table.c.id)
    rows = connection.execute(waiting.limit(NUMBERED_MAX)).scalars().all()
    if rows:
        connection.execute(
            update(table).where(table.c.id == bindparam("i")).values(feed_seq=bindparam("f")),
            [{"i": row, "f": newest + place} for place, row in enumerate(rows, 1)],
        )
    return len(rows)
