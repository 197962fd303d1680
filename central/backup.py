"""Copies of the ledger: made while central runs, proven, and put back.

A copy is one SQLite file, whatever database the ledger is in. So there is one way to prove a copy,
one can be put back into either, and moving from SQLite to PostgreSQL is a backup and a restore.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table, delete, func, insert, inspect, select, text, update

from central import database, leases, outbox, schema, told, verify

#: Rows read and written at once.
_ROWS = 5_000
_BUSY_TIMEOUT_S = 30.0
#: Reservation numbers given between the backup and its loss: none of them may be given again.
_LOST_RESERVATIONS_MAX = 1_000_000


class BackupError(Exception):
    """A copy that cannot be made or put back; the message says why, and what to do."""


class NotProven(BackupError):
    """A copy whose sums are wrong."""


def back_up(source: str, target: Path) -> int:
    """Copy the ledger into the new file `target`; return its number of events.

    Central may run meanwhile: the copy is of one moment. NotProven when its sums do not hold; then
    the copy stays beside `target` for whoever finds out why.
    """
    if target.exists():
        raise BackupError(f"{target} exists already; name a new file")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    if database.is_shared(source):
        _dump(source, part)
    elif not Path(source).exists():
        raise BackupError(f"there is no database {source}")
    else:
        with closing(sqlite3.connect(source, timeout=_BUSY_TIMEOUT_S)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
    events = _prove(part)
    _settle(part)
    part.rename(target)
    _flush(target.parent)
    return events


def restore(copy: Path, target: str, *, force: bool) -> int:
    """Put a copy in place of the ledger; return its number of events.

    InUse while central runs. What is there already is replaced with `force` only; a file is set
    aside beside it. The copy itself is not changed.
    """
    if not copy.exists():
        raise BackupError(f"there is no file {copy}")
    folder = copy.parent if database.is_shared(target) else Path(target).parent
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / f"{copy.name}.restoring"
    try:
        shutil.copyfile(copy, work)
        with (
            database.using(database.open_writer(str(work))) as engine,
            engine.begin() as connection,
        ):
            _check_is_ledger(connection, copy)
            database.upgrade(connection)
            _begin_anew(connection, time.time_ns() // 1_000)
        _settle(work)
        events = _prove(work)
        put_back = _load if database.is_shared(target) else _put_in_place
        put_back(work, target, force=force)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            work.with_name(work.name + suffix).unlink(missing_ok=True)
    return events


def _check_is_ledger(connection: Connection, copy: Path) -> None:
    if MigrationContext.configure(connection).get_current_revision() is None:
        raise BackupError(f"{copy} is not a copy of a ledger")


def _prove(copy: Path) -> int:
    with database.using(database.open_reader(str(copy))) as reader, reader.begin() as connection:
        findings = verify.findings(connection)
        events = connection.execute(select(func.count()).select_from(schema.event)).scalar_one()
    if findings:
        lines = "\n".join(f"{each.invariant} {each.message}" for each in findings)
        raise NotProven(f"{lines}\nthe ledger in {copy} is NOT proven: keep older copies")
    return int(events)


def _begin_anew(connection: Connection, now_us: int) -> None:
    """Make sure that nobody takes news for something old, or a new number for one given before.

    What was told after the copy was made is unknown here. But versions and feed numbers count
    changes, which come at less than one a microsecond: none has reached the clock.
    """
    avail, meta = schema.avail, schema.meta
    connection.execute(update(avail).values(ver=now_us).where(avail.c.ver < now_us))
    replace = database.upsert(
        connection.dialect.name, meta, ["key"], lambda new: {"value": new.value}
    )
    connection.execute(replace, {"key": database.VERSION_FLOOR_KEY, "value": str(now_us)})
    connection.execute(delete(schema.outbox))  # it is all told again; older cursors begin anew
    told.take_all_as_told(connection)
    outbox.raise_floor(connection, now_us)
    connection.execute(delete(schema.lease).where(schema.lease.c.name.like("central/%")))
    connection.execute(update(schema.lease).values(owner="", until_us=0))
    table = schema.reservation
    newest = connection.execute(select(table).order_by(table.c.id.desc()).limit(1)).mappings()
    for row in newest:
        number = row["id"] + _LOST_RESERVATIONS_MAX
        marker = {"id": number, "channel": "restore", "key": str(now_us), "state": "released"}
        connection.execute(insert(table).values({**row, **marker}))


def _put_in_place(work: Path, target: str, *, force: bool) -> None:
    path = Path(target)
    with database.claimed(target):
        if path.exists():
            if not force:
                raise BackupError(f"{target} exists; with --force it is set aside and replaced")
            aside = f"{target}.replaced-{time.strftime('%Y%m%d-%H%M%S')}"
            for suffix in ("-wal", "-shm", ""):
                side = Path(target + suffix)
                if side.exists():
                    side.rename(aside + suffix)
        work.rename(path)
        _flush(path.parent)


def _load(work: Path, url: str, *, force: bool) -> None:
    with (
        database.using(database.open_writer(url)) as engine,
        database.using(database.open_reader(str(work))) as reader,
        engine.begin() as connection,
        reader.begin() as source,
    ):
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        if inspect(connection).has_table(schema.lease.name) and leases.alive(connection):
            raise database.InUse("central runs on this database: stop every process of it first")
        database.upgrade(connection)
        if _has_goods(connection) and not force:
            raise BackupError("the database has a ledger; with --force it is replaced")
        tables = schema.metadata.sorted_tables
        names = ", ".join(table.name for table in tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        for table in tables:
            _copy_in(connection, table, _rows(source, table))
        set_sequences(connection)
        if findings := verify.findings(connection):
            raise NotProven(f"the loaded ledger is NOT proven, nothing was changed: {findings[0]}")


def _has_goods(connection: Connection) -> bool:
    return any(
        connection.execute(select(table).limit(1)).first() is not None
        for table in (schema.event, schema.item)
    )


def _copy_in(connection: Connection, table: Table, rows: Iterator[list[tuple[Any, ...]]]) -> None:
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f'COPY "{table.name}" ({_columns(table)}) FROM STDIN') as stream,
    ):
        for page in rows:
            for row in page:
                stream.write_row(row)


def set_sequences(connection: Connection) -> None:
    """Let PostgreSQL's row numbers go on after the highest one that was loaded."""
    for table in schema.metadata.sorted_tables:
        if "id" in table.columns:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), MAX(id)) "
                    f'FROM "{table.name}"'
                )
            )


def _dump(url: str, part: Path) -> None:
    with (
        database.using(database.open_reader(url)) as reader,
        database.using(database.open_writer(str(part))) as engine,
        reader.begin() as source,
        engine.begin() as copy,
    ):
        database.upgrade(copy)
        ours, theirs = (
            MigrationContext.configure(each).get_current_revision() for each in (copy, source)
        )
        if ours != theirs:
            raise BackupError(
                f"the database has schema {theirs}, this version has {ours}: make the backup with "
                "the version of Docktally that runs there, or start central of this version once"
            )
        for table in reversed(schema.metadata.sorted_tables):
            copy.execute(delete(table))  # what the migrations put in comes from the source, too
        for table in schema.metadata.sorted_tables:
            marks = ", ".join("?" * len(table.columns))
            into = f'INSERT INTO "{table.name}" ({_columns(table)}) VALUES ({marks})'
            for page in _rows(source, table):
                copy.exec_driver_sql(into, page)


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _rows(source: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    query = select(table).execution_options(yield_per=_ROWS)
    for page in source.execute(query).partitions():
        yield [tuple(row) for row in page]


def _settle(path: Path) -> None:
    """Make a copy one plain file, and have it on the disk."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    _flush(path)


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
