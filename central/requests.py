"""Answers to programs, and the rule that a request repeated under its key is one request."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import bindparam, delete, select, tuple_, update

from central import database, schema
from central.writer import Transaction

#: A key gets its first answer again for this long.
KEPT_US = 48 * 3600 * 1_000_000
#: Old answers removed by one transaction.
_PORTION = 5_000

_answer = schema.answer
_MINE = (_answer.c.client == bindparam("c"), _answer.c.key == bindparam("k"))
_KNOWN = select(_answer).where(*_MINE)
_ANSWERED = update(_answer).where(*_MINE).values(status=bindparam("s"), body=bindparam("b"))
_FORGOTTEN = delete(_answer).where(*_MINE)
#: By dialect, made at the first use: making a statement costs more than running it.
_claims: dict[str, Any] = {}

#: Refusals that stand; the others were never judged (bad request, unknown name) and may be mended.
_STANDING = 409


@dataclass(frozen=True, slots=True)
class Answer:
    """What to tell a program: an HTTP status and a JSON body."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and under which Idempotency-Key."""

    client: str
    key: str


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    """Return a refusal in the form of RFC 9457."""
    title = code.replace("_", " ")
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return Answer(status, body | more)


KEY_REUSED = problem(422, "key_reused", "this Idempotency-Key was used for another request")


def fingerprint(*content: object) -> str:
    """Return what must be the same when a key is used again."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def forget_old(tx: Transaction) -> int:
    """Remove a portion of the answers that are older than KEPT_US; return how many."""
    old = (
        select(_answer.c.client, _answer.c.key)
        .where(_answer.c.created_us < tx.now_us - KEPT_US)
        .order_by(_answer.c.created_us)
        .limit(_PORTION)
    )
    return tx.connection.execute(
        delete(_answer).where(tuple_(_answer.c.client, _answer.c.key).in_(old))
    ).rowcount


def once(tx: Transaction, caller: Caller, request: Any, command: Callable[[], Answer]) -> Answer:
    """Run a command once for each key of a client; a repetition gets the first answer.

    `request` is a dataclass: other content under the same key is refused.
    """
    content = fingerprint(type(request).__name__, asdict(request))
    mine = {"c": caller.client, "k": caller.key}
    dialect = tx.connection.dialect.name
    if dialect not in _claims:
        new = database.insert_or_ignore(tx.connection, _answer)
        _claims[dialect] = new.returning(_answer.c.key)
    row = {
        "client": caller.client, "key": caller.key, "req_hash": content,
        "status": 0, "body": "", "created_us": tx.now_us,
    }  # fmt: skip
    if tx.connection.execute(_claims[dialect], row).first() is None:
        known = tx.connection.execute(_KNOWN, mine).one()
        if known.req_hash != content:
            return KEY_REUSED
        return Answer(known.status, json.loads(known.body))
    answer = command()
    stands = answer.status < 400 or answer.status == _STANDING
    if stands:
        told = {"s": answer.status, "b": json.dumps(answer.body)}
        tx.connection.execute(_ANSWERED, mine | told)
    else:
        tx.connection.execute(_FORGOTTEN, mine)
    return answer
