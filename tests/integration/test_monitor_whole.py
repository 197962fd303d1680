"""The monitor between a real broker and a real central, from a scan to the screen and back."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docktally.site import Site
from ledgers import new_database, scan
from monitor.app import MonitorApp
from monitor.config import Central, Config
from neighbours import DEADLINE_S, Mosquitto, free_port
from wire import codec
from wire.broker import Broker
from wire.events import Ack, Batch, Identifiers
from wire.link import Link
from wire.topics import Topics

pytestmark = pytest.mark.broker


@pytest.fixture
def site(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Site]:
    """Give a running central with a small catalogue."""
    site = Site(tmp_path, Broker(port=mosquitto.port))
    site.start_central(free_port(), "--database", new_database(tmp_path))
    yield site
    site.stop()


async def scanned(port: int) -> None:
    """Send what a gateway sends: three valves, and a code that nobody knows."""
    events = [
        scan(1, quantity=3, operator="mk"),
        scan(2, identifiers=Identifiers(text="??"), raw=b"??"),
    ]
    batch = Batch(
        gateway="gate", epoch=uuid.uuid4(), session=uuid.uuid4(), first_seq=1, events=tuple(events)
    )
    applied = asyncio.Event()
    topics = Topics()
    link = Link(
        Broker(port=port),
        "gate",
        lambda message: applied.set() if codec.decode(Ack, message.payload).applied_seq else None,
        [(topics.ack("main", "gate"), 1)],
    )
    running = asyncio.create_task(link.run())
    while not applied.is_set():
        if link.connected:  # until central listens, a broker throws it away
            await link.publish(topics.events("main", "gate"), codec.encode(batch))
        await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_from_a_scan_to_the_screen_and_back(site: Site, mosquitto: Mosquitto) -> None:
    """Stock over HTTP with central's version, places of the item, and an alert that is closed."""
    app = MonitorApp(Config(broker=site.broker, central=Central(url=site.api)))
    board = app.desk.board

    def drawn() -> str:
        return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    async def until(condition: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, f"{what}:\n{drawn()}"
            await asyncio.sleep(0.02)

    await scanned(mosquitto.port)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: "VALVE" in board.stock.sku, "the item is there")
        await until(lambda: board.trust == "live" and board.row_is_live(0), "and live")
        await until(lambda: board.alerts, "the unknown barcode is an alert")
        valve = board.stock.row("main", "VALVE")
        assert valve is not None
        assert board.stock.available[valve] == 3
        table = app.screen.page.table  # type: ignore[attr-defined]
        await until(lambda: table.go_to(valve), "it is drawn")
        await pilot.press("enter")
        await until(lambda: "DOCK-1" in drawn(), "where it lies is shown")
        await pilot.press("escape", "4")
        await until(lambda: "unknown barcode ??" in drawn(), "the alert is listed")
        await pilot.press("x")
        await pilot.pause(0.3)
        await pilot.press("y")
        await until(lambda: not board.alerts, "closed for everybody")
