"""Whatever order scans arrive in, late and twice, the ledger ends as it happened.

Hypothesis chooses the history (three gateways, lots, places, moves, counts, undos, clocks that are
set back, a barcode that is mapped late), the order of arrival and what comes twice.
"""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

import histories
from central import database, verify
from histories import History
from ledger_rows import rows_of
from ledgers import NewLedger, new_database
from postgres import Postgres

_names = (f"H-{n}" for n in itertools.count(1))
#: Orders of arrival in the default suite: some seconds.
ORDERS, ORDERS_SOAK = 50, 4_000
#: Made for a chance that can be shrunk.
CHANCE = st.randoms(use_true_random=False)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture
def writer(new_ledger: NewLedger) -> Iterator[Engine]:
    """Give a ledger's database; each example is rolled back."""
    with database.using(database.open_writer(new_ledger())) as engine:
        yield engine


def plays(engine: Engine, rng: random.Random) -> None:
    """Play one history; the entries at every moment, and the stock's rows, are as it happened."""
    name = next(_names)
    history = History.make(rng, name)
    with engine.connect() as connection, connection.begin() as transaction:
        histories.play(connection, history)
        entries = histories.said(connection, name)
        for moment_us, lies in history.truth():
            assert histories.at(entries, moment_us) == lies, history.scans
        assert histories.stocked(connection, name) == lies, history.scans
        query = text("SELECT id FROM item WHERE sku = :name")
        item = connection.execute(query, {"name": name}).scalar_one()
        assert verify.of_items(connection, [item]) == [], history.scans
        transaction.rollback()


@settings(max_examples=ORDERS, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(rng=CHANCE)
def test_it_ends_as_it_happened(writer: Engine, rng: random.Random) -> None:
    """At every moment the entries say what the order of happening gives, and the sums agree."""
    plays(writer, rng)


@pytest.mark.soak
@settings(max_examples=ORDERS_SOAK, deadline=None, suppress_health_check=SLOW)
@given(rng=CHANCE)
def test_thousands_end_as_they_happened(writer: Engine, rng: random.Random) -> None:
    """The same for thousands of orders, other ones each time."""
    plays(writer, rng)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(rng=CHANCE, orders=st.integers(2, 4))
def test_every_order_of_one_history_ends_the_same(
    writer: Engine, rng: random.Random, orders: int
) -> None:
    """One history in several orders of arrival, one of them as it happened: equal sums."""
    first = History.make(rng, next(_names))
    ends = []
    with writer.connect() as connection, connection.begin() as transaction:
        for _ in range(orders):
            again = History(rng, next(_names), first.scans)
            histories.play(connection, again)
            ends.append(histories.stocked(connection, again.name))
        transaction.rollback()
    assert all(end == ends[0] for end in ends), first.scans


def played(name: str, seeds: range) -> dict[str, list[tuple[object, ...]]]:
    """Play the histories of some seeds; return all rows of the ledger."""
    with database.using(database.open_writer(name)) as engine:
        for seed in seeds:
            with engine.begin() as connection:
                histories.play(connection, History.make(random.Random(seed), f"S-{seed}"))
        with engine.begin() as connection:
            found = [each for each in verify.findings(connection) if each.invariant != "V10"]
    assert found == []
    return rows_of(name)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(1_000, 3_000), marks=pytest.mark.soak)], ids=str
)
def test_a_seed_ends_in_the_same_rows_on_both(
    postgres: Postgres, postgres_template: str, tmp_path: Path, seeds: range
) -> None:
    """Every row of every table is equal, however the scans came."""
    url = postgres.create(postgres_template)
    ours, theirs = (played(each, seeds) for each in (new_database(tmp_path), url))
    postgres.drop(url)
    for table in ours:
        assert theirs[table] == ours[table], table
    assert len(ours["entry"]) > 5 * len(seeds)
