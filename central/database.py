"""Opens the ledger's database, the way its promises need, and brings its schema up to date."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, TextClause, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

_MIGRATIONS = Path(__file__).parent / "migrations"
#: Another process (an import, a backup) may hold the write lock this long before we give up.
_BUSY_TIMEOUT_S = 30.0
_CACHE_KIB = 64 * 1024
#: PostgreSQL's advisory locks for items: few enough for its lock table, many enough to be apart.
_ITEM_LOCK_CLASS, _ITEM_LOCKS = 0x6974656D, 256  # "item" in ASCII


class SchemaTooNew(Exception):
    """The database was written by a newer Docktally."""


def open_writer(database: str) -> Engine:
    """Return an engine whose every transaction takes the write lock at once.

    SQLite with deferred transactions answers "database is locked" in the middle of one, whatever
    the timeout; BEGIN IMMEDIATE waits at the start instead.
    """
    return _open(database, begin="BEGIN IMMEDIATE", read_only=False)


def open_reader(database: str) -> Engine:
    """Return an engine that can only read, each transaction from one snapshot."""
    return _open(database, begin="BEGIN", read_only=True)


def _open(database: str, *, begin: str, read_only: bool) -> Engine:
    if "://" in database:
        return create_engine(database, pool_pre_ping=True)
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{database}",
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        connection.execute("PRAGMA journal_mode=WAL")
        # FULL: in WAL mode, NORMAL may forget the last commits in a power cut, after we acked them.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=OFF")  # verify checks them; a lookup per row costs
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version; raise SchemaTooNew when it is from the future."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with engine.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in known:
            raise SchemaTooNew(
                f"the database has schema {current}, which this version does not know; "
                "install the Docktally version that wrote it, or a newer one"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Return an INSERT that leaves existing rows alone, in the database's own dialect."""
    return cast("Insert", _insert(connection.dialect.name, table).on_conflict_do_nothing())


def upsert(
    dialect: str,
    table: Table,
    keys: Sequence[str],
    change: Callable[[Any], Mapping[str, Any]],
    where: TextClause | None = None,
) -> Insert:
    """Return an INSERT that changes the row of the same `keys` instead, when there is one.

    `change` is given the columns of the new row and returns what to set. `where` is the condition
    of the partial unique index that makes the keys unique, if it is one.
    """
    statement = _insert(dialect, table)
    return cast(
        "Insert",
        statement.on_conflict_do_update(
            index_elements=list(keys), index_where=where, set_=change(statement.excluded)
        ),
    )


def _insert(dialect: str, table: Table) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def lock_items(connection: Connection, moving: Iterable[int], counting: Iterable[int]) -> None:
    """Keep counts of these items and movements of other transactions apart until the commit.

    Movements go on beside each other; a count waits until it is alone, as what it must post
    depends on all of them. On SQLite every writer is alone already.
    """
    if connection.dialect.name != "postgresql":
        return
    alone = {item % _ITEM_LOCKS for item in counting}
    numbers = sorted(alone | {item % _ITEM_LOCKS for item in moving})
    if numbers:
        connection.execute(
            _LOCK_ITEMS, {"of": _ITEM_LOCK_CLASS, "numbers": numbers, "alone": sorted(alone)}
        )


#: In one order, so that two transactions never wait for each other in a circle.
_LOCK_ITEMS = text(
    "SELECT CASE WHEN n = ANY(CAST(:alone AS int[])) THEN pg_advisory_xact_lock(:of, n) "
    "ELSE pg_advisory_xact_lock_shared(:of, n) END "
    "FROM (SELECT unnest(CAST(:numbers AS int[])) AS n ORDER BY 1) AS wanted"
)
