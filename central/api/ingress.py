"""Scans over HTTP, for devices without MQTT: the same events, the same dedupe, the same answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from central import intake
from central.api.answers import says
from central.api.door import Door
from central.api.problems import response
from central.requests import Answer, problem
from wire import codec
from wire.errors import Malformed, Unavailable
from wire.events import Batch, Rejected
from wire.ids import NAME_LENGTH_MAX
from wire.topics import RESERVED_GATEWAYS, RESERVED_SITES, Address

Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]

_REQUIRED = Batch.model_json_schema()["required"]
_CONTENT: dict[str, Any] = {
    "application/json": {"schema": {"type": "object", "required": _REQUIRED}}
}


class Taken(BaseModel):
    """The gateway's Ack: what is in the ledger, and what could not be booked."""

    applied_seq: int
    expect_seq: Annotated[int, Field(description="number of the event that must come next")]
    rejected: Annotated[
        list[Rejected], Field(description="recorded, but not booked: why, for the person there")
    ]


def routes(door: Door) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/v1", tags=["scans"], dependencies=[door.access.need("scan")])

    @router.post(
        "/events/{site:path}",
        **says(Taken),
        openapi_extra={"requestBody": {"required": True, "content": _CONTENT}},
    )
    async def events(site: Name, request: Request) -> JSONResponse:
        """Record scans: a Batch as docs/wire.md has it, at most 500 events.

        The answer is the gateway's Ack: all up to `applied_seq` is in the ledger, `rejected` says
        what could not be booked. 409 with `expect_seq` when earlier events are missing. Sending a
        batch again changes nothing.
        """
        return response(await _apply(door, site, await request.body()))

    return router


async def _apply(door: Door, site: str, payload: bytes) -> Answer:
    try:
        gateway = codec.decode(intake.Head, payload).gateway
        arrival = intake.arrival(Address("events", site, gateway), payload)
    except Malformed as error:
        return problem(422, "malformed", str(error))
    if site in RESERVED_SITES or gateway in RESERVED_GATEWAYS:
        return problem(422, "reserved_name", f"{site!r} or {gateway!r} has a meaning of its own")
    if len(arrival.events) + len(arrival.broken) > codec.BATCH_EVENTS_MAX:
        return problem(413, "too_large", f"a batch has at most {codec.BATCH_EVENTS_MAX} events")
    try:
        applied = (await door.writer.apply([arrival], borrowing=True))[0]
    except Unavailable as error:
        return problem(503, "unavailable", str(error))
    known = {"applied_seq": applied.applied_seq, "expect_seq": applied.applied_seq + 1}
    if applied.hole:
        detail = f"events from seq {applied.applied_seq + 1} on are missing; send them first"
        return problem(409, "hole", detail, **known)
    rejected = [each.model_dump(mode="json") for each in applied.rejected]
    return Answer(200, {**known, "rejected": rejected})
