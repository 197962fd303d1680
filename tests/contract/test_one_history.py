"""The same history ends in the same rows, whichever database keeps them."""

import asyncio
import random
import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from central import adjustments, database, levels, reservations, settling, shipping, verify
from central.adjustments import Adjustment, Count
from central.arrivals import Arrival
from central.levels import Level, Share
from central.requests import Caller
from central.rules import Reason
from central.writer import Writer, number
from ledger_rows import ROWS, rows_of
from ledgers import CASE, EACH, NOON, SELLABLE, Site, ask, new_database, scan
from postgres import Postgres
from wire.events import Event, Identifiers

PLACES = ("DOCK-1", "A-1", "B-1", "Q-1", "BROKEN", "NEW-1")
GOODS = (
    Identifiers(gtin14=EACH),
    Identifiers(gtin14=CASE),
    Identifiers(text="HOSE-1"),
    Identifiers(gtin14=EACH, lot="L\0T", expiry=date(2027, 5, 31)),
    Identifiers(text="NOBODY KNOWS \0 THIS"),
)
KINDS = (
    "receive",
    "putaway",
    "move",
    "pick",
    "ship",
    "return",
    "damage",
    "count",
    "adjust",
    "undo",
)


async def live(database_name: str, seed: int, steps: int) -> dict[str, list[Any]]:
    """Let a warehouse and a shop work for a while; return what the ledger says then."""
    rng = random.Random(seed)
    engine, reader = database.open_writer(database_name), database.open_reader(database_name)
    async with Writer(engine, SELLABLE) as writer:
        site = Site(writer, reader)
        for step in range(steps):
            part = rng.random()
            if part < 0.6:
                await scan_some(site, rng)
            elif part < 0.85:
                await shop(site, rng, step)
            else:
                await office(site, rng, step)
        while await writer.submit(number):
            pass
    assert verify.run(reader) == []
    reader.dispose()
    engine.dispose()
    return rows_of(database_name)


async def scan_some(site: Site, rng: random.Random) -> None:
    """Send a message of one to four scans of one of three gateways, some of them late."""
    gateway = rng.choice("abc")
    events = []
    seq = site.rows(f"SELECT COALESCE(MAX(applied_seq), 0) FROM stream WHERE source = '{gateway}'")
    for n in range(seq[0][0] + 1, seq[0][0] + 1 + rng.randint(1, 4)):
        here, there = rng.sample(PLACES, 2)
        kind = rng.choice(KINDS)
        events.append(
            scan(
                n, kind, id=uuid.UUID(int=rng.getrandbits(128)), minute=rng.randint(0, 300),
                quantity=rng.randint(0 if kind == "count" else 1, 9), location=here,
                to_location=None if kind in {"receive", "ship", "return"} else there,
                identifiers=rng.choice(GOODS), document=rng.choice((None, "po:1")),
                undo_of=rng.randint(1, n) if kind == "undo" else None,
            )
        )  # fmt: skip
    epoch = uuid.uuid5(uuid.NAMESPACE_OID, gateway)
    await site.writer.apply([Arrival("main", gateway, epoch, events[0].seq, tuple(events))])
    known: list[Event] = events[:1]  # some messages come twice
    if rng.random() < 0.2:
        await site.writer.apply([Arrival("main", gateway, epoch, known[0].seq, tuple(known))])


async def shop(site: Site, rng: random.Random, step: int) -> None:
    """Reserve, commit, release, ship, or let a hold run out."""
    if rng.random() < 0.5:
        skus = rng.sample(("VALVE", "HOSE"), rng.randint(1, 2))
        await ask(site, f"key-{step}", *((sku, rng.randint(1, 4)) for sku in skus))
        return
    numbers = site.rows("SELECT id FROM reservation ORDER BY key")
    if not numbers:
        return
    (chosen,) = rng.choice(numbers)
    action = rng.choice(("commit", "release", "ship", "expire"))
    if action != "expire":
        command = shipping.ship if action == "ship" else getattr(reservations, action)
        await site.writer.submit(lambda tx: command(tx, chosen))
        return
    with site.writer.engine.begin() as connection:
        connection.execute(text(f"UPDATE reservation SET expires_us = 1 WHERE id = {chosen}"))
    await site.writer.submit(reservations.expire)


async def office(site: Site, rng: random.Random, step: int) -> None:
    """Set levels and shares, correct and count by hand, settle what is held."""
    caller, sku = Caller("office", f"key-{step}"), rng.choice(("VALVE", "HOSE"))
    waiting = site.rows(
        "SELECT MIN(v.id) FROM held h JOIN event v ON v.stream = h.stream AND v.seq = h.seq "
        "JOIN stream s ON s.id = h.stream GROUP BY s.source, h.seq ORDER BY s.source, h.seq"
    )
    match rng.randrange(5 if waiting else 4):
        case 0:
            level = Level("main", sku, rng.randint(0, 3), rng.choice((None, 5)))
            await site.run(levels.set_level, level)
        case 1:
            share = Share("main", sku, "web", rng.randint(0, 2), rng.randint(0, 2))
            await site.run(levels.set_share, share)
        case 2:
            change = rng.choice((-2, 3))
            wanted = Adjustment("main", "A-1", sku, change, Reason.CORRECTION, note="\0")
            await site.run(adjustments.adjust, caller, wanted)
        case 3:
            then = NOON + timedelta(minutes=rng.randint(0, 300))
            seen = Count("main", "B-1", sku, rng.randint(0, 9), at=then)
            await site.run(adjustments.count, caller, seen)
        case _:
            (number,) = rng.choice(waiting)
            if rng.random() < 0.5:
                await site.run(settling.dismiss_held, number, "api:office", "a test scan")
            else:
                await site.run(settling.resolve_held, number, {"sku": sku}, "api:office")


@pytest.mark.postgres
@pytest.mark.parametrize(
    "seed", [1, 2, 3, *(pytest.param(n, marks=pytest.mark.soak) for n in range(100, 140))]
)
def test_one_history_ends_in_the_same_rows(
    postgres: Postgres, postgres_template: str, tmp_path: Path, seed: int
) -> None:
    """Receipts, moves, counts, undos, promises, expiries and shipments: all tables are equal."""
    url = postgres.create(postgres_template)
    ours, theirs = (
        asyncio.run(live(name, seed, steps=120)) for name in (new_database(tmp_path), url)
    )
    postgres.drop(url)
    for name in ROWS:
        assert theirs[name] == ours[name], name
    assert all(ours[name] for name in ROWS if name != "quarantine")
