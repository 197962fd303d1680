"""What each scan means for stock. Pure, and the one file a business person reads.

A physical fact is never refused: it is posted, even below zero. What cannot be posted because
something is missing is held with a reason until a person supplies it.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

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


def sellable(on_hand: int, reserved: int, safety: int, active: int) -> int:
    """Return what can be promised of an item at a site; below zero: so much too many.

    Of an item that is not active nothing can, whatever lies there.
    """
    left = on_hand - reserved - safety
    return left if active else min(left, 0)


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
    return _decide(
        event.kind, event.quantity, each_per, event.location, event.to_location, event.reason,
        event.undo_of,
    )  # fmt: skip


#: Decisions remembered: what a station scans next usually means what it scanned before.
@lru_cache(maxsize=4_096)
def _decide(
    kind: str, units: int, each_per: int, location: str | None, to_location: str | None,
    reason: str | None, undo_of: int | None,
) -> Decision:  # fmt: skip
    quantity = units * each_per
    if quantity > COUNT_MAX:
        return Held("quantity_too_large", f"{units} x {each_per} is no quantity of goods")
    match kind:
        case "unreadable" | "repeat":
            return Recorded()
        case "undo":
            if undo_of is None:
                return Refused("undo_of_nothing", "the undo does not say which scan it takes back")
            return Undo(undo_of)
        case "count":
            return _count(location, quantity, reason)
        case _ if quantity == 0:
            return Held(
                "quantity_zero", "a quantity of 0 moves nothing; scan it again with the count"
            )
        case _:
            return _move(kind, quantity, location, to_location, reason)


def _count(location: str | None, quantity: int, reason: str | None) -> Counted | Held:
    if location is None:
        return _missing("location", "count")
    if isinstance(place(location), Outside):
        return Held("not_countable", f"{location} is outside: nobody can count there")
    return Counted(location, quantity, _closed(reason) or Reason.CYCLE_COUNT)


def _move(
    kind: str, quantity: int, location: str | None, to_location: str | None, said: str | None
) -> Move | Held:
    here, there = place(location), place(to_location)
    if here is None and kind != "adjust":
        return _missing("location", kind)
    reason = _closed(said) or kind
    ends: tuple[Place | None, Place | None]
    match kind:
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
            reason = _closed(said) or (Reason.OTHER if said else Reason.CORRECTION)
        case _:  # putaway, move, pick
            ends = (here, there)
    origin, target = ends
    if origin is None or target is None:
        return _missing("destination", kind)
    return Move(origin, target, quantity, reason)


def place(code: str | None) -> str | Outside | None:
    """Return the place of a location label; the four names of the outside are never bins."""
    return _OUTSIDE.get(code, code) if code else None


def _closed(reason: str | None) -> str | None:
    """Return the reason when it is of the closed list; other words stay in the event alone."""
    return reason if reason in _REASONS else None


def _missing(what: str, kind: str) -> Held:
    return Held(f"no_{what}", f"a {kind} needs a {what}; scan the {what}'s label first")
