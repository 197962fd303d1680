"""The webhooks that people register: commands for the writer, and what people see of them."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from central import deliveries, schema, signing
from central.feed_messages import TYPES
from central.guarded_http import Forbidden, Network, check_url
from central.requests import Answer, problem
from central.writer import Transaction

#: After a rotation both secrets sign for this long, so that receivers can change theirs.
OLD_SECRET_US = 24 * 3600 * 1_000_000
ENDPOINTS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to hear. No types means all, no site means all."""

    url: str
    types: tuple[str, ...] = ()
    site: str | None = None
    description: str = ""


def add(tx: Transaction, wish: Wish, allowed: Sequence[Network]) -> Answer:
    """Register an endpoint; the answer is the only one that holds its secret."""
    wrong = _wrong(wish.url, wish.types, allowed)
    if wrong is not None:
        return wrong
    table = schema.webhook
    if len(tx.connection.execute(select(table.c.id)).all()) >= ENDPOINTS_MAX:
        return problem(409, "too_many_webhooks", f"there are {ENDPOINTS_MAX}; delete some first")
    secret = signing.secret_of(secrets.token_bytes(signing.SECRET_BYTES))
    row = tx.connection.execute(
        insert(table)
        .values(
            url=wish.url,
            description=wish.description,
            secret=secret,
            types=json.dumps(wish.types),
            site=wish.site,
            state="active",
            created_us=tx.now_us,
        )
        .returning(table)
    ).one()
    return Answer(201, {**shown(row), "secret": secret})


def change(
    tx: Transaction, webhook: int, values: Mapping[str, Any], allowed: Sequence[Network]
) -> Answer:
    """Give an endpoint another url, types, site or description; what waits goes to the new one."""
    row = _row(tx.connection, webhook)
    if row is None:
        return _unknown(webhook)
    wrong = _wrong(values.get("url"), values.get("types") or (), allowed)
    if wrong is not None:
        return wrong
    stored = dict(values)
    if "types" in stored:
        stored["types"] = json.dumps(stored["types"])
    table = schema.webhook
    if stored:
        tx.connection.execute(update(table).where(table.c.id == webhook).values(**stored))
    return Answer(200, one(tx.connection, webhook) or {})


def _wrong(url: str | None, types: Sequence[str], allowed: Sequence[Network]) -> Answer | None:
    unknown = sorted(set(types) - set(TYPES))
    if unknown:
        return problem(422, "unknown_type", f"{unknown[0]!r} is none of: {', '.join(TYPES)}")
    try:
        if url is not None:
            check_url(url, allowed)
    except Forbidden as error:
        return problem(422, "forbidden_url", str(error))
    return None


def remove(tx: Transaction, webhook: int) -> Answer:
    """Forget an endpoint and what still waits for it."""
    if _row(tx.connection, webhook, alone=True) is None:
        return _unknown(webhook)
    tx.connection.execute(delete(schema.delivery).where(schema.delivery.c.webhook == webhook))
    tx.connection.execute(delete(schema.webhook).where(schema.webhook.c.id == webhook))
    tx.books.settle("delivery_failing", str(webhook))
    return Answer(200, {"id": webhook, "state": "deleted"})


def rotate(tx: Transaction, webhook: int) -> Answer:
    """Give an endpoint a new secret; the old one goes on to sign, too, for a day."""
    row = _row(tx.connection, webhook)
    if row is None:
        return _unknown(webhook)
    secret = signing.secret_of(secrets.token_bytes(signing.SECRET_BYTES))
    table = schema.webhook
    until_us = tx.now_us + OLD_SECRET_US
    tx.connection.execute(
        update(table)
        .where(table.c.id == webhook)
        .values(secret=secret, old_secret=row.secret, old_secret_until_us=until_us)
    )
    return Answer(200, {"id": webhook, "secret": secret, "old_secret_until": _time(until_us)})


def enable(tx: Transaction, webhook: int) -> Answer:
    """Send to an endpoint again. What it missed comes by a replay."""
    table = schema.webhook
    row = tx.connection.execute(
        update(table)
        .where(table.c.id == webhook)
        .values(state="active", note="", failures=0, next_us=0)
        .returning(table)
    ).first()
    if row is None:
        return _unknown(webhook)
    tx.books.settle("delivery_failing", str(webhook))
    return Answer(200, shown(row))


def replay(tx: Transaction, webhook: int, from_cursor: int) -> Answer:
    """Send an endpoint again what the feed has behind a cursor, a page of it."""
    row = _row(tx.connection, webhook)
    if row is None:
        return _unknown(webhook)
    if row.state != "active":
        return problem(409, "disabled", f"webhook {webhook} is disabled; enable it first")
    messages, more = deliveries.replay(tx, row, from_cursor)
    return Answer(202, {"id": webhook, "messages": messages, "next_cursor": more})


def all_of(connection: Connection) -> list[dict[str, Any]]:
    """Return every endpoint, without secrets."""
    rows = connection.execute(select(schema.webhook).order_by(schema.webhook.c.id))
    return [shown(row) for row in rows]


def one(connection: Connection, webhook: int) -> dict[str, Any] | None:
    """Return an endpoint, without secrets; None when there is none of this number."""
    row = connection.execute(select(schema.webhook).where(schema.webhook.c.id == webhook)).first()
    return None if row is None else shown(row)


def log_of(
    connection: Connection, webhook: int, state: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Return an endpoint's deliveries, newest first."""
    table = schema.delivery
    query = select(table).where(table.c.webhook == webhook).order_by(table.c.id.desc())
    if state is not None:
        query = query.where(table.c.state == state)
    if before is not None:
        query = query.where(table.c.id < before)
    return [
        {
            "id": row.id,
            "type": row.type,
            "key": row.key,
            "cursor": row.feed_seq,
            "state": row.state,
            "attempts": row.attempt,
            "status": row.status,
            "note": row.note,
            "took_ms": row.took_ms,
            "created": _time(row.created_us),
            "next_try": _time(row.next_us) if row.state == "waiting" else None,
            "done": _time(row.done_us) if row.done_us else None,
        }
        for row in connection.execute(query.limit(limit))
    ]


def shown(row: Row[Any]) -> dict[str, Any]:
    """Return what people may see of an endpoint."""
    return {
        "id": row.id,
        "url": row.url,
        "types": json.loads(row.types),
        "site": row.site,
        "description": row.description,
        "state": row.state,
        "note": row.note,
        "failures": row.failures,
        "next_try": _time(row.next_us) if row.failures else None,
        "created": _time(row.created_us),
    }


def secrets_of(row: Row[Any], now_us: int) -> list[str]:
    """Return the secrets that sign for an endpoint now, the newest first."""
    old = [row.old_secret] if row.old_secret and row.old_secret_until_us > now_us else []
    return [row.secret, *old]


def _row(connection: Connection, webhook: int, *, alone: bool = False) -> Row[Any] | None:
    """Return an endpoint, which stays until the commit; with `alone`, nobody adds to it either."""
    query = select(schema.webhook).where(schema.webhook.c.id == webhook)
    locked = query.with_for_update() if alone else query.with_for_update(read=True, key_share=True)
    return connection.execute(locked).first()


def _unknown(webhook: int) -> Answer:
    return problem(404, "no_such_webhook", f"there is no webhook {webhook}")


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat()
