"""Bearer tokens: stored as hashes, with scopes, and with a channel where they belong to a shop."""

import hashlib
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Connection, insert, select, update

from central import schema

Scope = Literal["stock:read", "reserve", "scan", "adjust", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_PREFIX = "dt_"
_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token stands for. `admin` includes every other scope."""

    name: str
    scopes: frozenset[str]
    channel: str | None


def create(
    connection: Connection, name: str, scopes: Collection[Scope], channel: str | None, now_us: int
) -> str:
    """Make a token and return it; only its hash is kept, so this is the only time it is seen."""
    token = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    connection.execute(
        insert(schema.token).values(
            hash=_hash(token),
            name=name,
            scopes=json.dumps(sorted(scopes)),
            channel=channel,
            created_us=now_us,
        )
    )
    return token


def revoke(connection: Connection, name: str, now_us: int) -> int:
    """End every token of this name; return how many there were."""
    table = schema.token
    ended = connection.execute(
        update(table)
        .where(table.c.name == name, table.c.revoked_us.is_(None))
        .values(revoked_us=now_us)
    )
    return ended.rowcount


def find(connection: Connection, token: str) -> Caller | None:
    """Return who a token stands for; None when it is unknown or revoked."""
    table = schema.token
    row = connection.execute(
        select(table).where(table.c.hash == _hash(token), table.c.revoked_us.is_(None))
    ).first()
    if row is None:
        return None
    scopes = frozenset(json.loads(row.scopes))
    return Caller(row.name, frozenset(SCOPES) if "admin" in scopes else scopes, row.channel)


def any_alive(connection: Connection) -> bool:
    """Return whether there is any token that works."""
    table = schema.token
    return (
        connection.execute(select(table.c.id).where(table.c.revoked_us.is_(None)).limit(1)).first()
        is not None
    )


def all_of(connection: Connection) -> list[dict[str, Any]]:
    """Return every token without its secret, the newest last."""
    rows = connection.execute(select(schema.token).order_by(schema.token.c.id))
    return [
        {
            "name": row.name,
            "scopes": json.loads(row.scopes),
            "channel": row.channel,
            "revoked": row.revoked_us is not None,
        }
        for row in rows
    ]


def _hash(token: str) -> str:
    # The token is 256 random bits: a slow hash would protect nothing and cost each request.
    return hashlib.sha256(token.encode()).hexdigest()
