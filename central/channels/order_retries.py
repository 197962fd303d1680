"""Tries orders again that wait for something, once there is some of it."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from central.channel_config import Channel
from central.channels import order_desk
from central.writer import Writer
from wire.errors import Unavailable

log = logging.getLogger(__name__)

_LOOK_S = 1.0
#: What a bug makes of an order. One such order must not keep the others from going on.
_BUGS = (SQLAlchemyError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError)


async def retry_orders(writer: Writer, channels: Sequence[Channel]) -> None:
    """Do that until cancelled, each order in a transaction of its own."""
    named = {channel.name: channel for channel in channels}
    while named:
        await asyncio.sleep(_LOOK_S)
        try:
            for number in await writer.submit(partial(order_desk.hopeful, channels=named)):
                await _retry(writer, named, number)
        except Unavailable as error:
            log.warning("%s", error)
    await asyncio.Event().wait()


async def _retry(writer: Writer, named: dict[str, Channel], number: int) -> None:
    try:
        await writer.submit(partial(order_desk.retry, channels=named, number=number))
    except _BUGS:
        log.exception("order %d cannot be settled; look at it with GET /v1/shop-orders", number)
