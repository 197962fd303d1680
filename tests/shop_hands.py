"""What a shop says of its orders, in a test's hands."""

import itertools
from typing import Any

from central.channel_config import Channel
from central.channels import order_desk
from central.channels.order_events import OrderEvent, OrderStep
from central.requests import Answer
from ledgers import Site

_numbers = itertools.count(1)


def channel(**more: Any) -> Channel:
    """Return the configuration of a channel that only tells us of orders."""
    given = {"name": "web", "kind": "generic", "site": "main", "secrets_file": "x"}
    return Channel(**(given | more))


def event(step: OrderStep, order: str = "1001", /, **more: Any) -> OrderEvent:
    """Return something that a shop says of an order; lines by keyword `lines`."""
    identity = more.pop("id", "") or f"msg_{next(_numbers)}"
    return OrderEvent(identity, step, order, more.pop("lines", {}), **more)


async def say(site: Site, said: OrderEvent, at: Channel | None = None) -> Answer:
    """Let the shop say it."""
    return await site.run(order_desk.take, at or channel(), said)


async def again(site: Site, *channels: Channel) -> int:
    """Let central look which orders may go on, as it does each second."""
    named = {each.name: each for each in channels or (channel(),)}
    numbers = await site.writer.submit(lambda tx: order_desk.hopeful(tx, named))
    for number in numbers:
        await site.run(order_desk.retry, named, number)
    return len(numbers)
