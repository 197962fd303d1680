"""What the webhooks of shops say: recorded ones, strange ones, unsigned ones."""

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central import signing
from central.channel_config import Channel
from central.channels import generic, hook_reader, shopify, woocommerce
from central.channels.order_events import OrderEvent, Unsigned, Unusable
from wire.events import QUANTITY_MAX

PAYLOADS = Path(__file__).parent.parent / "data" / "shops"


def payload(name: str) -> bytes:
    """Return a recorded webhook body."""
    return (PAYLOADS / f"{name}.json").read_bytes()


def signed(body: bytes, header: str, secret: str = "s3cret") -> dict[str, str]:
    """Return the signature header that the shop would send."""
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    return {header: base64.b64encode(digest).decode()}


def from_shopify(topic: str, body: bytes) -> list[OrderEvent]:
    """Read a webhook of Shopify."""
    headers = {"x-shopify-topic": topic, "x-shopify-event-id": "event-1"}
    return shopify.read(
        headers | signed(body, "x-shopify-hmac-sha256"), body, ["old secret", "s3cret"]
    )


def from_woo(topic: str, body: bytes) -> list[OrderEvent]:
    """Read a webhook of WooCommerce."""
    headers = {"x-wc-webhook-topic": topic} | signed(body, "x-wc-webhook-signature")
    return woocommerce.read(headers, body, ["s3cret"])


def test_shopify_orders_are_understood() -> None:
    """Created, cancelled, fulfilled: the step, the order, the pieces of each SKU, the moment."""
    order, noon = "820982911946154508", 1_778_688_000_000_000
    body = payload("shopify_orders_create")
    assert from_shopify("orders/create", body) == [
        OrderEvent(
            f"approved:{order}", "approved", order, {"VALVE": 3, "HOSE": 1}, at_us=noon,
            label="#9999",
        )
    ]  # fmt: skip
    ended = body.replace(b'"cancelled_at": null', b'"cancelled_at": "2026-05-13T16:00:00Z"')
    assert from_shopify("orders/create", ended) == []
    assert from_shopify("orders/cancelled", ended) == [
        OrderEvent(f"cancelled:{order}", "cancelled", order, {}, at_us=noon, label="#9999")
    ]
    shipped = from_shopify("fulfillments/create", payload("shopify_fulfillments_create"))
    at_us = noon + (3 * 3_600 + 40 * 60 + 10) * 1_000_000
    assert shipped == [OrderEvent("shipped:123456", "shipped", order, {"VALVE": 2}, at_us=at_us)]
    assert from_shopify("app/uninstalled", b"{}") == []


def test_woocommerce_orders_are_understood() -> None:
    """What counts is the order's status; the ping of a new webhook says nothing."""
    order = json.loads(payload("woocommerce_order"))
    for status, step in (
        ("processing", "approved"), ("on-hold", "approved"), ("completed", "shipped"),
        ("cancelled", "cancelled"), ("failed", "cancelled"), ("refunded", "cancelled"),
    ):  # fmt: skip
        events = from_woo("order.updated", json.dumps(order | {"status": status}).encode())
        assert [(event.step, event.order_ref) for event in events] == [(step, "727")]
    (approved,) = from_woo("order.created", payload("woocommerce_order"))
    assert (approved.lines, approved.whole) == ({"VALVE": 2, "HOSE": 1}, True)
    assert from_woo("order.created", json.dumps(order | {"status": "pending"}).encode()) == []
    assert woocommerce.read({}, b"webhook_id=5", ["s3cret"]) == []


def test_generic_events_are_understood() -> None:
    """Any program can sign an event of its own."""
    secret = signing.secret_of(bytes(32))
    body = json.dumps(
        {"type": "order.approved", "data": {"order": "7", "lines": [{"sku": "A", "quantity": 2}]}}
    ).encode()
    headers = signing.headers([secret], "msg_1", 1_000, body)
    assert generic.read(headers, body, [secret], 1_000) == [
        OrderEvent("msg_1", "approved", "7", {"A": 2}, label="7")
    ]
    other = b'{"type":"weather.changed","data":{"order":"7"}}'
    assert generic.read(signing.headers([secret], "m", 1_000, other), other, [secret], 1_000) == []


@pytest.mark.parametrize("read", [from_shopify, from_woo])
@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"\xff", b'{"line_items": 5, "id": 1}'])
def test_what_is_no_order_is_said_so(read: Callable[..., Any], body: bytes) -> None:
    """A body that the shop would not send is refused with a sentence, never a crash."""
    with pytest.raises(Unusable):
        read("orders/create" if read is from_shopify else "order.created", body)


def test_a_line_without_sku_goes_by_its_name() -> None:
    """It was sold: the order waits for a person, who reads what it is; the rest is understood."""
    order = json.loads(payload("shopify_orders_create"))
    order["line_items"][0] |= {"sku": None, "title": "Ball valve\0"}
    (event,) = from_shopify("orders/create", json.dumps(order).encode())
    assert event.lines == {"(no SKU) Ball valve\N{SYMBOL FOR NULL}": 2, "HOSE": 1, "VALVE": 1}


def test_a_payment_that_is_tried_again_is_the_newest_word() -> None:
    """WooCommerce says failed, then processing: each with when, so the last one counts."""
    order = json.loads(payload("woocommerce_order"))
    said = [
        from_woo("order.updated", json.dumps(order | changes).encode())[0]
        for changes in (
            {"status": "failed", "date_modified_gmt": "2026-03-22T15:30:00"},
            {"status": "processing", "date_modified_gmt": "2026-03-22T15:31:00"},
            {"status": "processing", "date_modified_gmt": "2026-03-22T15:32:00"},
        )
    ]
    assert [event.step for event in said] == ["cancelled", "approved", "approved"]
    assert len({event.id for event in said}) == 3
    assert said[1].at_us == (said[0].at_us or 0) + 60_000_000


def test_what_no_warehouse_sees_is_left_out() -> None:
    """Vouchers and services by their SKU; an order of nothing else says nothing."""
    order = json.loads(payload("woocommerce_order"))
    for ignored, lines in (
        (["HO*"], [{"VALVE": 2}]), (["*"], []), (["valve"], [{"VALVE": 2, "HOSE": 1}]),
    ):  # fmt: skip
        woo = Channel(
            name="woo", kind="woocommerce", site="main", secrets=["s3cret"], push=False,
            ignore=ignored,
        )  # fmt: skip
        body = json.dumps(order).encode()
        headers = {"x-wc-webhook-topic": "order.created"} | signed(body, "x-wc-webhook-signature")
        assert [event.lines for event in hook_reader.read(woo, headers, body, 0)] == lines


def test_unsigned_requests_are_strangers() -> None:
    """Without the right signature nothing is believed."""
    body = payload("shopify_orders_create")
    with pytest.raises(Unsigned):
        shopify.read(signed(body, "x-shopify-hmac-sha256", "wrong"), body, ["s3cret"])
    with pytest.raises(Unsigned):
        woocommerce.read({"x-wc-webhook-topic": "order.created"}, body, ["s3cret"])
    with pytest.raises(Unsigned):
        generic.read({}, b"{}", [signing.secret_of(bytes(32))], 0)


#: Values that a strange shop could have in any place of an order.
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]),
    st.just({}), st.just([{}]), st.sampled_from(["2026-03-22T16:28:02", "processing", "success"]),
)  # fmt: skip


@given(st.data())
def test_no_order_is_strange_enough_to_break_us(data: st.DataObject) -> None:
    """A recorded order with odd values in some places is understood, or refused with a sentence;
    what is understood can be stored."""
    name, topic, read = data.draw(
        st.sampled_from(
            [
                ("shopify_orders_create", "orders/create", from_shopify),
                ("shopify_orders_create", "orders/cancelled", from_shopify),
                ("shopify_fulfillments_create", "fulfillments/create", from_shopify),
                ("woocommerce_order", "order.updated", from_woo),
                ("woocommerce_order", "order.deleted", from_woo),
            ]
        )
    )
    order = json.loads(payload(name))
    for _ in range(data.draw(st.integers(1, 3))):
        part = data.draw(st.sampled_from([order, *order["line_items"]]))
        more = ("date_modified_gmt", "cancelled_at", "current_quantity", "number", "name")
        key = data.draw(st.sampled_from([*(k for k in part if k != "line_items"), *more]))
        part[key] = data.draw(ODD)
    events: list[OrderEvent] = []
    with contextlib.suppress(Unusable):
        events = read(topic, json.dumps(order).encode())
    for event in events:
        assert event.order_ref not in ("", "None", "True", "{}", "[]")
        for text in (event.id, event.order_ref, event.label, *event.lines):
            assert "\0" not in text
            text.encode()
        assert all(0 < quantity <= QUANTITY_MAX for quantity in event.lines.values())
        assert event.at_us is None or abs(event.at_us) < 2**63
