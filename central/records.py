"""Writes events that come by HTTP into the journal, numbered like any gateway's."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import case, func, literal, select, update

from central import database, schema, statements
from central.arrivals import API_PREFIX, moment, storable
from central.posting import Posting
from central.writer import Transaction
from wire.events import Clock, Event, Identifiers

_EPOCH_KEY = "api_epoch"
_EPOCH = select(schema.meta.c.value).where(schema.meta.c.key == _EPOCH_KEY).scalar_subquery()


def record(
    tx: Transaction, client: str, site: str, kind: Any, sku: str, quantity: int,
    *, lot: str | None = None, at: datetime | None = None, **fields: Any,
) -> Posting:  # fmt: skip
    """Write an event of source `api:<client>` as applied; the caller posts it in this transaction.

    `at` is when it happened, if that was not now; `fields` are further ones of wire.events.Event.
    """
    stream, seq, latest_us = _number(tx, site, API_PREFIX + client)
    said = Event(
        seq=seq,
        id=uuid.uuid4(),
        kind=kind,
        event_time=at or datetime.fromtimestamp(tx.now_us / 1e6, UTC),
        clock=Clock(boot_id="central", monotonic_us=0, synced=True),
        recorded_late=at is not None,
        scanner="api",
        quantity=quantity,
        identifiers=Identifiers(sku=sku, lot=lot or None),
        raw=b"",
        **fields,
    )
    event = storable(said)
    occurred_us = moment(event, latest_us - 1, tx.now_us) if at else latest_us
    row = {
        "stream": stream, "seq": seq, "uuid": str(event.id), "kind": kind, "status": "applied",
        "code": None, "scanner": event.scanner, "occurred_us": occurred_us,
        "received_us": tx.now_us, "body": event.model_dump_json(exclude_none=True),
    }  # fmt: skip
    statements.write(tx.connection, statements.ADD_EVENTS, [row])
    number = tx.books.catalogue.site(tx.connection, site)
    return Posting(stream, seq, number, occurred_us, event)


def _number(tx: Transaction, site: str, source: str) -> tuple[int, int, int]:
    """Return the outbox, the next number in it, and its moment.

    Each process that shares the database numbers an outbox of its own. What a client says later
    happens later all the same, whichever process hears it and whatever that one's clock says.
    """
    table, any_of_them = schema.stream, schema.stream.alias()
    latest = select(func.max(any_of_them.c.latest_us)).where(
        any_of_them.c.site == site, any_of_them.c.source == source
    )
    after = latest.scalar_subquery() + 1
    epoch = literal(tx.ledger.run) if tx.ledger.run else _EPOCH
    following = (
        update(table)
        .where(table.c.site == site, table.c.source == source, table.c.epoch == epoch)
        .values(
            applied_seq=table.c.applied_seq + 1,
            seen_us=tx.now_us,
            latest_us=case((after > tx.now_us, after), else_=tx.now_us),
        )
        .returning(table.c.id, table.c.applied_seq, table.c.latest_us)
    )
    row = tx.connection.execute(following).first()
    if row is None:
        new = database.insert_or_ignore(tx.connection, schema.meta)
        tx.connection.execute(new, {"key": _EPOCH_KEY, "value": str(uuid.uuid4())})
        new = database.insert_or_ignore(tx.connection, table)
        first = {"applied_seq": 0, "seen_us": tx.now_us, "latest_us": 0}
        tx.connection.execute(new.values(site=site, source=source, epoch=epoch, **first))
        row = tx.connection.execute(following).one()
    return row.id, row.applied_seq, row.latest_us
