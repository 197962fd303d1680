"""A small real ledger for tests: a database, a catalogue, and short ways to make scans."""

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from central import catalogue, combiner, database, upkeep
from central.arrivals import Applied, Arrival
from central.requests import Answer
from central.reservations import Request, Wanted
from central.writer import Writer
from wire import ids
from wire.events import Clock, Event, Identifiers

SELLABLE = ("bin", "dock")
#: The moment that tests count from. In the past: central believes no scan from the future.
NOON = datetime(2025, 11, 24, 12, 0, tzinfo=UTC)
EACH, CASE = "05901234123457", "15901234123454"
ITEMS = (
    f"sku,name,barcode,each_per\nVALVE,valve DN25,{EACH},1\nVALVE,,{CASE},12\nHOSE,hose,HOSE-1,1\n"
)
LOCATIONS = (
    "code,site,kind\nDOCK-1,main,dock\nA-1,main,bin\nB-1,main,bin\nBROKEN,main,damaged\n"
    "Q-1,main,quarantine\n"
)
_rng = random.Random(5)


#: Makes a ledger with the small catalogue and returns its name: a file, or a URL.
NewLedger = Callable[[], str]


def new_database(folder: Path) -> str:
    """Return a migrated SQLite database with a small catalogue."""
    path = str(folder / "central.db")
    stock_catalogue(path, folder)
    return path


def stock_catalogue(name: str, folder: Path) -> None:
    """Make the tables and the catalogue in a database; `folder` is for the CSV files."""
    (folder / "items.csv").write_text(ITEMS)
    (folder / "locations.csv").write_text(LOCATIONS)
    engine = database.open_writer(name)
    database.migrate(engine)
    with engine.begin() as connection:
        catalogue.import_locations(connection, folder / "locations.csv", SELLABLE)
        catalogue.import_items(connection, folder / "items.csv")
    engine.dispose()


def scan(seq: int, kind: Any = "receive", *, minute: float = 0, **fields: Any) -> Event:
    """Return an event: by default one valve received at DOCK-1."""
    values: dict[str, Any] = {
        "seq": seq,
        "id": ids.new_id(1_700_000_000_000 + seq, _rng),
        "kind": kind,
        "event_time": NOON + timedelta(minutes=minute),
        "clock": Clock(boot_id="boot", monotonic_us=seq, synced=True),
        "scanner": "dock-1",
        "location": "DOCK-1",
        "identifiers": Identifiers(gtin14=EACH),
        "raw": EACH.encode(),
    }
    return Event(**(values | fields))


class Site:
    """One gateway's scans against one ledger."""

    def __init__(
        self,
        writer: Writer,
        reader: Engine,
        database: str = "",
        *,
        gateway: str = "gate",
        code: str = "main",
    ) -> None:
        self.code = code
        self.writer = writer
        self.reader = reader
        self.database = database
        self.gateway = gateway
        self.epoch = uuid.uuid4()
        self.seq = 0

    def beside(self, gateway: str, code: str = "main") -> "Site":
        """Return another gateway's hand on the same ledger, at this site or another."""
        return Site(self.writer, self.reader, self.database, gateway=gateway, code=code)

    async def run(self, command: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        """Run a command of central: a function of the open transaction."""
        return await self.writer.submit(lambda tx: command(tx, *arguments, **named))

    async def catch_up(self) -> None:
        """Let central do what the catalogue asks for, as it does each second."""
        while await self.writer.submit(lambda tx: upkeep.catch_up(tx, "")) is None:
            pass

    def open_alerts(self) -> list[str]:
        """Return the kinds of the open alerts."""
        kinds = self.rows("SELECT kind FROM alert WHERE closed_us IS NULL ORDER BY kind, ref")
        return [kind for (kind,) in kinds]

    def bring(self, folder: Path, *, items: str = "", locations: str = "") -> list[str]:
        """Import CSV text as another program does; return what the import said of locations."""
        said: list[str] = []
        with self.writer.engine.begin() as connection:
            if locations:
                (folder / "more.csv").write_text("code,site,kind\n" + locations)
                said = catalogue.import_locations(connection, folder / "more.csv", SELLABLE)
            if items:
                (folder / "more.csv").write_text(items)
                catalogue.import_items(connection, folder / "more.csv")
        return said

    async def send(self, *events: Event) -> Applied:
        """Apply events as one message, as they are."""
        arrival = Arrival(self.code, self.gateway, self.epoch, events[0].seq, events)
        return (await self.writer.apply([arrival]))[0]

    async def do(self, kind: Any = "receive", **fields: Any) -> Applied:
        """Apply the next scan of this gateway."""
        self.seq += 1
        return await self.send(scan(self.seq, kind, **fields))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what SQL says."""
        with self.reader.begin() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def places(self) -> dict[str, int]:
        """Return the eaches in each place that is not empty, all items and lots together."""
        return dict(
            self.rows(
                "SELECT l.code, SUM(s.qty) FROM stock s JOIN location l ON l.id = s.loc "
                "GROUP BY l.code HAVING SUM(s.qty) <> 0 ORDER BY l.code"
            )
        )

    def available(self, sku: str = "VALVE") -> tuple[int, int]:
        """Return (on hand, reserved)."""
        return self.rows(
            "SELECT a.on_hand, a.reserved FROM avail a JOIN item i ON i.id = a.item "
            f"WHERE i.sku = '{sku}'"
        )[0]  # type: ignore[return-value]


async def ask(site: Site, key: str, *lines: tuple[str, int], ttl_s: int = 900) -> Answer:
    """Reserve for channel web."""
    request = Request("web", key, "main", ttl_s, tuple(Wanted(*line) for line in lines), "order-1")
    return await site.writer.combine(combiner.reserve_all, request)
