"""Events on their way into the ledger, and what the ledger says it did with them."""

from dataclasses import dataclass
from uuid import UUID

from central import catalogue, rules
from wire.events import TEXT_LENGTH_MAX, Activity, Event, Identifiers, Rejected

StreamKey = tuple[str, str, str]  # site, source, epoch


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
    arrival: Arrival, event: Event, item: catalogue.Item | None, held: rules.Held | None
) -> Activity:
    """Return what the live feed says about an event."""
    return Activity(
        at=event.event_time,
        outcome="held" if held else "applied",
        kind=event.kind,
        gateway=arrival.source,
        scanner=event.scanner,
        operator=event.operator,
        document=event.document,
        sku=item.sku if item else None,
        quantity=event.quantity * (item.each_per if item else 1),
        location=event.location,
        to_location=event.to_location,
        text=(held.message if held else item.name if item else "")[:TEXT_LENGTH_MAX],
    )
