"""What the tables of all parts of the ledger are made with."""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, text

metadata = MetaData()
#: SQLite gives row numbers only to INTEGER keys, PostgreSQL needs 64 bits for a busy ledger.
BigId = BigInteger().with_variant(Integer, "sqlite")


def partial(name: str, where: str, *columns: Column[Any], unique: bool = False) -> None:
    """Add an index of the rows for which `where` holds."""
    Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))
