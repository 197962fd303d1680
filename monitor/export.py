"""The table as a CSV file: exactly the rows and columns that are shown, in that order."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from monitor.columns import Column
from monitor.stock import Stock

Records = Iterator[list[object]]


def records(stock: Stock, rows: list[int], columns: tuple[Column, ...], live: set[int]) -> Records:
    """Yield the heading and one record a row; an age becomes the moment it counts from."""
    yield [*(column.key for column in columns), "live"]
    for row in rows:
        yield [
            *(
                datetime.fromtimestamp(stock.as_of[row], UTC).isoformat()
                if column.key == "as_of"
                else getattr(stock, column.key)[row]
                for column in columns
            ),
            "yes" if row in live else "no",
        ]


def save(folder: Path, now: float, lines: Records) -> Path:
    """Write the records into a new file in `folder` and return its path; OSError when it cannot."""
    stamp = f"{datetime.fromtimestamp(now, UTC).astimezone():%Y%m%d-%H%M%S}"
    path = folder / f"docktally-stock-{stamp}.csv"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"docktally-stock-{stamp}-{number}.csv"
    with path.open("x", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    return path
