"""Leases: shared out fairly, taken over once, and nothing is committed under one that is lost."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from central import database, leases, outbox
from central.arrivals import Arrival
from central.writer import Writer
from ledgers import SELLABLE, Site, scan
from neighbours import wait_until
from postgres import Postgres

pytestmark = pytest.mark.postgres
GATE = leases.of_gateway("main", "gate")


@pytest.fixture
def url(postgres: Postgres, postgres_template: str) -> Iterator[str]:
    """Give a ledger on PostgreSQL."""
    url = postgres.create(postgres_template)
    yield url
    postgres.drop(url)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Give connections to it."""
    with database.using(database.open_writer(url)) as engine:
        yield engine


def tend(engine: Engine, me: str) -> dict[str, int]:
    """Renew, hand over and take once."""
    with engine.begin() as connection:
        return leases.tend(connection, me)


def run_out(engine: Engine, me: str) -> None:
    """Let all leases of a process run out, as if it had been silent."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE lease SET until_us = 1 WHERE owner = :me"), {"me": me})


def test_gateways_are_shared_out_fairly(engine: Engine) -> None:
    """A newcomer gets its share, the relay stays, and every lease has one owner."""
    assert len(tend(engine, "a")) == leases.PARTITIONS + 1
    assert tend(engine, "b") == {}
    first, second = tend(engine, "a"), tend(engine, "b")
    assert (len(first), len(second)) == (9, 8)
    assert leases.RELAY in first
    tend(engine, "c")
    shares = [tend(engine, me) for me in "abc"]
    assert [len(share) for share in shares] == [7, 6, 4]
    assert len({name for share in shares for name in share}) == leases.PARTITIONS + 1


def test_what_a_silent_process_held_is_taken_once(engine: Engine) -> None:
    """Its leases change hands under a new epoch; what it renews too late is not its own."""
    before = tend(engine, "a")
    run_out(engine, "a")
    after = tend(engine, "b")
    assert after == {name: epoch + 1 for name, epoch in before.items()}
    assert tend(engine, "a") == {}


def test_an_orderly_leave_is_noticed_at_once(engine: Engine) -> None:
    """Nobody waits for the time of one that said goodbye."""
    tend(engine, "a")
    tend(engine, "b")
    with engine.begin() as connection:
        leases.leave(connection, "a")
        assert leases.alive(connection) == 1
    assert len(tend(engine, "b")) == leases.PARTITIONS + 1


def test_a_lease_is_not_taken_from_a_transaction_that_relies_on_it(engine: Engine) -> None:
    """Until that commits its owner may renew, and nobody else may take."""
    tend(engine, "a")
    with engine.begin() as connection:
        assert leases.fence(connection, "a", [GATE]) == {GATE: 1}
        assert GATE in tend(engine, "a")
        run_out(engine, "a")
        taken = tend(engine, "b")
        assert taken
        assert GATE not in taken
    assert GATE in tend(engine, "b")
    with engine.begin() as connection:
        assert leases.fence(connection, "a", [GATE]) == {}


async def test_events_are_applied_under_a_lease_only(url: str, engine: Engine) -> None:
    """A process whose lease was taken applies nothing; when it has it again it reads the marks."""
    epoch = uuid.uuid4()

    def arrival(first: int, last: int) -> Arrival:
        events = tuple(scan(n) for n in range(first, last + 1))
        return Arrival("main", "gate", epoch, first, events)

    with (
        database.using(database.open_writer(url)) as one,
        database.using(database.open_writer(url)) as two,
        database.using(database.open_reader(url)) as reader,
    ):
        async with Writer(one, SELLABLE, "a") as a, Writer(two, SELLABLE, "b") as b:
            site = Site(a, reader)
            tend(engine, "a")
            assert (await a.apply([arrival(1, 2)]))[0].applied_seq == 2
            assert await b.apply([arrival(3, 4)]) == []
            run_out(engine, "a")
            tend(engine, "b")
            assert await a.apply([arrival(3, 3)]) == []
            assert (await b.apply([arrival(3, 5)]))[0].fresh == 3
            run_out(engine, "b")
            tend(engine, "a")
            assert (await a.apply([arrival(1, 6)]))[0].fresh == 1
            assert site.available() == (6, 0)


async def test_scans_over_http_are_taken_by_any_process(url: str, engine: Engine) -> None:
    """It borrows the lease; the owner, at the same time or later, neither loses nor repeats."""
    epoch = uuid.uuid4()

    def arrival(first: int, last: int) -> Arrival:
        events = tuple(scan(n) for n in range(first, last + 1))
        return Arrival("main", "gate", epoch, first, events)

    with (
        database.using(database.open_writer(url)) as one,
        database.using(database.open_writer(url)) as two,
        database.using(database.open_reader(url)) as reader,
    ):
        async with Writer(one, SELLABLE, "a") as a, Writer(two, SELLABLE, "b") as b:
            tend(engine, "a")
            assert (await a.apply([arrival(1, 2)]))[0].fresh == 2
            assert (await b.apply([arrival(1, 3)], borrowing=True))[0].fresh == 1
            assert (await a.apply([arrival(3, 5)]))[0].fresh == 2
            for n in range(6, 26):
                done = await asyncio.gather(
                    a.apply([arrival(n, n)]),
                    b.apply([arrival(n, n)], borrowing=True),
                    a.apply([arrival(n, n)], borrowing=True),
                )
                assert sum(each.fresh for (each,) in done) == 1
            assert GATE in tend(engine, "a")
            assert Site(a, reader).available() == (25, 0)


def test_a_process_that_hangs_in_a_transaction_commits_nothing(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends it, its rows are free for the next owner, and its commit comes too late."""
    monkeypatch.setattr(database, "STALLED_TRANSACTION_S", 0.3)
    tend(engine, "a")

    def hang(writer: Engine) -> None:
        with writer.begin() as connection:
            leases.fence(connection, "a", [GATE])
            connection.execute(text("UPDATE stream SET applied_seq = 99"))
            run_out(engine, "a")
            wait_until(lambda: GATE in tend(engine, "b"), "another takes its lease")

    with (
        database.using(database.open_writer(url)) as hanging,
        pytest.raises(DBAPIError) as caught,
    ):
        hang(hanging)
    assert database.is_passing(caught.value)


def test_one_relay_numbers(engine: Engine) -> None:
    """Whoever is no longer the relay finds that out in the transaction that would number."""
    tend(engine, "a")
    run_out(engine, "a")
    tend(engine, "b")
    with engine.begin() as connection:
        assert leases.fence(connection, "a", [leases.RELAY]) == {}
        assert leases.fence(connection, "b", [leases.RELAY]) == {leases.RELAY: 2}
        assert outbox.number(connection) == []
