"""Every message of protocol version 1 as a model. docs/wire.md explains, golden files pin them.

Quantities are integers. In an `Event` they count labelled units as scanned (a case label counts
one case): central's pack table turns them into eaches, because only central knows the pack.
Everywhere else they are eaches.
"""

import base64
import binascii
from datetime import UTC, date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

from wire.ids import NAME_LENGTH_MAX

#: The largest seq, epoch counter or stock figure on the wire: what a signed 64-bit column holds.
COUNT_MAX = 2**63 - 1
#: The most labelled units that one event can be about.
QUANTITY_MAX = 10**9
#: Longest free text in characters.
TEXT_LENGTH_MAX = 2_000


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a moment between the years 1 and 9999 in UTC") from error


def _from_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error


Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Text = Annotated[str, Field(max_length=TEXT_LENGTH_MAX)]
Utc = Annotated[AwareDatetime, AfterValidator(_to_utc)]
Seq = Annotated[int, Field(ge=1, le=COUNT_MAX)]
Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Figure = Annotated[int, Field(ge=-COUNT_MAX, le=COUNT_MAX)]
Raw = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    PlainSerializer(lambda raw: binascii.b2a_base64(raw, newline=False).decode(), return_type=str),
    Field(json_schema_extra={"contentEncoding": "base64"}),
]

#: What happened, in the field's words; docs/wire.md maps each to its EPCIS/CBV business step.
Kind = Literal[
    "receive", "putaway", "move", "pick", "ship", "return", "count", "damage", "adjust", "undo",
    "unreadable", "repeat",
]  # fmt: skip


class Part(BaseModel):
    """A piece of a message. Fields a reader does not know are ignored, as the protocol promises."""

    # JSON has no infinity and no NaN: what is sent could not be read back.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Payload(Part):
    """A whole message; every one carries its protocol version."""

    v: Literal[1] = 1


class Clock(Part):
    """How far the gateway's wall clock can be trusted for one event."""

    boot_id: str
    monotonic_us: Count
    synced: bool
    corrected: bool = False


class Identifiers(Part):
    """What the barcode said about the goods; `text` is the reading when it is none of these."""

    gtin14: Annotated[str, Field(pattern=r"^\d{14}$")] | None = None
    sscc: Annotated[str, Field(pattern=r"^\d{18}$")] | None = None
    lot: Text | None = None
    serial: Text | None = None
    expiry: date | None = None
    sku: Name | None = None
    text: Text | None = None


class Origin(Part):
    """The number that an event had in an outbox that was damaged or put back."""

    epoch: UUID
    seq: Seq


class Event(Part):
    """One scan as stored. Its identity is (gateway, epoch, seq); `id` names its content."""

    seq: Seq
    id: UUID
    kind: Kind
    event_time: Utc
    clock: Clock
    recorded_late: bool = False
    salvaged_from: Origin | None = None
    scanner: Name
    operator: Name | None = None
    document: Text | None = None
    location: Name | None = None
    to_location: Name | None = None
    to_site: Name | None = None
    quantity: Annotated[int, Field(ge=0, le=QUANTITY_MAX)] = 1
    identifiers: Identifiers = Identifiers()
    symbology: str | None = None
    raw: Raw
    joined: tuple[Raw, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: Text | None = None
    note: Text | None = None
    undo_of: Seq | None = None
    repeat_of: Seq | None = None


class Batch(Payload):
    """Events with contiguous seq, starting at `first_seq`."""

    gateway: Name
    epoch: UUID
    session: UUID
    first_seq: Seq
    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=1_000)]


class Rejected(Part):
    """One event that central recorded but could not apply."""

    seq: Seq
    code: str
    message: str


class Ack(Payload):
    """Central's word that all up to `applied_seq` of this epoch is committed in the ledger."""

    epoch: UUID
    applied_seq: Count
    expect_seq: Seq
    rejected: tuple[Rejected, ...] = ()
    central_session: UUID


class ScannerState(Part):
    """One scanner as its gateway sees it."""

    name: Name
    source: Text
    online: bool
    mode: Kind | None = None
    location: Name | None = None
    scans: Count = 0
    unreadable: Count = 0
    refused: Count = 0
    repeats: Count = 0
    no_reads: Count = 0
    gs_verified: bool = False
    last_scan: Utc | None = None
    problem: Text | None = None


class NewScanner(Part):
    """A device that looks like a scanner and that the configuration does not name."""

    source: Literal["serial", "keyboard", "pos"]
    port: Text
    product: Text
    problem: Text | None = None


class OutboxState(Part):
    """What waits at the dock. `capacity_left` counts further scans of usual size that still fit."""

    pending: Count
    oldest_age_s: Annotated[float, Field(ge=0)]
    capacity_left: Count
    problem: Text | None = None


class ClockState(Part):
    """The gateway's clock against its time source."""

    synced: bool
    offset_ms: float | None = None
    boot_id: str | None = None
    booted_at: Utc | None = None


class GatewayState(Payload):
    """Retained state of a gateway. The Will is the same with `online` false and its session."""

    session: UUID
    online: bool
    since: Utc
    version: str
    scanners: tuple[ScannerState, ...] = ()
    new_scanners: tuple[NewScanner, ...] = ()
    outbox: OutboxState
    clock: ClockState
    last_seq: Count


class Identify(Payload):
    """Ask the gateway to make a scanner beep, so that a person finds it."""

    command: Literal["identify"] = "identify"
    scanner: Name


class Replay(Payload):
    """Ask the gateway to send its journal again from `from_seq` of `epoch` on."""

    command: Literal["replay"] = "replay"
    epoch: UUID
    from_seq: Seq


class Reload(Payload):
    """Ask the gateway to read its configuration again."""

    command: Literal["reload"] = "reload"


#: What an operator can hear: stored and central is there; stored while it is away; NOT booked; and
#: central could not book an earlier scan.
Pattern = Literal["good", "offline", "refused", "rejected"]


class Feedback(Payload):
    """Ask the gateway to signal something at a scanner."""

    command: Literal["feedback"] = "feedback"
    scanner: Name
    pattern: Pattern
    text: Text = ""


Command = Annotated[Identify | Replay | Reload | Feedback, Field(discriminator="command")]


class Signal(Payload):
    """What an operator was just told at a scanner: lossy by design, the beep itself is not."""

    at: Utc
    scanner: Name
    pattern: Pattern
    text: Text = ""


class CentralState(Payload):
    """Retained state of central. The Will is the same message with `online` false."""

    session: UUID
    online: bool
    since: Utc
    version: str
    lag_ms: Annotated[float, Field(ge=0)] = 0.0
    ledger_position: Count = 0
    api: str | None = None


class Availability(Payload):
    """What can be promised of one item at one site. Readers drop a `version` that is not newer."""

    sku: Name
    site: Name
    name: Text = ""
    version: Seq
    on_hand: Figure
    reserved: Count
    safety: Count
    available: Figure
    as_of: Utc
    cause: str


class Activity(Payload):
    """One line of the live feed: lossy by design, the ledger is the record."""

    at: Utc
    outcome: Literal["applied", "held", "refused"]
    kind: str
    gateway: str
    scanner: str
    operator: str | None = None
    document: str | None = None
    sku: str | None = None
    quantity: int | None = None
    location: str | None = None
    to_location: str | None = None
    text: Text = ""


class Alert(Payload):
    """Something a person should look at; retained until closed (then the topic is cleared)."""

    id: Name
    kind: str
    severity: Literal["info", "warning", "critical"]
    title: Text
    detail: Text = ""
    ref: Text | None = None
    site: Name | None = None
    opened: Utc
    count: Annotated[int, Field(ge=1)] = 1
    acknowledged_by: Name | None = None
    acknowledged_at: Utc | None = None
