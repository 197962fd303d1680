"""`docktally sim shift`: people at scanners, each on a pseudo terminal, until time is up."""

import asyncio
import random
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firmware_sim import catalog, faults, journal, runner, scenarios, truth
from firmware_sim.pty_serial import PtyScanner
from firmware_sim.setups import Setup


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `seconds` 0 goes on until SIGTERM; `pace.rate` is scans a second per scanner."""

    setups: Sequence[Setup]
    catalogue: catalog.Catalogue
    truth: Path
    scenario: str
    seed: int
    seconds: float
    pace: runner.Pace
    weather: faults.Weather


async def run(plan: Plan) -> None:
    """Play the plan; returns after the scan in hand when time is up or a signal came."""
    entries = read(plan.truth) if plan.truth.exists() else []
    numbers = runner.Numbers(truth.last_press(entries))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if plan.seconds:
        loop.call_later(plan.seconds, stop.set)
    async with AsyncExitStack() as stack:
        book = stack.enter_context(journal.Journal(plan.truth))
        names = tuple(setup.name for setup in plan.setups)
        book.write(truth.Start(at=_now(), scenario=plan.scenario, seed=plan.seed, scanners=names))
        devices = [
            await stack.enter_async_context(PtyScanner(setup.name, setup.link))
            for setup in plan.setups
        ]
        async with asyncio.TaskGroup() as group:
            for index, (setup, device) in enumerate(zip(plan.setups, devices, strict=True)):
                station = scenarios.Station(setup.name, setup.dock, index, len(plan.setups))
                # After a restart the same seed goes on with other goods, not with the same again.
                rng = random.Random(f"{plan.seed} {setup.name} {truth.last_press(entries)}")
                person = runner.Operator(
                    station, device, book, numbers, plan.pace, rng, stop, plan.weather
                )
                steps = scenarios.play(plan.scenario, plan.catalogue, station, rng)
                group.create_task(person.work(steps), name=setup.name)
        book.write(truth.Stop(at=_now()))


def read(path: Path) -> list[truth.Line]:
    """Return the entries of a journal file; JournalError or OSError when it cannot be read."""
    with path.open(encoding="utf-8") as lines:
        return list(truth.parse(lines))


def _now() -> datetime:
    return datetime.now(UTC)
