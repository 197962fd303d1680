"""What people call the rows: SKUs and codes of places by their numbers, kept between commits."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from central import schema, statements

#: Names kept in memory; the database is asked for the others.
_KEPT_MAX = 200_000

PlaceName = tuple[str | None, str]  # code of the site, None outside of the house; code of the place


@dataclass
class Titles:
    """The names that one writer has looked up. Rows keep theirs; after a rollback they may not."""

    _skus: dict[int, str] = field(default_factory=dict)
    _places: dict[int, PlaceName] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget all; after a rollback some may be of rows that do not exist."""
        self._skus.clear()
        self._places.clear()

    def skus(self, connection: Connection, items: Iterable[int]) -> dict[int, str]:
        """Return the SKUs of items by their row numbers."""
        item, known = schema.item, self._skus
        wanted = set(items)
        for part in statements.parts(_missing(wanted, known)):
            rows = connection.execute(select(item.c.id, item.c.sku).where(item.c.id.in_(part)))
            known.update({row.id: row.sku for row in rows})
        return {number: known[number] for number in wanted}

    def places(self, connection: Connection, numbers: Iterable[int]) -> dict[int, PlaceName]:
        """Return the site and the code of places by their row numbers."""
        place, site, known = schema.location, schema.site, self._places
        wanted = set(numbers)
        for part in statements.parts(_missing(wanted, known)):
            rows = connection.execute(
                select(place.c.id, place.c.code, site.c.code.label("home"))
                .join(site, site.c.id == place.c.site, isouter=True)
                .where(place.c.id.in_(part))
            )
            known.update({row.id: (row.home, row.code) for row in rows})
        return {number: known[number] for number in wanted}


def _missing(wanted: set[int], known: dict[int, Any]) -> list[int]:
    if len(known) > _KEPT_MAX:
        known.clear()
    return sorted(wanted - known.keys())
