"""What is to be sent to webhooks: rows made with the change they tell of, settled once sent.

A stock level that still waits is replaced by a newer one, so that an endpoint that was away gets
one current value of each item and not its history. Everything else is sent, in order per key.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, text, update

from central import database, outbox, retry, schema
from central.alerts import Announcement, Concern
from central.feed_messages import Change, message_of, wants
from central.guarded_http import Reply
from central.writer import Transaction

#: Deliveries that are over and still shown; the oldest go first.
PAST_ROWS_MAX = 100_000
#: Feed rows looked at by one transaction: as many as one commit numbers.
PAGE_ROWS = 5_000
#: Answers that speak of the endpoint, not of the one message: wait, and then try any message.
_ENDPOINT_STATUS = frozenset((408, 425, 429))
_GONE = 410
_NOTE_MAX = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt went: the answer, or why there was none.jitter` is in 0 to 1."""

    delivery: int
    webhook: int
    key: str
    feed_seq: int
    attempt: int
    reply: Reply | None
    error: str
    forbidden: bool = False

    @property
    def good(self) -> bool:
        """True when the endpoint took it."""
        return self.reply is not None and 200 <= self.reply.status < 300

    @property
    def blames_endpoint(self) -> bool:
        """True when other messages would have fared no better."""
        reply = self.reply
        return reply is None or reply.status >= 500 or reply.status in _ENDPOINT_STATUS


def relay(connection: Connection, now_us: int) -> tuple[list[Announcement], set[int]]:
    """Number the rows that wait for it, and make the deliveries of them in the same commit.

    Returns the rows in order, and the endpoints that there is something for.
    """
    newest = outbox.newest(connection)
    rows = outbox.number(connection)
    return rows, fan_out(connection, newest, now_us) if rows else set()


def fan_out(connection: Connection, cursor: int, now_us: int) -> set[int]:
    """Make a delivery of each change behind a cursor for each endpoint that wants it.

    Returns those endpoints. Until the commit nobody deletes them.
    """
    table = schema.webhook
    active = select(table).where(table.c.state == "active").order_by(table.c.id)
    hooks = connection.execute(active.with_for_update(read=True, key_share=True)).all()
    changes = changes_after(connection, cursor) if hooks else []
    return {hook.id for hook in hooks if _add(connection, hook, changes, now_us)}


def replay(tx: Transaction, hook: Row[Any], from_cursor: int) -> tuple[int, int | None]:
    """Send again a page of what the feed has after `from_cursor`.

    Returns how many messages that makes, and the cursor of the next page if there is one.
    """
    changes = changes_after(tx.connection, from_cursor)
    more = changes[-1].feed_seq if len(changes) == PAGE_ROWS else None
    return _add(tx.connection, hook, changes, tx.now_us), more


def changes_after(connection: Connection, cursor: int, limit: int = PAGE_ROWS) -> list[Change]:
    """Return the numbered feed rows behind `cursor`, in order, at most `limit`."""
    table = schema.outbox
    query = select(table).where(table.c.feed_seq > cursor).order_by(table.c.feed_seq)
    rows = connection.execute(query.limit(limit))
    return [Change(row.feed_seq, row.channel, row.agg_key, row.body) for row in rows]


def _add(connection: Connection, hook: Row[Any], changes: Iterable[Change], now_us: int) -> int:
    types = json.loads(hook.types)
    rows: dict[object, dict[str, Any]] = {}
    for change in changes:
        message = message_of(change)
        if message is None or not wants(types, hook.site, message):
            continue
        body = {
            "type": message.type,
            "timestamp": datetime.fromtimestamp(now_us / 1e6, UTC).isoformat(),
            "data": message.data,
        }
        rows[message.key if message.level else change.feed_seq] = {
            "webhook": hook.id,
            "key": f"{change.channel}:{message.key}",
            "level": int(message.level),
            "feed_seq": change.feed_seq,
            "type": message.type,
            "body": json.dumps(body, separators=(",", ":")),
            "state": "waiting",
            "attempt": 0,
            "next_us": now_us,
            "note": "",
            "created_us": now_us,
        }
    levels = [row for row in rows.values() if row["level"]]
    others = [row for row in rows.values() if not row["level"]]
    if levels:
        # Sorted, as every write of several rows is, so that two of them never wait for each other.
        levels.sort(key=lambda row: str(row["key"]))
        connection.execute(_newest_level(connection.dialect.name), levels)
    if others:
        connection.execute(insert(schema.delivery), others)
    return len(rows)


def _newest_level(dialect: str) -> Any:
    return database.upsert(
        dialect,
        schema.delivery,
        ("webhook", "key"),
        # `created_us` stays: since then the endpoint has not been told of this key.
        lambda new: {"feed_seq": new.feed_seq, "body": new.body},
        among=text("state = 'waiting' AND level = 1"),
    )


#: :hook, :now -> what may be sent to an endpoint now, in order.
DUE = (
    select(schema.delivery)
    .where(
        schema.delivery.c.webhook == bindparam("hook"),
        schema.delivery.c.state == "waiting",
        schema.delivery.c.next_us <= bindparam("now"),
    )
    .order_by(schema.delivery.c.feed_seq)
    .limit(bindparam("most"))
)


def settle(tx: Transaction, outcomes: Sequence[Outcome], jitters: Sequence[float]) -> None:
    """Note how attempts went, and when to try again; `jitters` has a number in 0 to 1 for each."""
    # In the order that the relay writes them in, so that the two never wait for each other.
    in_order = sorted(zip(outcomes, jitters, strict=True), key=lambda o: (o[0].webhook, o[0].key))
    for outcome, jitter in in_order:
        if outcome.good:
            _end(tx, outcome, "done")
            _endpoint_is_well(tx, outcome.webhook)
        elif outcome.reply is not None and outcome.reply.status == _GONE:
            _end(tx, outcome, "failed")
            disable(tx, outcome.webhook, "it answered 410 Gone")
        elif outcome.forbidden:
            _end(tx, outcome, "failed")
            disable(tx, outcome.webhook, outcome.error)
        elif outcome.blames_endpoint:
            _endpoint_failed(tx, outcome, jitter)
        else:
            _message_failed(tx, outcome, jitter)
    _forget_past(tx)


def _said(outcome: Outcome) -> dict[str, Any]:
    reply = outcome.reply
    return {
        "attempt": outcome.attempt + 1,
        "status": reply.status if reply else None,
        "took_ms": reply.took_ms if reply else None,
        "note": (reply.snippet if reply else outcome.error)[:_NOTE_MAX],
    }


def _change(tx: Transaction, outcome: Outcome, **values: Any) -> bool:
    """Change the row, unless a newer level has taken its place meanwhile."""
    table = schema.delivery
    changed = tx.connection.execute(
        update(table)
        .where(table.c.id == outcome.delivery, table.c.feed_seq == outcome.feed_seq)
        .values(**_said(outcome), **values)
    )
    return bool(changed.rowcount)


def _end(tx: Transaction, outcome: Outcome, state: str) -> None:
    _change(tx, outcome, state=state, done_us=tx.now_us)


def _endpoint_is_well(tx: Transaction, webhook: int) -> None:
    table = schema.webhook
    tx.connection.execute(
        update(table)
        .where(table.c.id == webhook, table.c.failures > 0)
        .values(failures=0, next_us=0)
    )
    tx.books.settle("delivery_failing", str(webhook))


def _endpoint_failed(tx: Transaction, outcome: Outcome, jitter: float) -> None:
    table = schema.webhook
    hook = tx.connection.execute(select(table).where(table.c.id == outcome.webhook)).first()
    if hook is None:
        return  # deleted while the request was on its way
    _change(tx, outcome)
    asked_s = outcome.reply.retry_after_s if outcome.reply else None
    wait_s = retry.delay_s(hook.failures + 1, jitter, asked_s)
    if wait_s is None:
        disable(tx, hook.id, f"it failed for three days; at last: {_said(outcome)['note']}")
        return
    tx.connection.execute(
        update(table)
        .where(table.c.id == hook.id)
        .values(failures=hook.failures + 1, next_us=tx.now_us + int(wait_s * 1e6))
    )


def _message_failed(tx: Transaction, outcome: Outcome, jitter: float) -> None:
    wait_s = retry.delay_s(outcome.attempt + 1, jitter)
    if wait_s is None:
        _end(tx, outcome, "failed")
    else:
        _change(tx, outcome, next_us=tx.now_us + int(wait_s * 1e6))


def disable(tx: Transaction, webhook: int, why: str) -> None:
    """Send nothing more to an endpoint until a person enables it, and say so."""
    table = schema.webhook
    hook = tx.connection.execute(
        update(table)
        .where(table.c.id == webhook)
        .values(state="disabled", note=why)
        .returning(table.c.url)
    ).first()
    if hook is None:
        return
    concern = Concern(
        "delivery_failing",
        str(webhook),
        "critical",
        f"webhook {webhook} is disabled: {why}",
        f"{hook.url} hears nothing. Repair it, then enable it and replay from its last cursor.",
    )
    tx.books.raise_alert(concern)


def _forget_past(tx: Transaction) -> None:
    table = schema.delivery
    newest = tx.connection.execute(select(func.max(table.c.id))).scalar() or 0
    tx.connection.execute(
        delete(table).where(table.c.id <= newest - PAST_ROWS_MAX, table.c.state != "waiting")
    )
