"""Events on their way into the ledger, and what the ledger says it did with them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from central import catalogue, rules
from wire.events import TEXT_LENGTH_MAX, Activity, Event, Identifiers, Rejected

StreamKey = tuple[str, str, str]  # site, source, epoch
#: What people and programs do over HTTP comes from sources that begin so.
API_PREFIX = "api:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_to_json = Event.__pydantic_serializer__.to_json


@dataclass(frozen=True, slots=True)
class Arrival:
    """Contiguous events of one gateway's outbox, as one message brought them.

    `broken` holds what could not be decoded, by seq: kept and answered, never a stopper.
    """

    site: str
    source: str
    epoch: UUID
    first_seq: int
    events: tuple[Event, ...]
    broken: tuple[tuple[int, str, str], ...] = ()  # seq, JSON text, reason

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", tuple(map(storable, self.events)))

    @property
    def key(self) -> StreamKey:
        """The outbox these events come from."""
        return (self.site, self.source, str(self.epoch))


@dataclass(frozen=True, slots=True)
class Applied:
    """What the ledger did with one arrival."""

    key: StreamKey
    applied_seq: int
    hole: bool = False
    fresh: int = 0
    rejected: tuple[Rejected, ...] = ()
    activity: tuple[Activity, ...] = ()


def moment(event: Event, latest_us: int, now_us: int) -> int:
    """Return when the ledger believes the event to have happened, microseconds since 1970.

    Of one outbox its seq decides: a clock that was set back makes nothing happen earlier than what
    was scanned before it (`latest_us`). Nothing happens after central heard of it (`now_us`). What
    was recorded late, by hand or from a damaged disk, stands beside that order.
    """
    since = event.event_time - _EPOCH  # in steps: dividing a timedelta takes twice as long
    said = min((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds, now_us)
    return said if event.recorded_late else max(said, latest_us + 1)


def body_of(event: Event) -> str:
    """Return the JSON of an event, as the ledger keeps it."""
    return _to_json(event, exclude_none=True).decode()


def id_in(body: str) -> str:
    """Return the event's id from its JSON: what a UUID looks like is made only once."""
    return body.partition('"id":"')[2][:36]


def is_trusted(event: Event) -> bool:
    """Return whether a time source stood behind the event's time."""
    return event.clock.synced or event.clock.corrected


def storable(event: Event) -> Event:
    """Return the event with a picture in place of U+0000, which PostgreSQL's text cannot hold.

    A barcode can hold it; `raw` goes on having the bytes.
    """
    if not (changes := _pictured(event)) and not _pictured(event.identifiers):
        return event
    names = event.identifiers.model_copy(update=_pictured(event.identifiers))
    return event.model_copy(update={**changes, "identifiers": names})


def _pictured(part: Event | Identifiers) -> dict[str, str]:
    return {
        name: value.replace("\0", "\N{SYMBOL FOR NULL}")
        for name, value in part.__dict__.items()
        if isinstance(value, str) and "\0" in value
    }


def activity_line(
    source: str, event: Event, item: catalogue.Item | None, why: rules.Held | rules.Refused | None
) -> Activity:
    """Return what the live feed says about an event; `why` it is held or refused, if it is."""
    text = why.message if why else item.name if item else ""
    return Activity(
        at=event.event_time,
        outcome={rules.Held: "held", rules.Refused: "refused"}.get(type(why), "applied"),
        kind=event.kind,
        gateway=source,
        scanner=event.scanner,
        operator=event.operator,
        document=event.document,
        sku=item.sku if item else None,
        quantity=event.quantity * (item.each_per if item else 1),
        location=event.location,
        to_location=event.to_location,
        text=text[:TEXT_LENGTH_MAX],
    )
