"""Items, barcodes and places: finding them for a scan, and importing them from CSV."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, Row, Text, cast, select, update

from central import database, lookups, names, schema
from central.names import Names
from central.rules import Outside, Place, Role
from wire.events import TEXT_LENGTH_MAX, Event
from wire.ids import NAME_LENGTH_MAX

#: Barcodes kept in memory between scans; the database is asked for the others.
CACHED_BARCODES_MAX = 200_000
#: The most eaches that one label can stand for.
EACH_PER_MAX = 999_999
#: Begins the key of an item number, which is looked up where barcodes are.
SKU_PREFIX = "sku:"
_DIGITS_MAX = 18
_LEVEL_COLUMNS = ("site", "safety", "low_stock")
PHYSICAL_KINDS = ("bin", "dock", "quarantine", "damaged", "transit")


class CatalogueError(Exception):
    """A CSV file that cannot be imported; the message names file, line and cure."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing we stock, seen through one of its barcodes."""

    id: int
    sku: str
    name: str
    each_per: int
    active: int  # 0: promised to nobody


def gtin_check_digit(digits: str) -> str:
    """Return the GS1 check digit for `digits` (GS1 General Specifications 7.9)."""
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


def barcode_key(code: str) -> str:
    """Return the code as the table keeps it: GTIN-8/12/13 as 14 digits, anything else as it is."""
    is_gtin = (
        len(code) in {8, 12, 13, 14}
        and code.isascii()
        and code.isdigit()
        and gtin_check_digit(code[:-1]) == code[-1]
    )
    return code.zfill(14) if is_gtin else code


def keys_of(event: Event) -> tuple[str, ...]:
    """Return what to look the event's goods up by, best first. A `sku:` key is not a barcode."""
    names = event.identifiers
    keys = [f"sku:{names.sku}"] if names.sku else []
    keys += [key for key in (names.gtin14, names.sscc, names.text) if key]
    if names.text:
        keys.append(f"sku:{names.text}")
    return tuple(keys)


def said(event: Event) -> str:
    """Return how to name the event's goods to a person when the catalogue does not know them."""
    names = event.identifiers
    return names.sku or names.gtin14 or names.sscc or names.text or "nothing"


@dataclass
class Catalogue:
    """Answers "which item is this?" for one writer, through a bounded cache."""

    sellable_kinds: frozenset[str]
    _known: dict[str, Item] = field(default_factory=dict)
    _sites: dict[str, int] = field(default_factory=dict)
    _places: dict[tuple[int, Place], int] = field(default_factory=dict)
    _outside: dict[Outside, int] = field(default_factory=dict)
    _outside_rows: set[int] = field(default_factory=set)
    _site_of: dict[int, int | None] = field(default_factory=dict)
    _sharing: set[str] = field(default_factory=set)
    names: Names = field(default_factory=Names)
    version: str = ""
    #: Versions of availability up to here may have been announced before a backup was put back.
    version_floor: int = 0

    def refresh(self, connection: Connection) -> None:
        """Forget what another process may have changed; until the commit nobody changes it."""
        version = lookups.catalogue_version(connection)
        if version != self.version or not self._outside:
            self.forget()
            self.version = version
            self.version_floor = database.version_floor(connection)
            shares = select(schema.channel_item.c.channel).distinct()
            self._sharing.update(connection.execute(shares).scalars())
            for row in connection.execute(select(schema.location)):
                self._remember_place(row)

    def forget(self) -> None:
        """Empty the caches; after a rollback they may hold rows that do not exist."""
        caches: tuple[Any, ...] = (
            self._known, self._sites, self._places, self._outside, self._outside_rows,
            self._site_of, self._sharing,
        )  # fmt: skip
        for cache in caches:
            cache.clear()
        self.names.forget()

    def find(self, connection: Connection, keys: Iterable[str]) -> dict[str, Item]:
        """Return the items that the keys stand for; unknown keys are absent."""
        if len(self._known) > CACHED_BARCODES_MAX:
            self._known.clear()
        wanted = set(keys)
        missing = [key for key in wanted if key not in self._known]
        if missing:
            self._look_up(connection, missing)
        return {key: self._known[key] for key in wanted if key in self._known}

    def by_sku(self, connection: Connection, sku: str) -> Item | None:
        """Return the item of that number."""
        return self.find(connection, [SKU_PREFIX + sku]).get(SKU_PREFIX + sku)

    def _look_up(self, connection: Connection, keys: list[str]) -> None:
        codes = [key for key in keys if not key.startswith(SKU_PREFIX)]
        for code, number, sku, name, each_per, active in lookups.items_of(connection, codes):
            self._known[code] = Item(number, sku, name, each_per, active)
            self.names.learn(number, sku, name, active)
        skus = [key.removeprefix(SKU_PREFIX) for key in keys if key.startswith(SKU_PREFIX)]
        for number, sku, name, active in lookups.items_called(connection, skus):
            self._known[SKU_PREFIX + sku] = Item(number, sku, name, 1, active)
            self.names.learn(number, sku, name, active)

    def site(self, connection: Connection, code: str) -> int:
        """Return the site's row number; a site that a gateway names for the first time is made."""
        if code not in self._sites:
            self._sites[code] = site_row(connection, code)
        return self._sites[code]

    def place(self, connection: Connection, site: int, place: Place) -> int:
        """Return the location's row number. A label scanned for the first time makes a bin."""
        if place.__class__ is Outside:
            return self._outside[place]
        if (site, place) not in self._places:
            table = schema.location
            code, kind = (place, "bin") if not isinstance(place, Role) else ("DAMAGED", str(place))
            # Another process may have made it since our last look.
            sellable = int(kind in self.sellable_kinds)
            connection.execute(
                database.insert_or_ignore(connection, table),
                {"site": site, "code": code, "kind": kind, "sellable": sellable},
            )
            row = connection.execute(
                select(table).where(table.c.site == site, table.c.code == code)
            ).one()
            self._remember_place(row)
            self._places[site, place] = row.id
        return self._places[site, place]

    def sellable_site(self, connection: Connection, location: int) -> int | None:
        """Return the site whose availability counts this location, None when it does not sell."""
        try:
            return self._site_of[location]
        except KeyError:  # made by another process
            table = schema.location
            self._remember_place(
                connection.execute(select(table).where(table.c.id == location)).one()
            )
            return self._site_of[location]

    def is_outside(self, location: int) -> bool:
        """Return whether the location is one of the virtual ones, which may be below zero."""
        return location in self._outside_rows

    def has_shares(self, channel: str) -> bool:
        """Return whether somebody set what this channel may promise of some item."""
        return channel in self._sharing

    def map(self, connection: Connection, key: str, item: int, each_per: int) -> None:
        """Say what a barcode stands for."""
        _write_barcodes(connection, [{"code": key, "item": item, "each_per": each_per}])
        self._known.pop(key, None)
        bump(connection)

    def _remember_place(self, row: Row[Any]) -> None:
        self._site_of[row.id] = row.site if row.sellable else None
        if row.site is None:
            self._outside[Outside(row.code)] = row.id
            self._outside_rows.add(row.id)
            return
        self._places[row.site, row.code] = row.id
        if row.kind == Role.DAMAGED:
            self._places.setdefault((row.site, Role.DAMAGED), row.id)


def site_row(connection: Connection, code: str) -> int:
    """Return the row number of a site, made when it is new."""
    connection.execute(database.insert_or_ignore(connection, schema.site), {"code": code})
    return int(
        connection.execute(select(schema.site.c.id).where(schema.site.c.code == code)).scalar_one()
    )


def put_item(connection: Connection, sku: str, name: str) -> None:
    """Add an item, or give a known one another name."""
    connection.execute(
        database.upsert(
            connection.dialect.name, schema.item, ["sku"], lambda new: {"name": new.name}
        ),
        {"sku": sku, "name": name},
    )
    bump(connection)


class LevelRow(NamedTuple):
    """A row of the table `level`."""

    item: int
    site: int
    safety: int
    low_stock: int | None


def write_levels(connection: Connection, levels: Sequence[LevelRow]) -> None:
    """Store levels; central carries them over to the availability."""
    change = database.upsert(
        connection.dialect.name,
        schema.level,
        ["item", "site"],
        lambda new: {"safety": new.safety, "low_stock": new.low_stock},
    )
    if levels:
        connection.execute(change, [level._asdict() for level in sorted(levels)])


def has_location(connection: Connection, site: str, code: str) -> bool:
    """Return whether a site has such a location in use; the places outside belong to each."""
    place, table = schema.location, schema.site
    query = select(table.c.id).where(table.c.code == site)
    if code not in Outside.__members__:
        query = query.join(place, place.c.site == table.c.id)
        query = query.where(place.c.code == code, place.c.active == 1)
    return connection.execute(query).first() is not None


def _write_barcodes(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    change = database.upsert(
        connection.dialect.name,
        schema.barcode,
        ["code"],
        lambda new: {"item": new.item, "each_per": new.each_per},
    )
    connection.execute(change, rows)


def import_items(connection: Connection, path: Path) -> tuple[int, int]:
    """Import sku,name,barcode,each_per rows; return how many items and barcodes there are in it.

    With a column `site`, the columns `safety` and `low_stock` set the levels there.
    """
    names: dict[str, str] = {}
    codes: dict[str, tuple[str, int]] = {}
    levels: dict[tuple[str, str], tuple[int, int | None]] = {}
    for line, row in _rows(path, ("sku", "name", "barcode", "each_per"), _LEVEL_COLUMNS):
        sku, code = row["sku"], row["barcode"]
        if not 1 <= len(sku) <= NAME_LENGTH_MAX:
            raise CatalogueError(f"{path}:{line}: a sku has 1 to {NAME_LENGTH_MAX} characters")
        if len(row["name"]) > TEXT_LENGTH_MAX:
            raise CatalogueError(f"{path}:{line}: a name has at most {TEXT_LENGTH_MAX} characters")
        names[sku] = row["name"] or names.get(sku, "")
        if row["safety"] or row["low_stock"]:
            if not row["site"]:
                raise CatalogueError(f"{path}:{line}: safety and low_stock need a site")
            low = _whole(row["low_stock"], f"{path}:{line}: low_stock")
            safety = _whole(row["safety"], f"{path}:{line}: safety")
            levels[sku, row["site"]] = (safety or 0, low)
        if not code:
            continue
        each_per = _whole(row["each_per"] or "1", f"{path}:{line}: each_per")
        if each_per is None or not 0 < each_per <= EACH_PER_MAX:
            raise CatalogueError(f"{path}:{line}: each_per must be 1 to {EACH_PER_MAX}")
        key = barcode_key(code)
        if codes.get(key, (sku, 0))[0] != sku:
            raise CatalogueError(
                f"{path}:{line}: barcode {code} already belongs to {codes[key][0]}"
            )
        codes[key] = (sku, each_per)
    if names:
        connection.execute(
            database.upsert(
                connection.dialect.name, schema.item, ["sku"], lambda new: {"name": new.name}
            ),
            [{"sku": sku, "name": name} for sku, name in names.items()],
        )
    ids = {row.sku: row.id for row in connection.execute(select(schema.item))}
    if codes:
        rows = [{"code": c, "item": ids[sku], "each_per": n} for c, (sku, n) in codes.items()]
        _write_barcodes(connection, rows)
    sites = {site: site_row(connection, site) for _, site in levels}
    write_levels(
        connection,
        [LevelRow(ids[sku], sites[site], *level) for (sku, site), level in levels.items()],
    )
    bump(connection)
    return len(names), len(codes)


def import_locations(connection: Connection, path: Path, sellable: Iterable[str]) -> list[str]:
    """Import code,site,kind rows; return what was done, a sentence each.

    A location that exists takes its new kind. Central sums the stock up again where that changes
    what can be sold; until then the old kind counts.
    """
    sites: dict[str, int] = {}
    rows = []
    for line, row in _rows(path, ("code", "site", "kind")):
        kind = row["kind"] or "bin"
        if kind not in PHYSICAL_KINDS:
            raise CatalogueError(f"{path}:{line}: kind {kind!r}; use {', '.join(PHYSICAL_KINDS)}")
        if not row["code"] or not row["site"]:
            raise CatalogueError(f"{path}:{line}: a location needs a code and a site")
        if row["code"] in Outside.__members__:
            raise CatalogueError(f"{path}:{line}: {row['code']} is the name of a place outside")
        number = sites.setdefault(row["site"], 0) or site_row(connection, row["site"])
        sites[row["site"]] = number
        rows.append(
            {"code": row["code"], "site": number, "kind": kind, "sellable": int(kind in sellable)}
        )
    changed = _change_kinds(connection, rows)
    if rows:
        connection.execute(database.insert_or_ignore(connection, schema.location), rows)
    bump(connection)
    return [f"{len(rows)} locations imported", *changed]


def _change_kinds(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[str]:
    table = schema.location
    kinds = {(row["site"], row["code"]): row["kind"] for row in rows}
    known = connection.execute(select(table).where(table.c.site.is_not(None))).all()
    other = [row for row in known if kinds.get((row.site, row.code), row.kind) != row.kind]
    for row in other:
        kind = kinds[row.site, row.code]
        connection.execute(update(table).where(table.c.id == row.id).values(kind=kind))
    return [
        f"{row.code} is a {kinds[row.site, row.code]} now, no {row.kind}: central, when it runs, "
        "sums up again what can be sold"
        for row in other
    ]


def _whole(text: str, what: str) -> int | None:
    """Return a count of eaches from a CSV field, None when it is empty."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise CatalogueError(f"{what} {text!r} is no whole number of eaches")
    return int(text)


def _rows(
    path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            absent = [name for name in columns if name not in (reader.fieldnames or ())]
            if absent:
                raise CatalogueError(
                    f"{path}: column {absent[0]!r} is missing; the first line must name "
                    f"{', '.join(columns)}"
                )
            for row in reader:
                names = (*columns, *optional)
                yield reader.line_num, {name: (row.get(name) or "").strip() for name in names}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(f"{path}: {error}") from error


def bump(connection: Connection) -> None:
    """Make every running central look the catalogue up again."""
    value = schema.meta.c.value
    count = database.upsert(
        connection.dialect.name,
        schema.meta,
        ["key"],
        lambda _: {"value": cast(cast(value, Integer) + 1, Text)},
    )
    connection.execute(count, {"key": lookups.CATALOGUE_VERSION_KEY, "value": "1"})
    names.stale(connection)
