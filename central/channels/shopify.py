"""Shopify: its webhooks, and the GraphQL calls that set what it may sell. Pure.

Webhooks are signed with the app's secret over the raw body (X-Shopify-Hmac-Sha256, base64); the
shop sends one again until it is answered within five seconds.
Quantities are set by compare-and-set: each names the quantity it replaces (changeFromQuantity,
required since API version 2026-04), and the whole call carries a key against doubles.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from central.channels.order_events import (
    OrderEvent,
    OrderStep,
    Unsigned,
    Unusable,
    lines_of,
    moment_of,
    number_of,
    text_of,
)

API_VERSION = "2026-04"
#: Quantities that one call may set.
QUANTITIES_MAX = 250
#: SKUs that one call looks up: a search term may not become too long.
LOOKUP_MAX = 50
STALE = "CHANGE_FROM_QUANTITY_STALE"
_THROTTLED = "THROTTLED"
_SET = """\
mutation set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    userErrors { field code message }
  }
}"""
_FIND = """\
query find($search: String!, $location: ID!, $first: Int!) {
  productVariants(first: $first, query: $search) {
    nodes {
      sku
      inventoryItem {
        id
        inventoryLevel(locationId: $location) { quantities(names: ["available"]) { quantity } }
      }
    }
  }
}"""


@dataclass(frozen=True, slots=True)
class Level:
    """What the shop may sell of an item now, and the item's id there."""

    sku: str
    remote_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Throttled(Exception):
    """The shop wants us to wait."""

    wait_s: float


def read(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> list[OrderEvent]:
    """Return what a webhook says; raise Unsigned or Unusable. Other topics say nothing."""
    given = headers.get("x-shopify-hmac-sha256", "")
    rights = (base64.b64encode(hmac.digest(s.encode(), body, hashlib.sha256)) for s in secrets)
    if not any(hmac.compare_digest(right, given.encode()) for right in rights):
        raise Unsigned("X-Shopify-Hmac-Sha256 is not the signature of this body with our secret")
    try:
        return _said(headers.get("x-shopify-topic", ""), json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unusable(f"this is no order of Shopify: {error!r}") from error


def _said(topic: str, order: dict[str, Any]) -> list[OrderEvent]:
    # An order is created and cancelled once, a fulfillment created once. Their own numbers are in
    # what is signed; the ids of the headers are not, and differ between two subscriptions.
    match topic:
        case "orders/create" | "orders/cancelled":
            ref, label = number_of(order["id"]), text_of(order.get("name") or order["id"])
            step: OrderStep = "approved" if topic == "orders/create" else "cancelled"
            lines: dict[str, int] = {}
            moment = order.get("cancelled_at")
            if step == "approved":
                if moment:
                    return []  # it was over before we heard of it
                moment, lines = order.get("created_at"), _lines(order["line_items"])
                if not lines:
                    return []  # gift cards and services only
            at_us = moment_of(moment)
            return [OrderEvent(f"{step}:{ref}", step, ref, lines, at_us=at_us, label=label)]
        case "fulfillments/create" if order.get("status") in ("success", "pending", "open"):
            lines, ref = _lines(order["line_items"]), number_of(order["order_id"])
            identity, at_us = (
                f"shipped:{number_of(order['id'])}",
                moment_of(order.get("created_at")),
            )
            return [OrderEvent(identity, "shipped", ref, lines, at_us=at_us)] if lines else []
        case _:
            return []


def _lines(found: Any) -> dict[str, int]:
    return lines_of(
        (line.get("sku"), line.get("current_quantity", line["quantity"]), line.get("title"))
        for line in found
        if line.get("requires_shipping", True)
    )


def find_call(skus: Sequence[str], location: str) -> dict[str, Any]:
    """Return the call that looks up items by SKU."""
    terms = " OR ".join(f"sku:{json.dumps(sku)}" for sku in skus)
    variables = {"search": terms, "location": location, "first": 2 * LOOKUP_MAX}
    return {"query": _FIND, "variables": variables}


def levels_in(answer: Mapping[str, Any]) -> dict[str, Level]:
    """Return the items found, by SKU; raise Throttled or Unusable."""
    data = _data(answer)
    found = {}
    for node in data["productVariants"]["nodes"]:
        item, level = node["inventoryItem"], node["inventoryItem"]["inventoryLevel"]
        if level is not None:  # else it is not stocked at that location
            quantity = level["quantities"][0]["quantity"]
            found[node["sku"]] = Level(node["sku"], item["id"], quantity)
    return found


def set_call(wanted: Sequence[tuple[Level, int]], location: str, key: str) -> dict[str, Any]:
    """Return the call that sets quantities, each in place of the one we know."""
    quantities = [
        {
            "inventoryItemId": level.remote_id,
            "locationId": location,
            "quantity": quantity,
            "changeFromQuantity": level.quantity,
        }
        for level, quantity in wanted
    ]
    given = {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": f"docktally://levels/{key}",
        "quantities": quantities,
    }
    return {"query": _SET, "variables": {"input": given, "key": key}}


def refused_in(answer: Mapping[str, Any]) -> dict[int, tuple[str, str]]:
    """Return (code, message) of each quantity that was not set, by its place in the call.

    A single refusal means that none of the call was set. Raises Throttled or Unusable.
    """
    errors = _data(answer)["inventorySetQuantities"]["userErrors"]
    return {_place(error["field"]): (error["code"] or "", error["message"]) for error in errors}


def _place(field: Sequence[str] | None) -> int:
    """Return the number in a path such as [input, quantities, 3, changeFromQuantity], else -1."""
    return next((int(part) for part in field or () if str(part).isdigit()), -1)


def _data(answer: Mapping[str, Any]) -> dict[str, Any]:
    for error in answer.get("errors", ()):
        if error.get("extensions", {}).get("code") == _THROTTLED:
            cost = answer.get("extensions", {}).get("cost", {})
            status = cost.get("throttleStatus", {})
            missing = cost.get("requestedQueryCost", 100) - status.get("currentlyAvailable", 0)
            raise Throttled(max(1.0, missing / max(1.0, status.get("restoreRate", 50.0))))
        raise Unusable(f"Shopify refuses the call: {error.get('message')}")
    data = answer.get("data")
    if not isinstance(data, dict):
        raise Unusable("Shopify's answer has no data")
    return data
