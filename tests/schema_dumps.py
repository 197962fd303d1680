"""Ledgers as earlier versions left them; `python tests/schema_dumps.py DATABASE` prints one.

Each schema that was ever released has its file in tests/data/schemas, named after the revision. One
that has none is filled from the next file, with the tables that it has already.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, create_engine, insert, text

FOLDER = Path(__file__).parent / "data" / "schemas"
#: What Alembic keeps for itself.
_NOT_OURS = {"alembic_version"}


def dump(path: str) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of an SQLite ledger, tables before those that refer to them."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        tables = _tables(connection)
        rows = {
            table.name: [
                {name: _json(value) for name, value in row.items()}
                for row in connection.execute(table.select()).mappings()
            ]
            for table in tables
        }
    engine.dispose()
    return rows


def load(connection: Connection, revision: str) -> None:
    """Fill a ledger that has the schema of this revision."""
    file = min(file for file in FOLDER.glob("*.json") if file.stem >= revision)
    rows = json.loads(file.read_text())
    tables = _tables(connection)
    for table in reversed(tables):
        connection.execute(table.delete())
    for table in tables:
        values = [{name: _value(v) for name, v in row.items()} for row in rows[table.name]]
        if values:
            connection.execute(insert(table), values)
        if connection.dialect.name == "postgresql" and "id" in table.columns:
            last = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), MAX(id))"
            connection.execute(text(f"{last} FROM {table.name}"))


def _tables(connection: Connection) -> list[Any]:
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name not in _NOT_OURS]


def _json(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


if __name__ == "__main__":
    print(json.dumps(dump(sys.argv[1]), indent=0))
