"""The shapes of the answers, for the description at /docs; a test compares them with answers."""

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

Row = TypeVar("Row")

Eaches = Annotated[int, Field(description="eaches: single pieces, whatever the packs are")]
Sku = Annotated[str, Field(description="the item's number, ours")]
SiteCode = Annotated[str, Field(description="code of the site, such as `main`")]
Place = Annotated[str, Field(description="code of the location within its site")]
Moment = Annotated[datetime, Field(description="RFC 3339, UTC")]
State = Literal["held", "committed", "done", "released", "expired", "rejected"]


def says(model: Any, status: int = 200, *, tagged: bool = False) -> dict[str, Any]:
    """Return what a route needs to describe its answer; what its function returns is sent.

    `tagged` answers have an ETag, and are not sent again to who has them.
    """
    described: dict[int, Any] = {status: {"model": model}}
    if tagged:
        described[304] = {"description": "Nothing has changed since your ETag"}
    return {"response_model": None, "status_code": status, "responses": described}


class Page(BaseModel, Generic[Row]):
    """A page of a list."""

    items: list[Row]
    next: Annotated[
        str | None, Field(description="send it as `after` for what follows; null: nothing does")
    ]  # fmt: skip


class Availability(BaseModel):
    """What can be promised of one item at one site."""

    sku: Sku
    site: SiteCode
    name: str
    on_hand: Annotated[int, Field(description="eaches in the places that sell; may be below zero")]
    reserved: Annotated[int, Field(description="eaches promised and not shipped yet")]
    safety: Annotated[int, Field(description="eaches kept back from every promise")]
    available: Annotated[
        int, Field(description="eaches that can be promised now: on_hand - reserved - safety; "
                   "0 for an item that is not active")
    ]  # fmt: skip
    active: Annotated[bool, Field(description="false: taken off sale, promised to nobody")]
    version: Annotated[int, Field(description="rises with each change; drop what is not newer")]


class Lying(BaseModel):
    """Goods at one place."""

    site: SiteCode
    location: Place
    lot: Annotated[str, Field(description="empty: no lot was read")]
    expires: Annotated[date | None, Field(description="best before; null: unknown")]
    quantity: Annotated[int, Field(description="eaches; below zero: more was taken than was put")]


class ItemStock(BaseModel):
    """An item, at each site and place."""

    sku: Sku
    name: str
    active: bool
    sites: list[Availability]
    locations: list[Lying]


class LaidThen(BaseModel):
    """Goods at one place at a moment in the past."""

    sku: Sku
    site: SiteCode
    location: Place
    lot: str
    quantity: Eaches


class ThenPage(Page[LaidThen]):
    """A page of the stock of then."""


class Line(BaseModel):
    """So many eaches of one item."""

    sku: Sku
    quantity: Eaches


class PromisedLine(Line):
    """A line of a reservation."""

    shipped: Annotated[int, Field(description="eaches that are gone already")]


class Granted(BaseModel):
    """A hold."""

    id: Annotated[int, Field(description="number of the reservation")]
    state: State
    site: Annotated[str, Field(description="the site that has all of it")]
    expires: Moment
    lines: list[Line]


class Turned(BaseModel):
    """A reservation after a step."""

    id: int
    state: State
    order_ref: Annotated[str | None, Field(description="the shop's own reference")]
    changed: Annotated[bool, Field(description="false: it was so already")]
    expires: Annotated[datetime | None, Field(description="when a hold ends, UTC")] = None


class Reservation(BaseModel):
    """A reservation with its lines."""

    id: int
    state: State
    channel: str
    site: SiteCode
    order_ref: str | None
    created: Moment
    expires: Annotated[datetime | None, Field(description="when the hold ends; null: it does not")]
    lines: list[PromisedLine]


class OrderLine(BaseModel):
    """What an order has of an item, all its reservations together."""

    sku: Sku
    promised: Annotated[int, Field(description="eaches held, committed or shipped")]
    shipped: Annotated[int, Field(description="eaches that are gone")]
    open: Annotated[int, Field(description="eaches that are still to be shipped")]


class Order(BaseModel):
    """What was granted for an order."""

    order_ref: str
    open: Annotated[bool, Field(description="true while something is held or to be shipped")]
    lines: list[OrderLine]
    reservations: list[Reservation]


class OrderTurned(Turned):
    """The reservation that an order's step was about; the worst of several."""

    reservations: Annotated[list[int], Field(description="numbers of all that were meant")]


class Recorded(BaseModel):
    """An event that was written into the journal."""

    event: Annotated[str, Field(description="its id, a UUID")]
    seq: Annotated[int, Field(description="its number in this client's journal")]
    kind: str
    reverses: Annotated[int | None, Field(description="the entry that it takes back")] = None


class LineResult(BaseModel):
    """What became of a line; a refused one has `code` and `detail` as any problem document."""

    line: Annotated[int, Field(description="place in the request, from 0")]
    status: Annotated[int, Field(description="HTTP status that the line alone would have had")]


class BatchResult(BaseModel):
    """What became of each line."""

    done: Annotated[int, Field(description="lines that were carried out")]
    refused: Annotated[int, Field(description="lines that were not")]
    results: list[LineResult]


class Item(BaseModel):
    """Something we stock."""

    sku: Sku
    name: str
    active: Annotated[bool, Field(description="false: promised to nobody")]


class Barcode(BaseModel):
    """What a code stands for."""

    code: Annotated[str, Field(description="GTINs as 14 digits, other codes as they are")]
    sku: Sku
    each_per: Annotated[int, Field(description="eaches that one label stands for")]


class Mapped(Barcode):
    """A barcode that was mapped."""

    applied: Annotated[int, Field(description="held scans that were booked by that")]
    waiting: Annotated[int, Field(description="held scans that follow by themselves")]


class Removed(BaseModel):
    """A barcode that stands for nothing now."""

    code: str
    state: Literal["removed"]


class Site(BaseModel):
    """A house with places in it."""

    site: SiteCode
    priority: Annotated[int, Field(description="who asks for any site gets the lowest one first")]


class Location(BaseModel):
    """A place in the house."""

    site: SiteCode
    location: Place
    kind: Annotated[str, Field(description="bin, dock, quarantine, damaged or transit")]
    sellable: Annotated[bool, Field(description="whether what lies here can be promised")]
    active: Annotated[bool, Field(description="false: closed; nothing is booked here by hand")]


class Level(BaseModel):
    """What is kept back of an item at a site, and when a person is told."""

    sku: Sku
    site: SiteCode
    safety: Annotated[int, Field(description="eaches kept back from every promise")]
    low_stock: Annotated[
        int | None, Field(description="eaches available at or below which a person is told")
    ]


class Share(BaseModel):
    """What a channel may promise of an item at a site."""

    sku: Sku
    site: SiteCode
    channel: str
    buffer: Annotated[int, Field(description="eaches kept back from this channel")]
    oversell: Annotated[int, Field(description="eaches it may promise beyond what is there")]
    cap: Annotated[int | None, Field(description="eaches it may promise in all; null: no bound")]
    used: Annotated[int, Field(description="eaches promised so far, less what was given back")]


class Lot(BaseModel):
    """A lot whose date is known."""

    sku: Sku
    lot: str
    expires: Annotated[date, Field(description="best before")]


class LotStock(Lot):
    """A lot, with what is left of it."""

    quantity: Annotated[int, Field(description="eaches in the house")]


class LotLying(Lot):
    """Goods of a lot at one place."""

    site: SiteCode
    location: Place
    quantity: Eaches


class FailedOrder(BaseModel):
    """An order that goods are missing for."""

    reservation: int
    channel: str
    order: Annotated[str, Field(description="the shop's reference, or reservation:NUMBER")]
    missing: Eaches


class Shortage(BaseModel):
    """More is promised than is there."""

    sku: Sku
    site: SiteCode
    on_hand: Eaches
    reserved: Eaches
    missing: Annotated[int, Field(description="eaches promised beyond what is there")]
    orders: Annotated[list[FailedOrder], Field(description="who was promised last, first")]


class Exceptional(BaseModel):
    """A scan that waits for a person."""

    number: Annotated[int, Field(description="for /v1/events/{number}/resolve and /dismiss")]
    site: SiteCode
    gateway: str
    seq: int
    code: Annotated[str, Field(description="what is missing, such as unknown_barcode")]
    event: Annotated[dict[str, Any], Field(description="the scan itself, as docs/wire.md has it")]


class Alert(BaseModel):
    """Something that a person should look at."""

    id: str
    kind: str
    severity: Literal["info", "warning", "critical"]
    title: str
    detail: str
    ref: Annotated[str | None, Field(description="what it is about")]
    site: str | None
    opened: Moment
    closed: Annotated[datetime | None, Field(description="null while it is open")]
    count: Annotated[int, Field(description="how often it was raised")]
    acknowledged_by: str | None
    acknowledged_at: datetime | None


class AlertTurned(BaseModel):
    """An alert after a step."""

    id: str
    state: Literal["acknowledged", "closed"]
    by: Annotated[str | None, Field(description="who takes care of it")] = None


class Settled(BaseModel):
    """How a held scan ended."""

    event: Annotated[int, Field(description="number of the event")]
    state: Literal["applied", "dismissed"]


class Entry(BaseModel):
    """Goods that moved from one place to another."""

    entry: Annotated[int, Field(description="for /v1/entries/{entry}/reverse")]
    sku: Sku
    lot: str
    origin: Annotated[str, Field(alias="from", description="location, or SUPPLIER, CUSTOMER ...")]
    to: str
    quantity: Eaches
    reason: str


class Ended(BaseModel):
    """How a held event ended."""

    status: Annotated[Literal["applied", "dismissed", "undone"], Field(description="how")]
    by: Annotated[str, Field(description="who said so")]


class RecordedEvent(BaseModel):
    """What was said by a scanner or over HTTP, and what it moved."""

    number: Annotated[int, Field(description="place in the order of application")]
    gateway: Annotated[str, Field(description="whose outbox; api:NAME for a client of this API")]
    site: SiteCode
    epoch: Annotated[str, Field(description="which outbox of that gateway")]
    seq: Annotated[int, Field(description="number in that outbox, without holes")]
    id: str
    kind: str
    scanner: str
    status: Annotated[str, Field(description="on arrival: applied, held or rejected")]
    code: Annotated[str | None, Field(description="why it is held or was rejected")]
    settled: Ended | None
    event: Annotated[Any, Field(description="the event as docs/wire.md has it")]
    entries: list[Entry]


class Mark(BaseModel):
    """How far one outbox is applied."""

    site: SiteCode
    gateway: str
    epoch: str
    applied_seq: int


class Marks(BaseModel):
    """How far the ledger is."""

    position: Annotated[int, Field(description="number of the newest event")]
    gateways: list[Mark]
