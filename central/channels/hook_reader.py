"""Which reader understands a webhook: one for each kind of channel. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from central.channel_config import Channel
from central.channels import generic, shopify, woocommerce
from central.channels.order_events import OrderEvent


def read(
    channel: Channel, headers: Mapping[str, str], body: bytes, now_s: float
) -> list[OrderEvent]:
    """Return what a webhook says about goods; raise Unsigned or Unusable.

    `headers` have lower-case names.
    """
    events = _read(channel, headers, body, now_s)
    return [each for event in events if (each := _of_goods(event, channel.ignore)) is not None]


def _read(
    channel: Channel, headers: Mapping[str, str], body: bytes, now_s: float
) -> list[OrderEvent]:
    match channel.kind:
        case "generic":
            return generic.read(headers, body, channel.secrets, now_s)
        case "shopify":
            return shopify.read(headers, body, channel.secrets)
        case "woocommerce":
            # Only what says nothing but "deleted" has no moment of its own.
            now_us = round(now_s * 1e6)
            return [
                event if event.at_us is not None else replace(event, at_us=now_us)
                for event in woocommerce.read(headers, body, channel.secrets)
            ]


def _of_goods(event: OrderEvent, ignored: Sequence[str]) -> OrderEvent | None:
    """Return the event without the lines that no warehouse sees; None when all are such."""
    if not event.lines or not ignored:
        return event
    goods = {
        sku: quantity
        for sku, quantity in event.lines.items()
        if not any(fnmatchcase(sku, pattern) for pattern in ignored)
    }
    return replace(event, lines=goods) if goods else None
