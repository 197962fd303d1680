"""Requests that share a commit are decided as if each had come in turn."""

import random
from typing import Any

import pytest
from sqlalchemy import text

from central import combiner, database, levels, reservations, verify
from central.levels import Share
from central.requests import Answer
from central.reservations import Request, Wanted
from central.writer import Transaction, Writer, number
from ledger_rows import rows_of
from ledgers import SELLABLE, NewLedger, Site
from wire.events import Identifiers


def requests_of(rng: random.Random) -> list[Request]:
    """Return a rush: several lines, unknown goods and sites, keys used again for something else."""
    return [
        Request(
            rng.choice(("web", "web", "shop")), f"k{rng.randint(0, 25)}",
            rng.choice(("main", "main", "main", "any", "annex")), 900,
            tuple(
                Wanted(rng.choice(("VALVE", "HOSE", "GHOST")), rng.randint(1, 3))
                for _ in range(rng.randint(1, 3))
            ),
            "order-1",
        )
        for _ in range(40)
    ]  # fmt: skip


def said(answer: Answer) -> tuple[int, Any]:
    """Return what does not depend on the clock, or on the numbers that PostgreSQL leaves out."""
    return answer.status, {k: v for k, v in answer.body.items() if k not in {"expires", "id"}}


async def rush(name: str, seed: int, *, together: bool) -> list[tuple[int, Any]]:
    """Return the answers of a ledger with some goods."""
    rng = random.Random(seed)
    with (
        database.using(database.open_writer(name)) as engine,
        database.using(database.open_reader(name)) as reader,
    ):
        async with Writer(engine, SELLABLE) as writer:
            site = Site(writer, reader)
            await site.do(quantity=rng.randint(5, 30))
            await site.do(quantity=rng.randint(5, 30), identifiers=Identifiers(text="HOSE"))
            for item, cap in (("VALVE", None), ("HOSE", rng.randint(3, 9))):
                share = Share("main", item, "web", rng.randint(0, 2), rng.randint(0, 4), cap)
                await site.run(levels.set_share, share)
            wanted = requests_of(rng)

            def all_at_once(tx: Transaction) -> list[Answer]:
                return combiner.reserve_all(tx, wanted)

            def one(tx: Transaction, request: Request) -> Answer:
                return reservations.reserve(tx, request)

            if together:
                answers = await writer.submit(all_at_once)
            else:
                answers = [
                    await writer.submit(lambda tx, request=request: one(tx, request))
                    for request in wanted
                ]
            while await writer.submit(number):
                pass
        assert verify.run(reader) == []
    return [said(answer) for answer in answers]


@pytest.mark.parametrize("seed", range(6))
async def test_together_is_as_in_turn(new_ledger: NewLedger, seed: int) -> None:
    """The same answers in the same order, and the same rows at the end."""
    names = new_ledger(), new_ledger()
    together = await rush(names[0], seed, together=True)
    in_turn = await rush(names[1], seed, together=False)
    assert together == in_turn
    assert {status for status, _ in together} >= {201, 404, 409, 422}
    ours, theirs = (rows_of(name) for name in names)
    for table in ours.keys() - {"outbox"}:
        # In turn, a refused request takes what it finds and gives it back: versions count that.
        end = -1 if table in {"avail", "reservation_line"} else None
        assert [row[:end] for row in ours[table]] == [row[:end] for row in theirs[table]], table


async def test_an_oversight_of_the_combiner_sells_nothing_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The UPDATE has the last word: when the goods are gone, the requests are tried one by one."""
    await site.do(quantity=10)
    lock = combiner._lock

    def lock_and_lose(tx: Transaction, keys: set[combiner.Key]) -> dict[combiner.Key, Any]:
        rows = lock(tx, keys)
        tx.connection.execute(text("UPDATE avail SET safety = 9"))
        return rows

    monkeypatch.setattr(combiner, "_lock", lock_and_lose)
    wanted = [Request("web", f"k{n}", "main", 900, (Wanted("VALVE", 1),)) for n in range(5)]
    futures = [site.writer.combine(combiner.reserve_all, request) for request in wanted]
    assert [(await future).status for future in futures] == [201] * 5
    assert site.available() == (10, 5)
    assert site.rows("SELECT safety FROM avail") == [(0,)]
