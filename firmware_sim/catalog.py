"""A warehouse's items, places and lots, all from a seed. Pure."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

from pydantic import BaseModel, ConfigDict

from firmware_sim import gs1

_GOODS = {
    "VLV": ("Ball valve", ("1/4 in", "1/2 in", "3/4 in", "1 in"), ("brass", "steel", "PVC")),
    "GSK": ("Flange gasket", ("DN15", "DN25", "DN50", "DN80"), ("EPDM", "NBR", "graphite")),
    "HOS": ("Hydraulic hose", ("0.5 m", "1 m", "2 m", "5 m"), ("1-wire", "2-wire", "PTFE")),
    "BRG": ("Ball bearing", ("6001", "6203", "6305", "6208"), ("open", "2RS", "ZZ")),
    "FLT": ("Oil filter", ("M20", "M22", "3/4-16", "1-12"), ("short", "long", "spin-on")),
    "BLT": ("Hex bolt", ("M6x20", "M8x40", "M10x60", "M12x80"), ("8.8", "10.9", "A4")),
    "PMP": ("Pump seal kit", ("size 1", "size 2", "size 3", "size 4"), ("Viton", "NBR", "EPDM")),
    "FUS": ("Blade fuse", ("5 A", "10 A", "20 A", "30 A"), ("mini", "standard", "maxi")),
}
_CASE_SIZES = (6, 10, 12, 24, 48)
#: Expiry dates lie this far behind the seed's first day: inside the century window of GS1 dates.
_EXPIRY_FROM = date(2027, 1, 1)
_EXPIRY_DAYS = 900
_BINS_PER_RACK = 12
DOCKS = ("DOCK-1", "DOCK-2")
QUARANTINE, DAMAGED = "QUARANTINE", "DAMAGED"


class Lot(BaseModel):
    """One batch of a maker, as its label says."""

    model_config = ConfigDict(frozen=True)

    code: str
    expiry: date


class Item(BaseModel):
    """One thing in stock with the barcodes printed on it; no case barcode means no case."""

    model_config = ConfigDict(frozen=True)

    sku: str
    name: str
    each: str
    case: str | None = None
    each_per_case: int = 1
    lots: tuple[Lot, ...] = ()


class Catalogue(BaseModel):
    """Everything that the simulator's programs and central must agree on."""

    model_config = ConfigDict(frozen=True)

    seed: int
    site: str
    items: tuple[Item, ...]
    bins: tuple[str, ...]
    docks: tuple[str, ...] = DOCKS


def build(seed: int, site: str = "main", items: int = 40, bins: int = 48) -> Catalogue:
    """Return the catalogue of a seed; equal arguments give equal catalogues."""
    rng = random.Random(f"catalogue {seed}")
    names = _names(rng)
    return Catalogue(
        seed=seed,
        site=site,
        items=tuple(_item(number, *next(names), rng) for number in range(items)),
        bins=tuple(
            f"{chr(65 + n // _BINS_PER_RACK % 26)}-{n // _BINS_PER_RACK + 1:02}"
            f"-{n % _BINS_PER_RACK + 1:02}"
            for n in range(bins)
        ),
    )


def item_rows(catalogue: Catalogue) -> Iterator[tuple[str, str, str, int]]:
    """Yield (sku, name, barcode, each_per), one row a barcode: the lines of items.csv."""
    for item in catalogue.items:
        yield item.sku, item.name, item.each, 1
        if item.case is not None:
            yield item.sku, item.name, item.case, item.each_per_case


def location_rows(catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    """Yield (code, site, kind): the lines of locations.csv."""
    for code in catalogue.docks:
        yield code, catalogue.site, "dock"
    for code in catalogue.bins:
        yield code, catalogue.site, "bin"
    yield QUARANTINE, catalogue.site, "quarantine"
    yield DAMAGED, catalogue.site, "damaged"


def sscc(rng: random.Random) -> str:
    """Return a license plate number with a right check digit."""
    return gs1.checked(f"{rng.randrange(1, 10)}4012345{rng.randrange(10**9):09}")


def stranger(rng: random.Random) -> str:
    """Return a valid EAN-13 that is in no catalogue: those begin with 40 or 07, never with 73."""
    return gs1.checked(f"73{rng.randrange(10**10):010}")


def from_json(text: str | bytes) -> Catalogue:
    """Return the catalogue that `to_json` wrote; ValueError when it is none."""
    return Catalogue.model_validate_json(text)


def to_json(catalogue: Catalogue) -> str:
    """Return the catalogue as the text of catalogue.json."""
    return catalogue.model_dump_json(indent=1)


def _names(rng: random.Random) -> Iterator[tuple[str, str]]:
    every = [
        (prefix, f"{noun} {size} {kind}")
        for prefix, (noun, sizes, kinds) in _GOODS.items()
        for size in sizes
        for kind in kinds
    ]
    rng.shuffle(every)
    series = 1
    while True:
        for prefix, name in every:
            yield prefix, name if series == 1 else f"{name} series {series}"
        series += 1


def _item(number: int, prefix: str, name: str, rng: random.Random) -> Item:
    """Number the item inside its barcodes, so that no two items can ever share one."""
    match rng.randrange(10):
        case 0:  # small parts carry the short symbol; 0 and 2 in front would be store-internal
            each = gs1.checked(f"{rng.choice('13456789')}{number:06}")
        case 1 | 2:
            each = gs1.checked(f"7{rng.randrange(10**4):04}{number:06}")
        case _:
            each = gs1.checked(f"40{rng.randrange(10**4):04}{number:06}")
    has_case = rng.random() < 0.6
    lots = tuple(
        Lot(
            code=f"L{rng.randrange(10**4):04}{letter}",
            expiry=_EXPIRY_FROM + timedelta(days=rng.randrange(_EXPIRY_DAYS)),
        )
        for letter in "ABC"[: rng.choice((0, 0, 1, 2, 3))]
    )
    return Item(
        sku=f"{prefix}-{number:04}",
        name=name,
        each=each,
        case=gs1.checked(str(rng.randrange(1, 9)) + each.zfill(13)[:-1]) if has_case else None,
        each_per_case=rng.choice(_CASE_SIZES) if has_case else 1,
        lots=lots,
    )
