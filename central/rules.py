"""What each scan means for stock. Pure, and the one file a business person reads.

A physical fact is never refused: it is posted, even below zero. What cannot be posted because
something is missing is held with a reason until a person supplies it.
"""

from dataclasses import dataclass
from enum import StrEnum

from wire.events import COUNT_MAX, Event


class Outside(StrEnum):
    """Places that are not in the house; every movement has two ends. Their names are taken."""

    SUPPLIER = "SUPPLIER"
    CUSTOMER = "CUSTOMER"
    ADJUST = "ADJUST"
    SCRAP = "SCRAP"


class Role(StrEnum):
    """Places that each site has once, whatever it calls them."""

    DAMAGED = "damaged"


class Reason(StrEnum):
    """Why stock is corrected. The list is closed, so that reports add up; a note says the rest."""

    CORRECTION = "correction"
    CYCLE_COUNT = "cycle_count"
    DAMAGED = "damaged"
    SHRINKAGE = "shrinkage"
    RECEIVED = "received"
    RESTOCK = "restock"
    RETURN = "return"
    PROMOTION = "promotion"
    TRANSFER = "transfer"
    EXPIRED = "expired"
    OTHER = "other"
    UNDO = "undo"


_OUTSIDE = {str(place): place for place in Outside}
_REASONS = frozenset(map(str, Reason))

#: The reason of an entry that cancels what a count has already seen.
ABSORBED = "absorbed"

#: A location code of the event's site, a place outside, or a role.
Place = str | Outside | Role


@dataclass(frozen=True, slots=True)
class Move:
    """Post `quantity` eaches from one place to another."""

    origin: Place
    target: Place
    quantity: int
    reason: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A person saw `quantity` eaches at `location`."""

    location: str
    quantity: int
    reason: str


@dataclass(frozen=True, slots=True)
class Undo:
    """Reverse what event `seq` of the same gateway posted."""

    seq: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Nothing to post; the event itself is the record."""


@dataclass(frozen=True, slots=True)
class Held:
    """Kept for a person: what is missing, and what to do about it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Recorded, but nothing that a person could supply would make it count."""

    code: str
    message: str


Decision = Move | Counted | Undo | Recorded | Held | Refused


def names_goods(event: Event) -> bool:
    """Return whether the event needs an item from the catalogue."""
    return event.kind not in {"undo", "unreadable", "repeat"}


def decide(event: Event, each_per: int) -> Decision:
    """Return what to post for an event whose barcode stands for `each_per` eaches."""
    quantity = event.quantity * each_per
    if quantity > COUNT_MAX:
        return Held("quantity_too_large", f"{event.quantity} x {each_per} is no quantity of goods")
    match event.kind:
        case "unreadable" | "repeat":
            return Recorded()
        case "undo":
            if event.undo_of is None:
                return Refused("undo_of_nothing", "the undo does not say which scan it takes back")
            return Undo(event.undo_of)
        case "count":
            return _count(event, quantity)
        case _ if quantity == 0:
            return Held(
                "quantity_zero", "a quantity of 0 moves nothing; scan it again with the count"
            )
        case _:
            return _move(event, quantity)


def _count(event: Event, quantity: int) -> Counted | Held:
    if event.location is None:
        return _missing("location", event)
    if isinstance(place(event.location), Outside):
        return Held("not_countable", f"{event.location} is outside: nobody can count there")
    return Counted(event.location, quantity, _reason(event) or Reason.CYCLE_COUNT)


def _move(event: Event, quantity: int) -> Move | Held:
    here, there = place(event.location), place(event.to_location)
    if here is None and event.kind != "adjust":
        return _missing("location", event)
    reason = _reason(event) or event.kind
    ends: tuple[Place | None, Place | None]
    match event.kind:
        case "receive":
            ends = (Outside.SUPPLIER, here)
        case "return":  # to a quarantine or a bin: the location says whether it can be sold again
            ends = (Outside.CUSTOMER, here)
        case "ship":
            ends = (here, Outside.CUSTOMER)
        case "damage":
            ends = (here, there or Role.DAMAGED)
        case "adjust":  # from a place: less there; to a place: more there
            ends = (here or Outside.ADJUST, there or Outside.ADJUST)
            reason = _reason(event) or (Reason.OTHER if event.reason else Reason.CORRECTION)
        case _:  # putaway, move, pick
            ends = (here, there)
    origin, target = ends
    if origin is None or target is None:
        return _missing("destination", event)
    return Move(origin, target, quantity, reason)


def place(code: str | None) -> str | Outside | None:
    """Return the place of a location label; the four names of the outside are never bins."""
    return _OUTSIDE.get(code, code) if code else None


def _reason(event: Event) -> str | None:
    """Return the reason when it is of the closed list; other words stay in the event alone."""
    return event.reason if event.reason in _REASONS else None


def _missing(what: str, event: Event) -> Held:
    return Held(f"no_{what}", f"a {event.kind} needs a {what}; scan the {what}'s label first")
