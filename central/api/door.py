"""How routes reach the ledger: reads in a snapshot, writes through the one writer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse
from sqlalchemy import Engine

from central import requests
from central.api.access import Access
from central.api.problems import response
from central.requests import Answer, problem
from central.tokens import Caller
from central.writer import Command, Transaction, Writer
from wire.errors import Unavailable

KEY_LENGTH_MAX = 255
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_LENGTH_MAX,
        description="The same key always gets the first answer again; make a new one (a UUID) for "
        "each thing you want done once.",
    ),
]


@dataclass(frozen=True, slots=True)
class Door:
    """What every route needs."""

    writer: Writer
    reader: Engine
    access: Access

    async def do(self, command: Command) -> JSONResponse:
        """Run a command that is safe to repeat; return its answer."""
        return await self.tell(self.writer.submit(command))

    async def tell(self, decision: Awaitable[Answer]) -> JSONResponse:
        """Return an answer once it is there."""
        try:
            answer = await decision
        except Unavailable as error:
            answer = problem(503, "unavailable", str(error))
        return response(answer)

    async def once(
        self, caller: Caller, key: str, request: Any, command: Callable[[Transaction], Answer]
    ) -> JSONResponse:
        """Run a command unless this caller's key was used: then return what was answered then.

        `request` is a dataclass: what must be the same when the key is used again.
        """
        who = requests.Caller(caller.name, key)
        return await self.do(lambda tx: requests.once(tx, who, request, lambda: command(tx)))
