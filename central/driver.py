"""Runs the SQL of the hot path on the driver itself, inside SQLAlchemy's open transaction.

SQLAlchemy's part of a small statement costs several times the statement. PostgreSQL is asked in a
pipeline besides: nothing is waited for until somebody wants an answer, so a commit takes a few
round trips, not a dozen. The pipeline ends by itself before SQLAlchemy runs anything (`watch`).
What a statement in it did wrong is raised then, as SQLAlchemy's error, like everything here.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

Rows = list[tuple[Any, ...]]
_PIPELINE = "docktally_pipeline"


def ask(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Callable[[], Rows]:
    """Ask for rows; what is returned waits for them."""
    driver: Any = connection.connection.dbapi_connection
    try:
        if connection.dialect.name == "sqlite":
            rows = driver.execute(sql, values).fetchall()
            return lambda: rows
        cursor = _piped(connection, driver).cursor()
        cursor.execute(sql, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _said(connection, error, sql) from error

    def wait() -> Rows:
        try:
            return cursor.fetchall()  # type: ignore[no-any-return]
        except connection.dialect.loaded_dbapi.Error as error:
            raise _said(connection, error, sql) from error

    return wait


def change(connection: Connection, sql: str, rows: Sequence[Any]) -> None:
    """Run a statement for each of the rows (on PostgreSQL, for arrays of columns: one row)."""
    driver: Any = connection.connection.dbapi_connection
    try:
        if connection.dialect.name == "sqlite":
            driver.executemany(sql, rows)
        elif len(rows) == 1:
            _piped(connection, driver).cursor().execute(sql, rows[0])
        else:
            _piped(connection, driver).cursor().executemany(sql, rows)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _said(connection, error, sql) from error


def _piped(connection: Connection, driver: Any) -> Any:
    if _PIPELINE not in connection.info:
        pipeline = driver.pipeline()
        pipeline.__enter__()
        connection.info[_PIPELINE] = pipeline
    return driver


def _said(connection: Connection, error: Any, sql: str) -> DBAPIError:
    """Return SQLAlchemy's error for the driver's; a pipeline that failed is over."""
    dialect = connection.dialect
    driver: Any = connection.connection.dbapi_connection
    is_gone = dialect.is_disconnect(error, driver, None)
    said = DBAPIError.instance(
        sql, None, error, dialect.loaded_dbapi.Error, connection_invalidated=is_gone,
        dialect=dialect,
    )  # fmt: skip
    _drop(connection)
    if is_gone:
        connection.invalidate(said)
    assert isinstance(said, DBAPIError)
    return said


def _settle(connection: Connection) -> None:
    """End the pipeline: wait until everything in it is done."""
    pipeline = connection.info.pop(_PIPELINE, None)
    if pipeline is None:
        return
    try:
        pipeline.__exit__(None, None, None)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _said(connection, error, "a statement of a pipeline") from error


def _commit(connection: Connection) -> None:
    """Commit at the end of the pipeline, in the same round trip; SQLAlchemy finds nothing left."""
    if _PIPELINE in connection.info:
        change(connection, "COMMIT", [()])
        _settle(connection)


def _drop(connection: Connection) -> None:
    """End the pipeline, whatever became of it."""
    if connection.invalidated:
        return
    pipeline = connection.info.pop(_PIPELINE, None)
    if pipeline is not None:
        with contextlib.suppress(connection.dialect.loaded_dbapi.Error):
            pipeline.__exit__(None, None, None)


def watch(engine: Engine) -> None:
    """Have pipelines end before SQLAlchemy runs something on their connection, or commits."""

    @event.listens_for(engine, "before_cursor_execute")
    def _before(connection: Connection, *_: object) -> None:
        _settle(connection)

    event.listen(engine, "commit", _commit)
    event.listen(engine, "rollback", _drop)
