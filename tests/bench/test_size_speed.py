"""A ledger after years against a new one: how fast scans are applied, how soon central is there.

The large one is made once and kept in $XDG_CACHE_HOME/docktally-bench: 5.5 GB, a minute or two.
"""

import asyncio
import random
import shutil
import statistics
import time
import uuid
from pathlib import Path

import pytest
from sqlalchemy import Engine

import big_ledger
from central import database
from central.arrivals import Arrival
from central.writer import Writer
from ledgers import SELLABLE, scan
from measure import process, usage
from neighbours import Mosquitto, answers, free_port, wait_until
from wire.events import Identifiers

pytestmark = [pytest.mark.bench, pytest.mark.broker]
SMALL, LARGE = (1_000, 0), (1_000_000, 20_000_000)
SCANS = {1: 300, 500: 10_000}
ROUNDS = 4
START_GOAL_S = 5.0


def test_scans_applied_to_a_large_ledger(tmp_path: Path) -> None:
    """The same 1,000 SKUs in both; then any of the million, which no cache holds."""
    names = {}
    for size in (SMALL, LARGE):
        folder = tmp_path / str(size[0])
        folder.mkdir()
        names[size] = big_ledger.copy(*size, folder)
    rng = random.Random(1)
    some = [f"ITEM-{n}" for n in range(SMALL[0])]
    spread = [f"ITEM-{n * LARGE[0] // SMALL[0]}" for n in range(SMALL[0])]
    print()
    with (
        database.using(database.open_writer(names[SMALL])) as small,
        database.using(database.open_writer(names[LARGE])) as large,
    ):
        for batch, count in SCANS.items():
            ratios: dict[str, list[float]] = {"its 1,000": [], "any": []}
            rates = []
            for _ in range(ROUNDS + 1):  # interleaved; the first round warms the caches
                any_of_them = [f"ITEM-{rng.randrange(LARGE[0])}" for _ in range(count)]
                floor = asyncio.run(applied(small, batch, count, some))
                ratios["its 1,000"].append(
                    floor / asyncio.run(applied(large, batch, count, spread))
                )
                ratios["any"].append(floor / asyncio.run(applied(large, batch, count, any_of_them)))
                rates.append(floor)
            for which, found in ratios.items():
                slower = f"{statistics.median(found[1:]):.2f}x slower"
                floor = f"{statistics.median(rates[1:]):,.0f} scans/s"
                print(
                    f"batch {batch:>3}, {which:<9}: {slower} than the small ledger's {floor} "
                    f"(goal 1.5); rounds {min(found[1:]):.2f} to {max(found[1:]):.2f}"
                )
    shutil.rmtree(tmp_path / str(LARGE[0]))


async def applied(engine: Engine, batch: int, count: int, skus: list[str]) -> float:
    """Apply receipts of these SKUs in turn; return how many a second."""
    epoch = uuid.uuid4()
    events = [
        scan(seq, identifiers=Identifiers(sku=skus[seq % len(skus)])) for seq in range(1, count + 1)
    ]
    pages = [
        Arrival("main", "gate", epoch, first + 1, tuple(events[first : first + batch]))
        for first in range(0, count, batch)
    ]
    async with Writer(engine, SELLABLE) as writer:
        started = time.perf_counter()
        for page in pages:
            await writer.apply([page])
        return count / (time.perf_counter() - started)


def test_start_of_a_large_ledger(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """From the start of the program until it answers, and until everything is announced."""
    name = big_ledger.copy(*LARGE, tmp_path)
    print()
    for _ in range(3):
        port = free_port()
        command = ["-m", "central", "--database", name, "--log-level", "warning"]
        command += ["--broker", f"127.0.0.1:{mosquitto.port}", "--port", str(port)]
        started = time.perf_counter()
        with process(*command, log=tmp_path / "central.log") as running:
            wait_until(lambda port=port: answers(port), "central answers")
            took = time.perf_counter() - started
            print(f"start      {took:.2f} s (goal {START_GOAL_S:.0f}), {usage('', running.pid)}")
    shutil.rmtree(tmp_path)
