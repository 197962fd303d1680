"""How routes reach the ledger: reads in a snapshot, writes through the one writer, keys once."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse
from sqlalchemy import Engine, delete, insert, select

from central import schema
from central.answers import Answer, problem
from central.api.access import Access
from central.api.problems import response
from central.tokens import Caller
from central.writer import Command, Transaction, Writer
from wire.errors import Unavailable

#: A stored answer is kept at least this long; who repeats a request a day later has lost it.
ANSWERS_KEPT_US = 48 * 3600 * 1_000_000
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
        try:
            answer: Answer = await self.writer.submit(command)
        except Unavailable as error:
            answer = problem(503, "unavailable", str(error))
        return response(answer)

    async def once(self, caller: Caller, key: str, content: Any, command: Command) -> JSONResponse:
        """Run a command unless this caller's key was used: then return what was answered then.

        `content` is what must be the same when the key is used again.
        """
        wanted = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return await self.do(lambda tx: _once(tx, caller.name, key, wanted, command))


def _once(tx: Transaction, caller: str, key: str, wanted: str, command: Command) -> Answer:
    table = schema.answered
    known = tx.connection.execute(
        select(table).where(table.c.caller == caller, table.c.key == key)
    ).first()
    if known is not None:
        if known.req_hash != wanted:
            return problem(422, "key_reused", "this Idempotency-Key was used for another request")
        return Answer(known.status, json.loads(known.body))
    answer: Answer = command(tx)
    tx.connection.execute(
        insert(table).values(
            caller=caller,
            key=key,
            req_hash=wanted,
            status=answer.status,
            body=json.dumps(answer.body),
            created_us=tx.now_us,
        )
    )
    return answer


def forget_answers(tx: Transaction) -> int:
    """Delete answers that nobody will ask for again; return how many."""
    table = schema.answered
    return tx.connection.execute(
        delete(table).where(table.c.created_us < tx.now_us - ANSWERS_KEPT_US)
    ).rowcount
