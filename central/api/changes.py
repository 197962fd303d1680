"""The change feed: what changed behind a cursor, as pages, as a long poll, as Server-Sent Events.

Everything that is told over MQTT and webhooks is in it, in the same order. A reader keeps the
newest cursor it has worked on, and misses nothing however long it was away, as long as the feed
reaches back that far.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import Engine

from central import deliveries, outbox
from central.api.answers import says
from central.api.door import Door
from central.api.pages import seal, unseal
from central.feed_messages import Change, message_of, shown_to
from central.tokens import Caller

WAIT_MAX_S = 60.0
_CHANGES_MAX = 1_000
#: Another central may have numbered rows without telling this one: the database is asked, too.
_LOOK_S = 0.25
#: A proxy that sees nothing for longer closes the connection.
_HEARTBEAT_S = 15.0


_AFTER = "`cursor` of an earlier answer: what you have worked on"


class Feed:
    """Wakes those who wait for news. `advance` hears of every newly numbered row."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def advance(self) -> None:
        """There is something new."""
        self._news.set()
        self._news = asyncio.Event()

    async def wait(self, timeout_s: float) -> None:
        """Return when there is something new, or after a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()


class ShownChange(BaseModel):
    """Something that changed."""

    cursor: Annotated[str, Field(description="come back with it as `after` once this is done")]
    type: str
    data: dict[str, Any]


class Changes(BaseModel):
    """What changed, in order."""

    items: list[ShownChange]
    cursor: Annotated[str, Field(description="come back with it as `after`")]


def routes(door: Door, feed: Feed) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/changes", tags=["changes"])
    may, reader = door.access.need("stock:read"), door.reader

    @router.get("", **says(Changes))
    async def changes(
        caller: Annotated[Caller, may],
        after: Annotated[str, Query(max_length=100, description=_AFTER)] = "",
        wait: Annotated[float, Query(ge=0, le=WAIT_MAX_S, description="seconds")] = 0,
        limit: Annotated[int, Query(ge=1, le=_CHANGES_MAX)] = 100,
    ) -> dict[str, Any]:
        """List what changed behind `after`, the `cursor` of an earlier answer.

        Without `after`: nothing, and the cursor of now. With `wait`, an answer that would be empty
        comes as soon as there is something, or after so many seconds. 410 when the feed does not
        reach back that far: read the stock anew and go on from now. A token that is bound to a
        channel sees of others no reservations, and no movements; of alerts those about stock.
        """
        if not after:
            return {"items": [], "cursor": seal(await asyncio.to_thread(_newest, reader))}
        cursor = unseal(after, int)[0]
        found, cursor = await _read(reader, feed, (cursor, limit), wait, caller.channel)
        return {"items": found, "cursor": seal(cursor)}

    @router.get("/stream", response_class=StreamingResponse)
    async def stream(
        caller: Annotated[Caller, may],
        after: Annotated[str, Query(max_length=100, description=_AFTER)] = "",
        last_event_id: Annotated[
            str, Header(max_length=100, description="`id` of the last event that you have")
        ] = "",
    ) -> StreamingResponse:
        """Stream what changes, as Server-Sent Events; `id` is the cursor to come back with."""
        begin = last_event_id or after
        cursor = unseal(begin, int)[0] if begin else await asyncio.to_thread(_newest, reader)
        await asyncio.to_thread(_check, reader, cursor)
        return StreamingResponse(
            _events(reader, feed, cursor, caller.channel),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


async def _read(
    reader: Engine, feed: Feed, page: tuple[int, int], wait_s: float, channel: str | None
) -> tuple[list[dict[str, Any]], int]:
    """Return what a caller may see behind a cursor, at most so many, and how far that reaches."""
    end_s = time.monotonic() + wait_s
    cursor, limit = page
    await asyncio.to_thread(_check, reader, cursor)
    while True:
        rows = await asyncio.to_thread(_after, reader, cursor, limit)
        cursor = rows[-1].feed_seq if rows else cursor
        found = _visible(rows, channel)
        left_s = end_s - time.monotonic()
        if found or (left_s <= 0 and len(rows) < limit):
            return found, cursor
        if not rows:
            await feed.wait(min(left_s, _LOOK_S))


async def _events(
    reader: Engine, feed: Feed, cursor: int, channel: str | None
) -> AsyncIterator[str]:
    beat_s = time.monotonic()
    yield ": welcome\n\n"
    while True:
        rows = await asyncio.to_thread(_after, reader, cursor, _CHANGES_MAX)
        for shown in _visible(rows, channel):
            data = json.dumps(shown["data"], separators=(",", ":"))
            yield f"id: {shown['cursor']}\nevent: {shown['type']}\ndata: {data}\n\n"
            beat_s = time.monotonic()
        if rows:
            cursor = rows[-1].feed_seq
        if time.monotonic() - beat_s > _HEARTBEAT_S:
            beat_s = time.monotonic()
            yield ": still here\n\n"
        await feed.wait(_LOOK_S)


def _visible(rows: list[Change], channel: str | None) -> list[dict[str, Any]]:
    """Return what a caller who is bound to a channel may see; with None, everything."""
    told = ((row.feed_seq, message_of(row)) for row in rows)
    shown = ((seq, message and shown_to(channel, message)) for seq, message in told)
    return [
        {"cursor": seal(seq), "type": message.type, "data": message.data}
        for seq, message in shown
        if message is not None
    ]


def _after(reader: Engine, cursor: int, limit: int) -> list[Change]:
    with reader.begin() as connection:
        return deliveries.changes_after(connection, cursor, limit)


def _newest(reader: Engine) -> int:
    with reader.begin() as connection:
        return outbox.newest(connection)


def _check(reader: Engine, cursor: int) -> None:
    """Raise HTTP 410 when rows right behind the cursor may be gone, or it is of another ledger."""
    with reader.begin() as connection:
        known = outbox.floor(connection) <= cursor <= outbox.newest(connection)
    if not known:
        raise HTTPException(
            410, "the feed does not have what follows this cursor: read /v1/stock and begin anew"
        )
