"""Which reader understands a webhook: one for each kind of channel. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from central.channel_config import Channel
from central.channels import generic, shopify, woocommerce
from central.channels.order_events import OrderEvent


def read(
    channel: Channel, headers: Mapping[str, str], body: bytes, now_s: float
) -> list[OrderEvent]:
    """Return what a webhook says; raise Unsigned or Unusable. `headers` have lower-case names."""
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
