"""The one thread that writes the ledger. Whatever is queued when it is free goes into one commit.

A command is a function of the open transaction. All commands of a commit share its fate, so one
that raises makes the others run again without it; a refusal is therefore returned, never raised.
"""

import asyncio
import contextlib
import itertools
import logging
import queue
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from central import database, outbox
from central.alerts import Alerts, Announcement
from central.arrivals import Applied, Arrival
from central.books import Books
from central.catalogue import Catalogue
from central.counters import Counters
from central.ledger import Ledger
from central.wal import Checkpoints
from wire.errors import Unavailable

log = logging.getLogger(__name__)

#: Commands in one commit. More would make the first one wait for the last without gaining much.
GROUP_MAX = 64
#: Commands that may wait; whoever brings more is told to come back.
QUEUE_MAX = 1_000
_ALONE = "alone"

#: Pauses before a transaction is tried again that collided with another process's, at the longest.
RETRY_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2)

Result = TypeVar("Result")
Request = TypeVar("Request")


class OthersDecide(Exception):
    """What another process is about to commit decides: the transaction begins anew, after that."""


@dataclass
class Transaction:
    """What a command may use; committed, or forgotten, as a whole."""

    connection: Connection
    books: Books
    ledger: Ledger
    now_us: int
    #: A command may raise OthersDecide. It must not wait for a lock instead: who has that may be
    #: waiting for a row that this transaction has locked.
    may_begin_anew: bool = False


Command = Callable[[Transaction], Any]
Combine = Callable[[Transaction, Sequence[Any]], Sequence[Any]]


@dataclass
class _Waiting:
    command: Command
    future: "asyncio.Future[Any]"
    careful: Command | None = None
    #: What may share a transaction with it, where other processes write too.
    kind: str = "commands"
    #: What is decided together with its like, instead of by `command`.
    combine: Combine | None = None
    request: Any = None


@dataclass
class Writer:
    """Runs commands and hands their announcements to `on_commit`, in commit order, in the loop.

    `owner` names this process where several share the database: then events are applied only under
    a lease of its own.
    """

    engine: Engine
    sellable: Sequence[str]
    owner: str | None = None
    on_commit: Callable[[list[Announcement]], None] = lambda _: None
    counters: Counters = field(default_factory=Counters, init=False)
    # queue.Queue is written in Python, and costs each commit some 30 microseconds.
    _queue: "queue.SimpleQueue[_Waiting | None]" = field(
        default_factory=queue.SimpleQueue, init=False
    )
    _catalogue: Catalogue = field(init=False)
    _alerts: Alerts = field(init=False)
    _ledger: Ledger = field(init=False)
    _next: _Waiting | None = field(default=None, init=False)
    _connection: Connection | None = field(default=None, init=False)
    _is_new_connection: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._catalogue = Catalogue(frozenset(self.sellable))
        self._shared = self.engine.dialect.name == "postgresql"
        self._alerts = Alerts(shared=self._shared)
        file = self.engine.url.database
        self._checkpoints = None if self._shared or not file else Checkpoints(file)
        event.listen(self.engine, "connect", self._on_connect)
        run = self.owner or (str(uuid.uuid4()) if self._shared else None)
        self._ledger = Ledger(run, is_fenced=self.owner is not None)

    def _on_connect(self, _connection: object, _record: object) -> None:
        # It may be another server by now, which lacks the last commits of the one that failed.
        self._is_new_connection = True

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()
        if self._checkpoints is not None:
            self._checkpoints.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.__exit__)

    def submit(self, command: Callable[[Transaction], Result]) -> "asyncio.Future[Result]":
        """Queue a command; the future has its result once that is committed.

        It fails with Unavailable when the database cannot be written or too much is waiting.
        """
        return self._queue_up(_Waiting(command, self._loop.create_future()))

    def combine(
        self, decide: Callable[[Transaction, Sequence[Request]], Sequence[Result]], request: Request
    ) -> "asyncio.Future[Result]":
        """Queue a request that is decided together with its neighbours, like `submit` otherwise."""
        return self._queue_up(
            _Waiting(
                lambda tx: decide(tx, [request])[0],
                self._loop.create_future(),
                combine=decide,
                request=request,
            )
        )

    def apply(
        self, arrivals: Sequence[Arrival], *, borrowing: bool = False
    ) -> "asyncio.Future[list[Applied]]":
        """Queue arrived events. What fails even alone is tried again event by event.

        `borrowing` applies those of one gateway even when another process is responsible for it.
        """

        def apply(tx: Transaction, *, carefully: bool = False) -> list[Applied]:
            return tx.ledger.apply(tx.books, arrivals, carefully=carefully, borrowing=borrowing)

        applied = self._queue_up(
            _Waiting(
                apply,
                self._loop.create_future(),
                lambda tx: apply(tx, carefully=True),
                kind=_ALONE if borrowing else "events",
            )
        )
        applied.add_done_callback(partial(self.counters.count, arrivals))
        return applied

    def _queue_up(self, waiting: _Waiting) -> "asyncio.Future[Any]":
        if self._queue.qsize() < QUEUE_MAX:
            self._queue.put(waiting)
        else:
            waiting.future.set_exception(Unavailable("central is busy; try again in a moment"))
        return waiting.future

    def _run(self) -> None:
        while True:
            group = self._take()
            if not group:
                break
            self._commit(group)
        self._disconnect()

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        waiting = self._next or self._queue.get()
        self._next = None
        while waiting is not None:
            if self._shared and group and (waiting.kind != group[0].kind or waiting.kind == _ALONE):
                # Each locks its rows in key order, but not one after the other.
                self._next = waiting
                return group
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
        begin_s = time.perf_counter()
        try:
            results, announcements = self._transact_again(group)
        except BaseException as error:  # noqa: BLE001  it is not swallowed: see below
            self._forget()
            if database.is_passing(error):
                away = Unavailable(f"the ledger's database cannot be written: {error.orig}")
                log.error("%s", away)
                self._tell(group, [away] * len(group), [])
            elif len(group) > 1:
                for waiting in group:
                    self._commit([waiting])
            elif (careful := group[0].careful) is not None:
                log.warning("a command failed (%s); trying it piece by piece", error)
                self._commit([_Waiting(careful, group[0].future, kind=group[0].kind)])
            else:
                self._tell(group, [error], [])
        else:
            self.counters.commits.add(time.perf_counter() - begin_s)
            self.counters.groups.add(len(group))
            self._tell(group, results, announcements)

    def _transact_again(self, group: list[_Waiting]) -> tuple[list[Any], list[Announcement]]:
        """Run the commands, and again from the start while another process was in the way."""
        for pause_s in RETRY_PAUSES_S:
            try:
                return self._transact(group, may_begin_anew=self._shared)
            except OthersDecide:
                log.info("another process is about to decide; trying again after it")
            except DBAPIError as error:
                if not database.collided(error):
                    raise
                log.info("another process was in the way; trying again: %s", error.orig)
            self.counters.retries += 1
            self._forget()
            time.sleep(random.uniform(pause_s / 2, pause_s))
        return self._transact(group)

    def _transact(
        self, group: list[_Waiting], *, may_begin_anew: bool = False
    ) -> tuple[list[Any], list[Announcement]]:
        with self._begun() as connection:
            now_us = time.time_ns() // 1_000
            if self._shared:
                self._alerts.forget()
            books = Books(connection, self._catalogue, self._alerts, now_us)
            transaction = Transaction(connection, books, self._ledger, now_us, may_begin_anew)
            results = _run(transaction, group)
            books.close()
            announcements = outbox.latest(books.announcements)
            outbox.keep(connection, announcements, now_us)
        if self._checkpoints is not None:
            self._checkpoints.committed()
        return results, announcements

    @contextlib.contextmanager
    def _begun(self) -> Iterator[Connection]:
        """Give a transaction with the newest catalogue, on the connection that this thread keeps.

        One that the server has closed meanwhile is noticed before anything was done: there is
        another.
        """
        connection = self._connected()
        try:
            transaction = connection.begin()
            try:
                self._refresh(connection)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                log.info("the database closed the connection; there is a new one now")
                self._disconnect()
                connection = self._connected()
                transaction = connection.begin()
                self._refresh(connection)
            with transaction:
                yield connection
        finally:
            if connection.invalidated or connection.in_transaction():
                self._disconnect()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self.engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refresh(self, connection: Connection) -> None:
        if self._is_new_connection:
            self._is_new_connection = False
            self._forget()
        self._catalogue.refresh(connection)

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


def _run(transaction: Transaction, group: Sequence[_Waiting]) -> list[Any]:
    """Return the results of a group, in its order; neighbours of one kind are decided together."""
    results: list[Any] = []
    for decide, run in itertools.groupby(group, key=lambda waiting: waiting.combine):
        if decide is None:
            results.extend(waiting.command(transaction) for waiting in run)
        else:
            results.extend(decide(transaction, [waiting.request for waiting in run]))
    return results


def number(transaction: Transaction) -> list[Announcement]:
    """Number outgoing rows that wait for it; return them."""
    return outbox.number(transaction.connection)
