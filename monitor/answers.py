"""What central's HTTP API answers, as far as a screen shows it. Unknown fields are ignored."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from wire.events import Availability, Part, Utc

#: The cause of a figure that was asked for: what changed it last is not said.
SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer, in a sentence for the person who asked."""

    sentence: str


class Done(Part):
    """Central did what it was asked to do; how it describes that is not shown."""


class StockRow(Part):
    """The availability of an item at a site."""

    sku: str
    site: str
    name: str = ""
    version: int
    on_hand: int
    reserved: int
    safety: int
    available: int

    def announced(self, at: datetime) -> Availability:
        """Return it as central would announce it at a moment."""
        return Availability(
            sku=self.sku, site=self.site, name=self.name, version=self.version,
            on_hand=self.on_hand, reserved=self.reserved, safety=self.safety,
            available=self.available, as_of=at, cause=SNAPSHOT,
        )  # fmt: skip


class StockPage(Part):
    """A page of the stock; `next` is the cursor of the following one, None at the end."""

    items: tuple[StockRow, ...]
    next: str | None = None


class Place(Part):
    """So many eaches of a lot at a location."""

    site: str
    location: str
    lot: str = ""
    quantity: int


class ItemStock(Part):
    """Where an item lies."""

    sku: str
    name: str = ""
    locations: tuple[Place, ...] = ()


class Item(Part):
    """An item of the catalogue."""

    sku: str
    name: str = ""


class Items(Part):
    """Items that a search found."""

    items: tuple[Item, ...]


class ReservedLine(Part):
    """What a reservation holds of one item, and how much of that is shipped."""

    sku: str
    quantity: int
    shipped: int = 0


class Reservation(Part):
    """A promise to a shop: held for a time, or committed to an order."""

    id: int
    state: str
    channel: str = ""
    site: str = ""
    order_ref: str | None = None
    created: Utc | None = None
    expires: Utc | None = None
    lines: tuple[ReservedLine, ...] = ()

    @property
    def name(self) -> str:
        """What people call it: the shop's order, or our number."""
        return self.order_ref or f"#{self.id}"


class Reservations(Part):
    """A page of reservations, the newest first."""

    items: tuple[Reservation, ...]
    next: str | None = None


class Entry(Part):
    """Goods that an event moved from one place to another."""

    sku: str
    lot: str = ""
    origin: str = Field(alias="from")
    target: str = Field(alias="to")
    quantity: int
    reason: str = ""


class Happened(Part):
    """The event itself, as its scanner or client said it."""

    event_time: Utc
    operator: str | None = None
    document: str | None = None
    location: str | None = None
    to_location: str | None = None
    reason: str | None = None
    note: str | None = None


class Recorded(Part):
    """An event as recorded, with what it posted."""

    gateway: str
    site: str
    seq: int
    kind: str
    scanner: str = ""
    status: str
    event: Happened
    entries: tuple[Entry, ...] = ()


class Events(Part):
    """A page of recorded events."""

    items: tuple[Recorded, ...]


class Mapped(Part):
    """What became of the scans that waited for a barcode."""

    applied: int = 0
    waiting: int = 0
