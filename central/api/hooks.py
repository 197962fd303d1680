"""Where shops and label printers tell what happened to orders. A signature is the key to it."""

import logging
import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from central.api.door import Door
from central.api.limits import BODY_BYTES_MAX
from central.channel_config import Channel
from central.channels import hook_reader, misheard, order_desk
from central.channels.order_events import OrderEvent, Unsigned, Unusable
from central.requests import Answer, problem
from central.writer import Transaction
from wire.ids import NAME_LENGTH_MAX

log = logging.getLogger(__name__)

#: Headers in which shops say what a message is about: for people who look into a refusal.
_TOPICS = ("x-shopify-topic", "x-wc-webhook-topic")
_TOPIC_LENGTH_MAX = 100
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "Whatever the shop sends, as it is: the signature is over these bytes.",
    }
}


def routes(door: Door, channels: Mapping[str, Channel]) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/hooks", tags=["channels"])

    @router.post("/{channel}", response_model=None, openapi_extra=_BODY)
    async def hear(
        channel: Annotated[str, Path(max_length=NAME_LENGTH_MAX)], request: Request
    ) -> JSONResponse:
        """Take an event of a shop. Needs no token but the shop's signature; docs/api.md has all.

        Sent again it changes nothing. `state` is done, waiting (kept, and an alert says what for),
        repeated, or ignored.
        """
        known = channels.get(channel)
        if known is None or not known.secrets:
            raise HTTPException(404, f"there is no channel {channel} that takes webhooks")
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            body = await request.body()
        except ClientDisconnect as error:
            detail = f"a request has at most {BODY_BYTES_MAX} bytes"
            raise HTTPException(413, detail) from error
        try:
            events = hook_reader.read(known, headers, body, time.time())
        except Unsigned as error:
            log.warning("channel %s: unsigned request: %s", channel, error)
            raise HTTPException(401, str(error)) from error
        except Unusable as error:
            topic = next((headers[name] for name in _TOPICS if name in headers), "")
            reason = str(error)
            log.warning("channel %s: %s", channel, reason)
            return await door.do(
                lambda tx: _misheard(tx, known, topic[:_TOPIC_LENGTH_MAX], body, reason)
            )
        if not events:
            return JSONResponse({"state": "ignored"})
        return await door.do(lambda tx: _take(tx, known, events))

    return router


def _take(tx: Transaction, channel: Channel, events: list[OrderEvent]) -> Answer:
    answers = [order_desk.take(tx, channel, event) for event in events]
    return max(answers, key=lambda answer: answer.status)


def _misheard(tx: Transaction, channel: Channel, topic: str, body: bytes, reason: str) -> Answer:
    misheard.keep(tx, channel, topic, body, reason)
    if channel.kind == "generic":  # its programmer wants to know
        return problem(422, "unusable", reason)
    # A shop that is told no sends the same again, and after some refusals nothing any more.
    return Answer(202, {"state": "kept", "detail": reason})
