"""What each scan means for stock. Pure, and the one file a business person reads.

A physical fact is never refused: it is posted, even below zero. What cannot be posted because
something is missing is held with a reason until a person supplies it.
"""

from dataclasses import dataclass
from enum import StrEnum

from wire.events import COUNT_MAX, Event


class Outside(StrEnum):
    """Places that are not in the house; every movement has two ends."""

    SUPPLIER = "SUPPLIER"
    CUSTOMER = "CUSTOMER"
    ADJUST = "ADJUST"
    SCRAP = "SCRAP"


class Role(StrEnum):
    """Places that each site has once, whatever it calls them."""

    DAMAGED = "damaged"


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


Decision = Move | Counted | Undo | Recorded | Held


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
                return Held("undo_of_nothing", "the undo does not say which scan it takes back")
            return Undo(event.undo_of)
        case "count":
            if event.location is None:
                return _missing("location", event)
            return Counted(event.location, quantity)
        case _ if quantity == 0:
            return Held(
                "quantity_zero", "a quantity of 0 moves nothing; scan it again with the count"
            )
        case _:
            return _move(event, quantity)


def _move(event: Event, quantity: int) -> Move | Held:
    here, there = event.location, event.to_location
    if here is None and event.kind != "adjust":
        return _missing("location", event)
    ends: tuple[Place | None, Place | None]
    match event.kind:
        case "receive":
            ends = (Outside.SUPPLIER, here)
        case "return":
            ends = (Outside.CUSTOMER, here)
        case "ship":
            ends = (here, Outside.CUSTOMER)
        case "damage":
            ends = (here, there or Role.DAMAGED)
        case "adjust":  # from a place: less there; to a place: more there
            ends = (here or Outside.ADJUST, there or Outside.ADJUST)
        case _:  # putaway, move, pick
            ends = (here, there)
    origin, target = ends
    if origin is None or target is None:
        return _missing("destination", event)
    if origin == target:
        return Held("same_place", f"{event.kind} from {origin} to {target} moves nothing")
    return Move(origin, target, quantity, event.reason or event.kind)


def _missing(what: str, event: Event) -> Held:
    return Held(f"no_{what}", f"a {event.kind} needs a {what}; scan the {what}'s label first")
