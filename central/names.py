"""What people call items and sites, and the message about an availability, written with it.

The message is `wire.events.Availability` as JSON. It is put together from pieces that were encoded
before: through the model it takes four times as long, and there is one for each item of each scan.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from central import rules, schema, statements

#: Rows kept in memory between scans; the database is asked for the others.
KEPT_MAX = 200_000
_STALE = "docktally_names"


class Level(NamedTuple):
    """An availability row, with the names that people know it by."""

    item: int
    site: int
    on_hand: int
    reserved: int
    safety: int
    ver: int
    low_stock: int | None
    sold_out: int  # 1: that was what was told last
    code: str  # of the site
    sku: str
    name: str
    active: int


PlaceName = tuple[str | None, str]  # code of the site, None outside of the house; code of the place


class Label(NamedTuple):
    """The names of an item at a site, and the beginning of each message about it."""

    key: tuple[str, str]  # site, SKU
    name: str
    active: int  # 0: promised to nobody
    head: str


@dataclass
class Names:
    """Answers "what is this item called?" for one writer, through a bounded cache."""

    _sites: dict[int, str] = field(default_factory=dict)
    _items: dict[int, tuple[str, str, int]] = field(default_factory=dict)  # SKU, name, active
    _places: dict[int, PlaceName] = field(default_factory=dict)
    _labels: dict[tuple[int, int], Label] = field(default_factory=dict)

    def forget(self) -> None:
        """Empty the cache."""
        self._sites.clear()
        self._items.clear()
        self._places.clear()
        self._labels.clear()

    def learn(self, item: int, sku: str, name: str, active: int) -> None:
        """Take the names of an item that was looked up for another reason."""
        self._items[item] = (sku, name, active)

    def of(self, connection: Connection, keys: list[tuple[int, int]]) -> list[Label]:
        """Return the labels of (item, site) keys, in their order."""
        self._tidy(connection)
        labels = self._labels
        unknown = [key for key in keys if key not in labels]
        if unknown:
            self._look_up(connection, unknown)
        return [labels[key] for key in keys]

    def skus(self, connection: Connection, items: Iterable[int]) -> dict[int, str]:
        """Return the SKUs of items by their row numbers."""
        self._tidy(connection)
        wanted = set(items)
        self._look_up_items(connection, wanted)
        return {number: self._items[number][0] for number in wanted}

    def places(self, connection: Connection, numbers: Iterable[int]) -> dict[int, PlaceName]:
        """Return the site and the code of places by their row numbers."""
        place, site = schema.location, schema.site
        wanted = set(numbers)
        for part in statements.parts(sorted(wanted - self._places.keys())):
            rows = connection.execute(
                select(place.c.id, place.c.code, site.c.code.label("home"))
                .join(site, site.c.id == place.c.site, isouter=True)
                .where(place.c.id.in_(part))
            )
            self._places.update({row.id: (row.home, row.code) for row in rows})
        return {number: self._places[number] for number in wanted}

    def _tidy(self, connection: Connection) -> None:
        too_many = max(len(self._labels), len(self._items), len(self._places)) > KEPT_MAX
        if connection.info.pop(_STALE, False) or too_many:
            self.forget()

    def _look_up(self, connection: Connection, keys: list[tuple[int, int]]) -> None:
        site = schema.site
        if not all(key[1] in self._sites for key in keys):
            rows = connection.execute(select(site.c.id, site.c.code))
            self._sites = {row.id: row.code for row in rows}
        self._look_up_items(connection, {key[0] for key in keys})
        for number, place in keys:
            self._labels[number, place] = label(self._sites[place], *self._items[number])

    def _look_up_items(self, connection: Connection, items: set[int]) -> None:
        item = schema.item
        for part in statements.parts(sorted(items - self._items.keys())):
            for row in connection.execute(select(item).where(item.c.id.in_(part))):
                self.learn(row.id, row.sku, row.name, row.active)


def stale(connection: Connection) -> None:
    """Note that this transaction changed the catalogue: what it tells has the new names."""
    connection.info[_STALE] = True


def label(site: str, sku: str, name: str, active: int) -> Label:
    """Return the label of an item at a site."""
    head = f'{{"v":1,"sku":{quoted(sku)},"site":{quoted(site)},"name":{quoted(name)},"version":'
    return Label((site, sku), name, active, head)


def level(row: tuple[Any, ...], label: Label) -> Level:
    """Return a row of `lookups.ask_levels` with its names."""
    return Level._make((*row, *label.key, label.name, label.active))


def moment(us: int) -> str:
    """Return a time as messages write it, in quotes."""
    return f'"{datetime.fromtimestamp(us / 1e6, UTC).isoformat()[:-6]}Z"'


def message(
    label: Label, on_hand: int, reserved: int, safety: int, ver: int, as_of: str, cause: str
) -> bytes:
    """Return what to tell about an availability row; `as_of` is a `moment`."""
    available = rules.sellable(on_hand, reserved, safety, label.active)
    return (
        f'{label.head}{ver},"on_hand":{on_hand},"reserved":{reserved},"safety":{safety},'
        f'"available":{available},"as_of":{as_of},"cause":{quoted(cause)}}}'
    ).encode()
