"""What people call items and sites, and the message about an availability, written with it.

The message is `wire.events.Availability` as JSON. It is put together from pieces that were encoded
before: through the model it takes four times as long, and there is one for each item of each scan.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted
from typing import NamedTuple

from sqlalchemy import Connection, select

from central import schema, statements

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
    sku: str
    code: str


class Label(NamedTuple):
    """The names of an item at a site, and the beginning of each message about it."""

    key: tuple[str, str]  # site, SKU
    head: str


@dataclass
class Names:
    """Answers "what is this item called?" for one writer, through a bounded cache."""

    _sites: dict[int, str] = field(default_factory=dict)
    _items: dict[int, tuple[str, str]] = field(default_factory=dict)  # SKU, name
    _labels: dict[tuple[int, int], Label] = field(default_factory=dict)

    def forget(self) -> None:
        """Empty the cache."""
        self._sites.clear()
        self._items.clear()
        self._labels.clear()

    def learn(self, item: int, sku: str, name: str) -> None:
        """Take the names of an item that was looked up for another reason."""
        self._items[item] = (sku, name)

    def of(self, connection: Connection, keys: list[tuple[int, int]]) -> list[Label]:
        """Return the labels of (item, site) keys, in their order."""
        too_many = max(len(self._labels), len(self._items)) > KEPT_MAX
        if connection.info.pop(_STALE, False) or too_many:
            self.forget()
        labels = self._labels
        unknown = [key for key in keys if key not in labels]
        if unknown:
            self._look_up(connection, unknown)
        return [labels[key] for key in keys]

    def _look_up(self, connection: Connection, keys: list[tuple[int, int]]) -> None:
        item, site = schema.item, schema.site
        if not all(key[1] in self._sites for key in keys):
            rows = connection.execute(select(site.c.id, site.c.code))
            self._sites = {row.id: row.code for row in rows}
        unknown = sorted({key[0] for key in keys if key[0] not in self._items})
        for part in statements.parts(unknown):
            for row in connection.execute(select(item).where(item.c.id.in_(part))):
                self.learn(row.id, row.sku, row.name)
        for number, place in keys:
            self._labels[number, place] = label(self._sites[place], *self._items[number])


def stale(connection: Connection) -> None:
    """Note that this transaction changed the catalogue: what it tells has the new names."""
    connection.info[_STALE] = True


def label(site: str, sku: str, name: str) -> Label:
    """Return the label of an item at a site."""
    head = f'{{"v":1,"sku":{quoted(sku)},"site":{quoted(site)},"name":{quoted(name)},"version":'
    return Label((site, sku), head)


def moment(us: int) -> str:
    """Return a time as messages write it, in quotes."""
    return f'"{datetime.fromtimestamp(us / 1e6, UTC).isoformat()[:-6]}Z"'


def message(
    label: Label, on_hand: int, reserved: int, safety: int, ver: int, as_of: str, cause: str
) -> bytes:
    """Return what to tell about an availability row; `as_of` is a `moment`."""
    return (
        f'{label.head}{ver},"on_hand":{on_hand},"reserved":{reserved},"safety":{safety},'
        f'"available":{on_hand - reserved - safety},"as_of":{as_of},"cause":{quoted(cause)}}}'
    ).encode()
