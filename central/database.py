"""Opens the ledger's database, the way its promises need, and brings its schema up to date."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard, cast

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    TextClause,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.sql.dml import Insert

from central import driver
from wire.errors import Unavailable

_MIGRATIONS = Path(__file__).parent / "migrations"
#: Another process (an import, a backup) may hold the write lock this long before we give up.
_BUSY_TIMEOUT_S = 30.0
_CACHE_KIB = 64 * 1024
#: SQLite's log is moved into the file by `wal`; beyond 64 MB, by the commit that is there.
_LOG_PAGES_MAX = 16 * 1024
#: PostgreSQL's advisory locks for items: few enough for its lock table, many enough to be apart.
_ITEM_LOCK_CLASS, _ITEM_LOCKS = 0x6974656D, 256  # "item" in ASCII
#: PostgreSQL ends a writing session that does nothing for this long inside a transaction: a central
#: that hangs must not keep rows locked, and must not commit when it wakes up.
STALLED_TRANSACTION_S = 4.0
_CONNECT_TIMEOUT_S = 10
#: A lease that cannot be renewed by then is tried again, while it still counts.
_LEASE_TIMEOUT_S = 2.0
#: Connections for reading at once: one for each of FastAPI's worker threads that may need one.
READERS_MAX = 10
#: Writing connections: the ledger's thread, the relay's for numbering and for listening, and the
#: one that hears of other relays.
WRITERS_MAX = 4
#: PostgreSQL's advisory lock that whoever changes the schema holds: "dock" in ASCII.
_SCHEMA_LOCK = 0x646F636B

#: In `meta`: below what a restored ledger announced before, so that no version is given twice.
VERSION_FLOOR_KEY = "version_floor"
_FUTURE = (
    "the database has schema {}, which this version does not know; install the Docktally version "
    "that wrote it, or a newer one"
)
#: serialization_failure, deadlock_detected, and unique_violation: another process has just made
#: the row that we looked for in vain.
_COLLISIONS = frozenset({"40001", "40P01", "23505"})


class SchemaTooNew(Exception):
    """The database was written by a newer Docktally."""


class SchemaTooOld(Exception):
    """The database was written by an older Docktally, and no central of this version ran yet."""


class InUse(Exception):
    """A central runs on this database; the message says what to do."""


class NoSuchDatabase(Exception):
    """What the configuration names is not a database we can open; the message says what to do."""


def is_shared(database: str) -> bool:
    """Return whether other central processes may write this database too: PostgreSQL, by URL."""
    return "://" in database


def open_writer(database: str) -> Engine:
    """Return an engine for short transactions that write.

    SQLite with deferred transactions answers "database is locked" in the middle of one, whatever
    the timeout; BEGIN IMMEDIATE waits at the start instead. PostgreSQL's are READ COMMITTED: a
    conditional UPDATE that had to wait judges the row as the other one left it.
    """
    if is_shared(database):
        limit_ms = round(STALLED_TRANSACTION_S * 1_000)
        return _open_postgres(
            database,
            {"idle_in_transaction_session_timeout": f"{limit_ms}ms"},
            pool_size=WRITERS_MAX,
        )
    return _open_sqlite(database, begin="BEGIN IMMEDIATE", read_only=False)


def open_reader(database: str) -> Engine:
    """Return an engine that can only read, each transaction from one snapshot."""
    if is_shared(database):
        settings = {
            "default_transaction_isolation": "repeatable\\ read",
            "default_transaction_read_only": "on",
        }
        return _open_postgres(database, settings, pool_size=READERS_MAX)
    return _open_sqlite(database, begin="BEGIN", read_only=True)


@contextlib.contextmanager
def asking(engine: Engine) -> Iterator[Connection]:
    """Give a transaction; raise Unavailable when the database is away."""
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        if not is_passing(error):
            raise
        raise Unavailable(f"the ledger's database does not answer: {error.orig}") from error


@contextlib.contextmanager
def listening(engine: Engine, channel: str) -> Iterator[Callable[[float], None]]:
    """Give what waits, for so many seconds at most, until somebody has notified the channel.

    Raises Unavailable when the database is away. For PostgreSQL only.
    """
    try:
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # closed at the end: nobody else shall hear what it listens for
            connection.exec_driver_sql(f"LISTEN {channel}")
            driver: Any = connection.connection.dbapi_connection

            def wait(timeout_s: float) -> None:
                for _ in driver.notifies(timeout=timeout_s, stop_after=1):
                    pass

            yield wait
    except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        raise Unavailable(f"the ledger's database does not answer: {error}") from error


def open_leases(database: str) -> Engine:
    """Return an engine for renewing leases on a shared database: it answers soon, or not at all."""
    limit_ms = round(_LEASE_TIMEOUT_S * 1_000)
    settings = {"statement_timeout": f"{limit_ms}ms", "lock_timeout": f"{limit_ms}ms"}
    return _open_postgres(database, settings, pool_size=1)


@contextlib.contextmanager
def claimed(database: str) -> Iterator[None]:
    """Be the only central on an SQLite file while the context lasts; InUse when there is one.

    The lock is on a file of its own, which stays: closing one on the database itself would drop
    SQLite's locks. PostgreSQL is shared, so there this does nothing.
    """
    if is_shared(database):
        yield
        return
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{database}-central").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InUse(
                f"{database} is in use by process {file.read().strip()}: one central for each "
                "SQLite file; stop that one first, or move to PostgreSQL to run several"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def using(engine: Engine) -> Iterator[Engine]:
    """Give an engine, and close its connections afterwards."""
    try:
        yield engine
    finally:
        engine.dispose()


def _open_postgres(database: str, settings: Mapping[str, str], *, pool_size: int) -> Engine:
    url = make_url(database)
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername != "postgresql+psycopg":
        raise NoSuchDatabase(
            f"{url.drivername} is not a kind of database that Docktally knows; write "
            "postgresql://user:password@host/database, or the name of an SQLite file"
        )
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    engine = create_engine(
        url,
        connect_args={
            "options": options,
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "tcp_user_timeout": round(STALLED_TRANSACTION_S * 1_000),
        },
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        from psycopg.types.string import StrBinaryDumper, StrDumper

        for usual in (StrBinaryDumper, StrDumper):
            connection.adapters.register_dumper(str, _without_nul(usual))

    driver.watch(engine)
    return engine


def _without_nul(usual: Any) -> type:
    """Return what hands texts to psycopg: PostgreSQL's cannot hold U+0000, a picture stands in."""

    class WithoutNul(usual):  # type: ignore[misc]
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\N{SYMBOL FOR NULL}"))

    return WithoutNul


def _open_sqlite(database: str, *, begin: str, read_only: bool) -> Engine:
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{database}",
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        if not read_only:  # it is in the file: a copy that is only looked at stays one file
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES_MAX}")
        # FULL: in WAL mode, NORMAL may forget the last commits in a power cut, after we acked them.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=OFF")  # verify checks them; a lookup per row costs
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver.ask(connection, begin)

    return engine


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version; raise SchemaTooNew when it is from the future."""
    with engine.begin() as connection:
        upgrade(connection)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to a version inside the open transaction, one process after the other."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise SchemaTooNew(_FUTURE.format(current))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def version_floor(connection: Connection) -> int:
    """Return up to which version availability may have been announced before a restore."""
    query = text("SELECT value FROM meta WHERE key = :key")
    return int(connection.execute(query, {"key": VERSION_FLOOR_KEY}).scalar() or 0)


def require_newest(connection: Connection) -> None:
    """Raise SchemaTooOld or SchemaTooNew unless the database has this version's schema."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise SchemaTooNew(_FUTURE.format(current))
    if current != known[0]:
        raise SchemaTooOld(
            f"the database has schema {current or 'none'}, this version has {known[0]}: start "
            "central of this version once, or use the version that wrote it"
        )


def collided(error: DBAPIError) -> bool:
    """Return whether another transaction was in the way on PostgreSQL: this one is run again."""
    return getattr(error.orig, "sqlstate", None) in _COLLISIONS


def is_passing(error: BaseException) -> TypeGuard[DBAPIError]:
    """Return whether the database, and not what was asked of it, is the trouble."""
    return isinstance(error, OperationalError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Return an INSERT that leaves existing rows alone, in the database's own dialect."""
    return cast("Insert", _insert(connection.dialect.name, table).on_conflict_do_nothing())


def upsert(
    dialect: str,
    table: Table,
    keys: Sequence[str],
    change: Callable[[Any], Mapping[str, Any]],
    *,
    among: ColumnElement[bool] | TextClause | None = None,
) -> Insert:
    """Return an INSERT that changes the row of the same `keys` instead, when there is one.

    `change` is given the columns of the new row and returns what to set. `among` is the condition
    of the unique index, when that is a partial one.
    """
    statement = _insert(dialect, table)
    update = statement.on_conflict_do_update(
        index_elements=list(keys), index_where=among, set_=change(statement.excluded)
    )
    return cast("Insert", update)


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
    if len(numbers) == 1 and not alone:
        driver.change(connection, _LOCK_ITEM, [(_ITEM_LOCK_CLASS, numbers[0])])
    elif numbers:
        driver.change(
            connection, _LOCK_ITEMS, [(sorted(alone), _ITEM_LOCK_CLASS, _ITEM_LOCK_CLASS, numbers)]
        )


#: In one order, so that two transactions never wait for each other in a circle.
_LOCK_ITEM = "SELECT pg_advisory_xact_lock_shared(%s, %s)"
_LOCK_ITEMS = (
    "SELECT CASE WHEN n = ANY(%b::int[]) THEN pg_advisory_xact_lock(%s, n) "
    "ELSE pg_advisory_xact_lock_shared(%s, n) END "
    "FROM (SELECT unnest(%b::int[]) AS n ORDER BY 1) AS wanted"
)
