"""Labels as goods carry them at a dock, and labels that no catalogue knows. Pure."""

import random
from dataclasses import dataclass

from firmware_sim import catalog, gs1


@dataclass(frozen=True, slots=True)
class Goods:
    """A label in somebody's hand: its reading, and what it stands for.

    `units` labelled units of `each_per` eaches; `by_label` when a quantity label says so.
    """

    raw: bytes
    sku: str
    lot: str = ""
    units: int = 1
    each_per: int = 1
    by_label: bool = False
    text: str = ""


def single(catalogue: catalog.Catalogue, rng: random.Random) -> tuple[Goods, Goods]:
    """Return an item with its plain each or case symbol, twice: as scanned, as it lies there."""
    item = rng.choice(catalogue.items)
    if item.case is None or rng.random() < 0.6:
        goods = Goods(gs1.trade_item(item.each), item.sku, text=f"each {item.each}")
    else:
        goods = _case(item, rng)
    return goods, goods


def delivery(catalogue: catalog.Catalogue, rng: random.Random) -> tuple[Goods, Goods]:
    """Return a label as a carrier brings it, and the label that its goods have afterwards.

    They differ for a pallet: its license plate is scanned once, then it is broken into cases.
    """
    item = rng.choice(catalogue.items)
    forms = [lambda: single(catalogue, rng)]
    if item.lots:
        forms += [lambda: _same(_lot(item, rng))] * 2
    if item.case is not None:
        forms += [lambda: _same(_counted_cases(item, rng)), lambda: _pallet(item, rng)]
    return rng.choice(forms)()


def unknown_item(rng: random.Random) -> tuple[bytes, str]:
    """Return the reading of an EAN-13 that nobody knows."""
    barcode = catalog.stranger(rng)
    return gs1.trade_item(barcode), f"unknown item {barcode}"


def plate(rng: random.Random) -> tuple[bytes, str]:
    """Return the reading of a license plate whose contents nobody announced."""
    number = catalog.sscc(rng)
    return gs1.elements("]C1", [("00", number)]), f"license plate {number}"


def note(rng: random.Random) -> tuple[bytes, str]:
    """Return the reading of a Code 128 with free text, as carriers stick on parcels."""
    text = f"RMA {rng.randrange(10**6):06}"
    return gs1.control(text), f"text {text}"


def _same(goods: Goods) -> tuple[Goods, Goods]:
    return goods, goods


def _case(item: catalog.Item, rng: random.Random) -> Goods:
    assert item.case is not None
    raw = rng.choice((gs1.trade_item(item.case), gs1.elements("]C1", [("01", item.case)])))
    return Goods(raw, item.sku, each_per=item.each_per_case, text=f"case {item.case}")


def _lot(item: catalog.Item, rng: random.Random) -> Goods:
    lot = rng.choice(item.lots)
    number, expiry = ("01", gs1.gtin14(item.each)), ("17", gs1.yymmdd(lot.expiry))
    batch = ("10", lot.code)
    raw = rng.choice(
        (
            gs1.elements("]C1", [number, expiry, batch]),
            gs1.elements("]C1", [number, batch, expiry]),
            gs1.elements("]d2", [number, batch, expiry]),
            gs1.elements("]Q3", [number, expiry, batch]),
        )
    )
    return Goods(raw, item.sku, lot.code, text=f"each {item.each} lot {lot.code}")


def _counted_cases(item: catalog.Item, rng: random.Random) -> Goods:
    assert item.case is not None
    cases = rng.randrange(2, 9)
    raw = gs1.elements("]C1", [("01", item.case), ("30", str(cases))])
    text = f"{cases} cases {item.case}"
    return Goods(raw, item.sku, units=cases, each_per=item.each_per_case, text=text)


def _pallet(item: catalog.Item, rng: random.Random) -> tuple[Goods, Goods]:
    assert item.case is not None
    cases, number = rng.randrange(2, 40), catalog.sscc(rng)
    content = [("02", item.case), ("37", str(cases))]
    if rng.random() < 0.5:
        content.insert(0, ("00", number))
    raw = gs1.elements("]C1", content)
    text = f"pallet of {cases} cases {item.case}"
    pallet = Goods(raw, item.sku, units=cases, each_per=item.each_per_case, text=text)
    return pallet, _case(item, rng)
