"""What is shown, as a file: exactly those rows, columns and that order, or the screen as drawn."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from monitor.listing import Records

#: Puts the content into a file that is open for it.
Write = Callable[[IO[str]], None]


def write_csv(records: Records, file: IO[str]) -> None:
    """Write records as CSV."""
    csv.writer(file).writerows(records)


def write_text(text: str, file: IO[str]) -> None:
    """Write a text as it is."""
    file.write(text)


def save(folder: Path, name: str, kind: str, now: float, write: Write) -> Path:
    """Write a new file in `folder` and return its path; OSError when it cannot be."""
    stamp = f"{datetime.fromtimestamp(now, UTC).astimezone():%Y%m%d-%H%M%S}"
    path = folder / f"docktally-{name}-{stamp}.{kind}"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"docktally-{name}-{stamp}-{number}.{kind}"
    with path.open("x", encoding="utf-8", newline="") as file:
        write(file)
    return path
