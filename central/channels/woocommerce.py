"""WooCommerce: its webhooks, and the REST calls that set what it may sell. Pure.

Webhooks are signed with the webhook's own secret over the raw body (X-WC-Webhook-Signature,
base64). An order is sent whole with every change; what counts is its status.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

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

#: Products that one batch may change.
QUANTITIES_MAX = 100
_STEPS: dict[str, OrderStep] = {
    "processing": "approved",
    "on-hold": "approved",
    "completed": "shipped",
    "cancelled": "cancelled",
    "failed": "cancelled",
    "refunded": "cancelled",  # of what was not sent; what comes back is another matter
    "trash": "cancelled",
}
_TOPICS = ("order.created", "order.updated", "order.restored")


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the shop. A variation has a `parent`, else that is 0."""

    sku: str
    id: int
    parent: int
    quantity: int | None


def read(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> list[OrderEvent]:
    """Return what a webhook says; raise Unsigned or Unusable. Other topics say nothing."""
    if not headers.get("x-wc-webhook-topic") and body.startswith(b"webhook_id="):
        return []  # the ping that a new webhook is saved with; it is not signed
    given = headers.get("x-wc-webhook-signature", "")
    rights = (base64.b64encode(hmac.digest(s.encode(), body, hashlib.sha256)) for s in secrets)
    if not any(hmac.compare_digest(right, given.encode()) for right in rights):
        raise Unsigned("X-WC-Webhook-Signature is not the signature of this body with our secret")
    topic = headers.get("x-wc-webhook-topic", "")
    try:
        order = json.loads(body)
        if topic == "order.deleted":
            ref = number_of(order["id"])
            # It says when of nothing, and may be restored and deleted again.
            identity = f"{ref}:deleted:{headers.get('x-wc-webhook-delivery-id', '')}"
            return [OrderEvent(text_of(identity), "cancelled", ref, {}, label=ref)]
        step = _STEPS.get(order["status"]) if topic in _TOPICS else None
        return [] if step is None else _said(order, step)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unusable(f"this is no order of WooCommerce: {error!r}") from error


def _said(order: Mapping[str, Any], step: OrderStep) -> list[OrderEvent]:
    lines = {} if step == "cancelled" else _lines(order["line_items"])
    if not lines and step != "cancelled":
        return []
    # A payment that failed is often tried again: failed, then processing. So the state that the
    # order has is the one changed last, and one state may come several times.
    changed = order.get("date_modified_gmt") or order.get("date_created_gmt")
    happened = (order.get("date_completed_gmt") or changed) if step == "shipped" else changed
    ref = number_of(order["id"])
    return [
        OrderEvent(
            text_of(f"{ref}:{step}:{changed}"),
            step,
            ref,
            lines,
            whole=True,
            at_us=moment_of(happened),
            label=text_of(order.get("number") or ref),
        )
    ]


def _lines(found: Any) -> dict[str, int]:
    return lines_of((line.get("sku"), line["quantity"], line.get("name")) for line in found)


def find_path(sku: str) -> str:
    """Return the path that finds a product by its SKU."""
    return f"/wp-json/wc/v3/products?sku={quote(sku, safe='')}"


def product_in(answer: object, sku: str) -> Product | None:
    """Return the product in an answer to `find_path`; None when the shop has none."""
    found = [each for each in answer if each.get("sku") == sku] if isinstance(answer, list) else []
    if not found:
        return None
    one = found[0]
    return Product(sku, int(one["id"]), int(one.get("parent_id") or 0), one.get("stock_quantity"))


def set_calls(wanted: Sequence[tuple[Product, int]]) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls (path, body) that set quantities: one for products, one a parent."""
    groups: dict[int, list[dict[str, Any]]] = {}
    for product, quantity in wanted:
        change = {"id": product.id, "manage_stock": True, "stock_quantity": quantity}
        groups.setdefault(product.parent, []).append(change)
    base = "/wp-json/wc/v3/products"
    return [
        (f"{base}/{parent}/variations/batch" if parent else f"{base}/batch", {"update": changes})
        for parent, changes in groups.items()
    ]


def refused_in(answer: object) -> dict[int, str]:
    """Return what was not set, by product id, and why."""
    changes = answer.get("update", ()) if isinstance(answer, dict) else ()
    return {int(each["id"]): each["error"]["message"] for each in changes if "error" in each}
