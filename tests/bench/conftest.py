"""What the measurements share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres import Postgres


@pytest.fixture(scope="session")
def durable() -> Iterator[Postgres]:
    """Give a PostgreSQL that flushes, as one in earnest does."""
    with tempfile.TemporaryDirectory(prefix="docktally-postgres-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder), fsync=True)
        server.start()
        yield server
        server.stop()
