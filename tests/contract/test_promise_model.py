"""Every answer to a shop, and the row after it, is what a model in dicts predicts."""

import itertools
import random
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, text

from central import combiner, database, reservations, schema, shipping, verify
from central.alerts import Alerts
from central.arrivals import Arrival
from central.books import Books
from central.catalogue import Catalogue, bump
from central.ledger import Ledger
from central.reservations import Request, Wanted
from central.writer import Transaction
from ledgers import SELLABLE, NewLedger, scan
from promise_model import TTL_S, Model, steps
from wire.events import Identifiers

_names = (f"P-{n}" for n in itertools.count(1))
#: True chance: one that can be shrunk reaches few orders that were granted.
CHANCE = st.randoms(use_true_random=True)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture
def writer(new_ledger: NewLedger) -> Iterator[Engine]:
    """Give a ledger's database; each example is rolled back."""
    with database.using(database.open_writer(new_ledger())) as engine:
        yield engine


class Shop:
    """The real thing, in one transaction that is never committed; its clock is ours."""

    def __init__(self, connection: Any, name: str) -> None:
        self.connection, self.name = connection, name
        self.shared = connection.dialect.name == "postgresql"
        self.catalogue, self.ledger = Catalogue(frozenset(SELLABLE)), Ledger()
        self.start_us = time.time_ns() // 1_000
        self.seq = 0
        self.numbers: dict[str, int] = {}
        table = schema.item
        new = insert(table).values(sku=name).returning(table.c.id)
        self.item = connection.execute(new).scalar_one()
        bump(connection)

    def do(self, now_s: int, command: Any) -> Any:
        """Run a command as the writer does, at a moment."""
        self.catalogue.refresh(self.connection)
        now_us = self.start_us + now_s * 1_000_000
        alerts = Alerts(shared=self.shared)
        books = Books(self.connection, self.catalogue, alerts, now_us)
        answer = command(Transaction(self.connection, books, self.ledger, now_us))
        books.close()
        return answer

    def step(self, model: Model, kind: str, key: str, quantity: int) -> tuple[int, int] | None:
        """Do one step; return (our status, the model's), None where there is nothing to ask."""
        now_s = model.now_s
        match kind:
            case "reserve":
                wanted = (Wanted(self.name, quantity),)
                request = Request(self.name, key, "main", TTL_S, wanted)
                answer = self.do(now_s, lambda tx: combiner.reserve_all(tx, [request])[0])
                self.numbers.setdefault(key, answer.body.get("id", 0))
                return answer.status, model.reserve(key, quantity)
            case "receive" | "damage":
                self.seq += 1
                where = Identifiers(sku=self.name)
                event = scan(self.seq, kind, quantity=quantity, identifiers=where)
                epoch = uuid.uuid5(uuid.NAMESPACE_OID, self.name)
                arrival = Arrival("main", self.name, epoch, self.seq, (event,))
                self.do(now_s, lambda tx: tx.ledger.apply(tx.books, [arrival]))
                model.on_hand += quantity if kind == "receive" else -quantity
            case "wait":
                model.now_s += TTL_S // 2
            case "expire":
                self.do(now_s, reservations.expire)
                model.expire()
            case _ if self.numbers.get(key):
                return self._turn(model, kind, key, quantity)
        return None

    def _turn(self, model: Model, kind: str, key: str, quantity: int) -> tuple[int, int]:
        number, now_s = self.numbers[key], model.now_s
        parcels = [shipping.Parcel(self.name, quantity)] if kind == "part" else []
        match kind:
            case "part" | "ship":
                answer = self.do(now_s, lambda tx: shipping.ship(tx, number, parcels))
            case "extend":
                answer = self.do(now_s, lambda tx: reservations.extend(tx, number, TTL_S))
            case _:
                answer = self.do(now_s, lambda tx: getattr(reservations, kind)(tx, number))
        match kind:
            case "part":
                return answer.status, model.ship_part(key, quantity)
            case "extend":
                return answer.status, model.extend(key)
            case _:
                return answer.status, model.turn(key, kind)

    def row(self) -> tuple[int, int]:
        """Return (on hand, reserved)."""
        avail = schema.avail
        query = select(avail.c.on_hand, avail.c.reserved).where(avail.c.item == self.item)
        row = self.connection.execute(query).first()
        return (0, 0) if row is None else (row.on_hand, row.reserved)


def shop(engine: Engine, rng: random.Random, number: int) -> None:
    """Let the shop and the model do the same."""
    with engine.connect() as connection, connection.begin() as transaction:
        real, model = Shop(connection, next(_names)), Model()
        done = []
        for step in steps(rng, number):
            done.append(step)
            said = real.step(model, *step)
            assert said is None or said[0] == said[1], (said, done)
            assert real.row() == (model.on_hand, model.reserved), done
        assert verify.of_items(connection, [real.item]) == [], done
        oversold = "SELECT 1 FROM reservation_line WHERE g_on_hand < g_reserved"
        assert connection.execute(text(oversold)).first() is None
        transaction.rollback()


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(rng=CHANCE)
def test_each_answer_is_predicted(writer: Engine, rng: random.Random) -> None:
    """Holds, orders, parcels, releases, extensions, expiry, repeats of a key, goods that break."""
    shop(writer, rng, 25)


@pytest.mark.soak
@settings(max_examples=2_000, deadline=None, suppress_health_check=SLOW)
@given(rng=CHANCE)
def test_thousands_of_shifts_are_predicted(writer: Engine, rng: random.Random) -> None:
    """The same, longer and other ones each time."""
    shop(writer, rng, 60)
