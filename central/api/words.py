"""What the names in requests and answers mean: one word, one meaning, wherever it is met.

The description at /docs takes from here what a field or parameter does not say itself.
"""

from typing import Any

from fastapi import FastAPI

WORDS = {
    "acknowledged_at": "since when somebody takes care of it, RFC 3339, UTC; null: nobody does",
    "acknowledged_by": "who takes care of it; null: nobody does",
    "active": "false: in use no more",
    "alert_id": "id of an open alert",
    "applied_seq": "all events up to this number are in the ledger",
    "attempts": "how often it was sent",
    "buffer": "eaches kept back from this channel",
    "by": "name of a person",
    "cap": "eaches that the channel may promise in all; null: no bound",
    "channel": "who sells, such as webshop",
    "code": "what is wrong, for programs",
    "created": "when it was made, RFC 3339, UTC",
    "cursor": "place in the change feed",
    "data": "what changed; the fields depend on the type, see docs/api.md",
    "description": "in your own words",
    "detail": "what to do about it",
    "done": "when it ended, RFC 3339, UTC; null: not yet",
    "each_per": "eaches that one label stands for",
    "entries": "what it moved",
    "entry": "number of an entry, as /v1/events has it",
    "epoch": "which outbox of the gateway: its numbers begin anew when its disk was lost",
    "failures": "attempts in a row that failed",
    "from_cursor": "number of a place in the feed, as `cursor` of a delivery; 0: all of it",
    "gateway": "name of a dock's gateway; api:NAME for a client of this API",
    "gateways": "how far each outbox is applied",
    "id": "names it for ever",
    "items": "the rows of this page",
    "key": "what it is about: messages of one key arrive in order",
    "kind": "what kind it is of",
    "limit": "rows of a page, at most",
    "lines": "the lines, each by itself",
    "location": "code of a place within the site",
    "locations": "where it lies",
    "lot": "lot or batch number; empty: none",
    "message": "what is wrong, for people",
    "messages": "how many are sent again",
    "name": "what people read",
    "next_cursor": "replay from here for what follows; null: nothing does",
    "next_try": "when it is sent again, RFC 3339, UTC",
    "note": "in somebody's own words",
    "number": "its number",
    "old_secret_until": "until when the secret before signs, too; RFC 3339, UTC",
    "order_ref": "the shop's own reference, such as 1001; null: none",
    "quantity": "eaches: single pieces",
    "reason": "why, of a closed list; say the rest in `note`",
    "ref": "URI of its cause, such as po:123",
    "rejected": "events that are recorded, but could not be booked",
    "reservation": "number of the reservation",
    "reservations": "the reservations of the order, one for each site",
    "results": "one for each line, in their order",
    "scanner": "name of the scanner at its gateway",
    "secret": "signs what is sent; begins with whsec_, shown only here",
    "seq": "number of the event in its outbox, without holes",
    "settled": "how a held event ended; null: it waits, or was never held",
    "severity": "info, warning or critical",
    "site": "code of a site, such as main",
    "sites": "what can be promised, at each site",
    "sku": "the item's number, ours",
    "state": "where it stands",
    "status": "HTTP status of the last answer; null: there was none",
    "title": "what is the matter",
    "to": "location, or SUPPLIER, CUSTOMER, ADJUST, SCRAP",
    "to_location": "code of the place that goods were moved to",
    "to_site": "code of the site that goods were moved to; left out: within the site",
    "took_ms": "how long the answer took, milliseconds",
    "type": "type of message, see docs/api.md",
    "types": "types of messages to send, see docs/api.md; empty: all",
    "url": "https address that messages are sent to",
    "version": "which Docktally runs",
    "wait": "seconds to wait for something to change, at most",
    "webhook": "number of the webhook",
}


def describe(app: FastAPI) -> None:
    """Let the application describe what its fields and parameters leave out."""
    make = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            _fill_in(make())
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign]


def silent(description: dict[str, Any]) -> list[str]:
    """Return the fields and parameters that a description says nothing about."""
    return [where for where, said in _said(description) if "description" not in said]


def _fill_in(description: dict[str, Any]) -> None:
    for where, said in _said(description):
        word = WORDS.get(where.rpartition(".")[2])
        if word is not None:
            said.setdefault("description", word)


def _said(description: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return every field and parameter as (where, what is said of it)."""
    schemas = description.get("components", {}).get("schemas", {})
    fields = [
        (f"{schema}.{name}", said)
        for schema, whole in schemas.items()
        if schema not in {"HTTPValidationError", "ValidationError"}
        for name, said in whole.get("properties", {}).items()
    ]
    parameters = [
        (f"{method} {path}.{said['name']}", said)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
        for said in operation.get("parameters", ())
    ]
    return fields + parameters
