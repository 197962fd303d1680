"""Orders of shops: which wait and for what, and a person's word on them; how the shops are."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import JSONResponse
from pydantic import Field

from central.api.access import channel_of
from central.api.door import Door
from central.api.pages import Cursor, Limit, page, unseal
from central.channel_config import Channel
from central.channels import order_desk, order_lists, push_list
from central.requests import Answer, problem
from central.tokens import Caller
from central.writer import Transaction
from wire.events import COUNT_MAX
from wire.ids import NAME_LENGTH_MAX

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


def routes(door: Door, channels: Mapping[str, Channel]) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["channels"])
    may_read, may_settle = door.access.need("stock:read"), door.access.need("adjust")

    @router.get("/shop-orders")
    def orders(
        caller: Annotated[Caller, may_read],
        state: Literal["waiting", "all"] = "waiting",
        channel: Annotated[str | None, Query(max_length=NAME_LENGTH_MAX)] = None,
        after: Cursor = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """List orders of shops, the newest first: what was said of each, and what it waits for."""
        wanted = channel_of(caller, channel) if channel or caller.channel else None
        below = max(0, min(unseal(after, int)[0], COUNT_MAX)) if after else None
        with door.reader.begin() as connection:
            found = order_lists.orders(
                connection, wanted, below, limit + 1, waiting=state == "waiting"
            )
        return page(found, limit, lambda row: (row["id"],))

    @router.post("/shop-orders/{number}/retry", response_model=None)
    async def retry(number: Number, caller: Annotated[Caller, may_settle]) -> JSONResponse:
        """Try again now to do what an order waits for; central does that by itself, too."""
        return await door.do(
            lambda tx: _foreign(tx, number, caller) or order_desk.retry(tx, channels, number)
        )

    @router.post("/shop-orders/{number}/dismiss", response_model=None)
    async def dismiss(number: Number, caller: Annotated[Caller, may_settle]) -> JSONResponse:
        """End the waiting of an order: it was dealt with otherwise."""
        return await door.do(
            lambda tx: _foreign(tx, number, caller) or order_desk.dismiss(tx, number)
        )

    _of_channels(door, channels, router)
    return router


def _of_channels(door: Door, channels: Mapping[str, Channel], router: APIRouter) -> None:
    may_read, may_settle = door.access.need("stock:read"), door.access.need("adjust")

    @router.get("/channels")
    def all_channels(caller: Annotated[Caller, may_read]) -> dict[str, Any]:
        """List the configured channels: how far each shop is behind, and how many orders wait."""
        mine = [c for c in channels.values() if caller.channel in (None, c.name)]
        with door.reader.begin() as connection:
            waiting = order_lists.count_waiting(connection)
            return {
                "items": [
                    {
                        "name": each.name,
                        "kind": each.kind,
                        "site": each.site,
                        "hears": bool(each.secrets),
                        "waiting_orders": waiting.get(each.name, 0),
                        "pushes": each.pushes,
                        **(push_list.state_of(connection, each) if each.pushes else {}),
                    }
                    for each in mine
                ]
            }

    @router.post("/channels/{channel}/push", response_model=None)
    async def push(
        channel: Annotated[str, Path(max_length=NAME_LENGTH_MAX)],
        caller: Annotated[Caller, may_settle],
    ) -> JSONResponse:
        """Set all quantities of a shop anew: something was changed there, or products were added.

        It takes a while; GET /v1/channels says how far it is.
        """
        known = channels.get(channel_of(caller, channel))
        if known is None or not known.pushes:
            raise HTTPException(404, f"there is no channel {channel} whose quantities we set")
        return await door.do(
            lambda tx: Answer(200, {"items": push_list.push_anew(tx.connection, channel)})
        )


def _foreign(tx: Transaction, number: int, caller: Caller) -> Answer | None:
    """Return a refusal when the order belongs to a channel that is not the caller's."""
    if caller.channel is None or order_lists.channel_of(tx.connection, number) == caller.channel:
        return None
    return problem(404, "no_such_order", f"there is no order {number}")
