"""What a row of the change feed says to a webhook: a type, a key and data. Pure."""

import json
from dataclasses import dataclass, replace
from typing import Any

#: What a shop must know is named after what it can do about it; all else is for people.
_ALERT_TYPES = {
    "shortage": "inventory.shortage.detected",
    "low_stock": "inventory.low_stock",
    "unknown_barcode": "scan.unresolved",
    "gateway_offline": "gateway.offline",
    "verification_failed": "ledger.verification.failed",
}
AVAILABILITY = "inventory.availability.changed"
SOLD_OUT, SOLD_AGAIN = "inventory.out_of_stock", "inventory.back_in_stock"
_STOCK_TYPES = frozenset({AVAILABILITY, SOLD_OUT, SOLD_AGAIN, _ALERT_TYPES["low_stock"]})
#: How the ids of such alerts begin: alerts.alert_id.
_STOCK_ALERTS = ("low_stock-", "shortage-")
#: What a reservation's new state is called.
_STATES = {"held": "created", "done": "fulfilled"} | {
    state: state for state in ("rejected", "committed", "released", "expired")
}
_MOVEMENTS = {
    "receipt": "receipt.recorded", "shipment": "shipment.recorded", "return": "return.recorded",
    "adjustment": "inventory.adjusted",
}  # fmt: skip
TYPES = (
    AVAILABILITY, SOLD_OUT, SOLD_AGAIN, *_ALERT_TYPES.values(), "alert.opened", "alert.closed",
    *(f"reservation.{word}" for word in _STATES.values()), *_MOVEMENTS.values(),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the change feed. `key` is what it is about, such as `main/VALVE-25`."""

    feed_seq: int
    channel: str
    key: str
    body: str


@dataclass(frozen=True, slots=True)
class Message:
    """What to send. Of `level` messages only the newest of a key matters; others are all sent."""

    type: str
    key: str
    site: str | None
    data: dict[str, Any]
    level: bool


def message_of(change: Change) -> Message | None:
    """Return what a change says; None when it is not for webhooks."""
    data: dict[str, Any] = json.loads(change.body) if change.body else {}
    match change.channel:
        case "availability":
            return Message(AVAILABILITY, change.key, data["site"], data, level=True)
        case "alert" if not data:
            return Message("alert.closed", change.key, None, {"id": change.key}, level=False)
        case "alert":
            kind = _ALERT_TYPES.get(data["kind"], "alert.opened")
            return Message(kind, change.key, data.get("site"), data, level=False)
        case "reservation":
            kind = f"reservation.{_STATES[data['state']]}"
            return Message(kind, str(data["id"]), data["site"], data, level=False)
        case "movement":
            kind = _MOVEMENTS[data.pop("kind")]
            return Message(kind, data["site"], data["site"], data, level=False)
        case "turn":
            kind = SOLD_OUT if data.pop("sold_out") else SOLD_AGAIN
            return Message(kind, change.key, data["site"], data, level=False)
        case _:
            return None


def shown_to(channel: str | None, message: Message) -> Message | None:
    """Return what a reader who is bound to a channel may see of a message; None: nothing.

    Without a channel that is all of it. With one: the stock, which all channels share, and the
    channel's own reservations. Which orders a shortage fails, /v1/shortages tells each by itself.
    """
    if channel is None or message.type in _STOCK_TYPES:
        return message
    if message.type.startswith("reservation."):
        return message if message.data["channel"] == channel else None
    if message.type == _ALERT_TYPES["shortage"]:
        return replace(message, data={k: v for k, v in message.data.items() if k != "detail"})
    is_of_stock = message.type == "alert.closed" and message.key.startswith(_STOCK_ALERTS)
    return message if is_of_stock else None


def wants(types: list[str], site: str | None, message: Message) -> bool:
    """Return whether an endpoint with this choice of types and site hears a message."""
    right_site = site is None or message.site is None or site == message.site
    return right_site and (not types or message.type in types)
