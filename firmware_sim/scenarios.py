"""What the people at the dock do: endless scripts of steps, from a seed. Pure.

Each scanner works on bins of its own, so that counts and moves of two scanners never race and the
expected stock follows from each scanner's own order. A person starts every round with END: that
brings the station back to its defaults, whatever an earlier run left.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from firmware_sim import catalog, faults, gs1, labels, packing
from firmware_sim.packing import Goods
from firmware_sim.truth import Meaning
from wire.events import Kind

#: What a dock sees beside good barcodes, as shares of the item scans.
_UNREADABLE, _UNKNOWN, _BAD_LABEL, _UNDO = 0.04, 0.03, 0.02, 0.06
_Q_SHARE = 0.2
#: A bin remembers this many of its labels; people take what lies in front.
_LABELS_PER_BIN = 20
_QUIET_FACTOR = 10.0
#: Items that each scanner counts into its storage bin when the shift begins.
_OPENING_ITEMS = 3


@dataclass(frozen=True, slots=True)
class Station:
    """One scanner: its name, its usual dock, and that it is number `index` of `of`."""

    scanner: str
    dock: str
    index: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One trigger press. `gap` is the wait before it in units of the pace, 1 on average.

    `first` are the labels that belong to it: they are scanned before it, each time.
    """

    raw: bytes
    meaning: Meaning
    gap: float = 1.0
    first: tuple["Step", ...] = ()


def play(
    name: str, catalogue: catalog.Catalogue, station: Station, rng: random.Random
) -> Iterator[Step]:
    """Yield the steps of a named scenario for one scanner, without end."""
    person = _Person(catalogue, station, rng)
    script = SCENARIOS[name]
    while True:
        yield from script(person)


@dataclass
class _Person:
    """Somebody with a scanner, and what lies around them."""

    catalogue: catalog.Catalogue
    station: Station
    rng: random.Random
    noisy: bool = True
    opened: bool = False
    on_dock: list[Goods] = field(default_factory=list)
    in_bins: dict[str, list[Goods]] = field(default_factory=dict)
    picked: list[Goods] = field(default_factory=list)

    @property
    def bins(self) -> tuple[str, ...]:
        """The bins this person works on."""
        return self._own[1:] or self._own

    @property
    def storage(self) -> str:
        """A bin that nobody but the packers of the web shop touches after the opening count."""
        return self._own[0]

    @property
    def _own(self) -> tuple[str, ...]:
        return self.catalogue.bins[self.station.index :: self.station.of]

    def begin(self) -> Iterator[Step]:
        """Log on: defaults, operator, document."""
        yield _label("C", "END")
        yield _label("O", self.rng.choice(("MIKA", "ANTON", "ELIF", "ROSA")))
        yield _label("D", f"PO-{self.rng.randrange(1000, 9999)}")

    def mode(self, command: labels.Command, *places: str) -> Iterator[Step]:
        """Choose what is done from now on, and where."""
        yield _label("C", command)
        for place in places:
            yield _label("L", place)

    def scan(
        self, goods: Goods, kind: Kind, origin: str | None, target: str | None
    ) -> Iterator[Step]:
        """Scan one label of goods, with a quantity label when it stands for several."""
        yield self._item(goods, kind, origin, target)
        if self.noisy:
            yield from self._noise(kind)

    def opening(self) -> Iterator[Step]:
        """Count what the shop sells from, before the first delivery arrives."""
        yield from self.mode("COUNT", self.storage)
        for _ in range(_OPENING_ITEMS):
            goods, _left = packing.single(self.catalogue, self.rng)
            many = replace(goods, units=self.rng.randrange(150, 400), by_label=True)
            yield self._item(many, "count", None, self.storage)

    def receive(self, times: int) -> Iterator[Step]:
        """Take goods in at the dock; now and then take a scan back."""
        for _ in range(times):
            goods, left = packing.delivery(self.catalogue, self.rng)
            if self.rng.random() < _Q_SHARE and goods.units == 1:
                goods = left = replace(goods, units=self.rng.randrange(2, 60), by_label=True)
            yield self._item(goods, "receive", None, self.station.dock)
            if self.noisy and self.rng.random() < _UNDO:
                yield _undo()
                continue
            self.on_dock.append(left)
            if self.noisy:
                yield from self._noise("receive")

    def putaway(self) -> Iterator[Step]:
        """Bring what lies at the dock into bins."""
        while self.on_dock:
            place = self.rng.choice(self.bins)
            yield from self.mode("PUTAWAY", place)
            for _ in range(min(len(self.on_dock), self.rng.randrange(1, 4))):
                goods = self.on_dock.pop(0)
                yield from self.scan(goods, "putaway", self.station.dock, place)
                self._lay(place, goods)

    def move(self) -> Iterator[Step]:
        """Move something from one bin to another."""
        source = self._stocked()
        others = [place for place in self.bins if place != source]
        if source and others:
            target = self.rng.choice(others)
            yield from self.mode("MOVE", source, target)
            goods = self._take(source)
            yield from self.scan(goods, "move", source, target)
            self._lay(target, goods)

    def pick(self, times: int) -> Iterator[Step]:
        """Bring goods from bins to the dock."""
        for _ in range(times):
            if source := self._stocked():
                yield from self.mode("PICK", source)
                goods = self._take(source)
                yield from self.scan(goods, "pick", source, self.station.dock)
                self.picked.append(goods)

    def ship(self) -> Iterator[Step]:
        """Hand over to the carrier what was picked."""
        if self.picked:
            yield from self.mode("SHIP", self.station.dock)
        while self.picked:
            yield from self.scan(self.picked.pop(0), "ship", self.station.dock, None)

    def take_back(self) -> Iterator[Step]:
        """Book a customer's return at the dock."""
        goods, _ = packing.single(self.catalogue, self.rng)
        yield from self.mode("RETURN", self.station.dock)
        yield from self.scan(goods, "return", None, self.station.dock)
        self.on_dock.append(goods)

    def damage(self) -> Iterator[Step]:
        """Write off something that fell from a bin."""
        if source := self._stocked():
            yield from self.mode("DAMAGE", source)
            goods = self._take(source)
            yield from self.scan(goods, "damage", source, catalog.DAMAGED)

    def count(self) -> Iterator[Step]:
        """Count one item in a bin; counting needs a label without a lot."""
        place = self._stocked() or self.rng.choice(self.bins)
        goods, _ = packing.single(self.catalogue, self.rng)
        seen = replace(goods, units=self.rng.randrange(1, 40), by_label=True)
        yield from self.mode("COUNT", place)
        yield from self.scan(seen, "count", None, place)
        self._lay(place, goods)

    def _item(self, goods: Goods, kind: Kind, origin: str | None, target: str | None) -> Step:
        meaning = Meaning(
            outcome="goods", kind=kind, sku=goods.sku, lot=goods.lot, units=goods.units,
            eaches=goods.units * goods.each_per, origin=origin, target=target, text=goods.text,
        )  # fmt: skip
        first = (_label("Q", str(goods.units)),) if goods.by_label else ()
        return Step(goods.raw, meaning, self._gap(), first)

    def _noise(self, kind: Kind) -> Iterator[Step]:
        """Everything that is no known item; it must never change any stock."""
        rng, dice = self.rng, self.rng.random()
        if dice < _UNREADABLE:
            meaning = Meaning(outcome="unreadable", kind="unreadable", text="nobody can read this")
            item = rng.choice(self.catalogue.items)
            raw = rng.choice((faults.garbage(rng), faults.scratched(item.each, rng)))
            yield Step(raw, meaning, self._gap())
        elif dice < _UNREADABLE + _UNKNOWN:
            raw, text = rng.choice((packing.unknown_item, packing.plate, packing.note))(rng)
            yield Step(raw, Meaning(outcome="held", kind=kind, text=text), self._gap())
        elif dice < _UNREADABLE + _UNKNOWN + _BAD_LABEL:
            text = labels.damaged(labels.label("L", rng.choice(self.bins)))
            yield Step(gs1.control(text), Meaning(outcome="bad_label", text=text), self._gap())

    def _gap(self) -> float:
        return self.rng.uniform(0.5, 1.5)

    def _stocked(self) -> str | None:
        filled = sorted(place for place, goods in self.in_bins.items() if goods)
        return self.rng.choice(filled) if filled else None

    def _take(self, place: str) -> Goods:
        goods = self.in_bins[place]
        return goods.pop(self.rng.randrange(len(goods)))

    def _lay(self, place: str, goods: Goods) -> None:
        shelf = self.in_bins.setdefault(place, [])
        shelf.append(goods)
        del shelf[:-_LABELS_PER_BIN]


def _label(kind: labels.LabelType, value: str) -> Step:
    text = labels.label(kind, value)
    return Step(gs1.control(text), Meaning(outcome="label", text=text))


def _undo() -> Step:
    text = labels.label("C", "UNDO")
    return Step(gs1.control(text), Meaning(outcome="undo", kind="undo", text=text))


def _shift(person: _Person) -> Iterator[Step]:
    yield from person.begin()
    if not person.opened:
        person.opened = True
        yield from person.opening()
        yield _label("C", "RECEIVE")
    yield from person.receive(person.rng.randrange(3, 9))
    yield from person.putaway()
    for _ in range(4):
        yield from person.rng.choice(
            (person.move, person.take_back, person.damage, person.count, person.count)
        )()
    yield from person.putaway()
    yield from person.pick(person.rng.randrange(2, 7))
    yield from person.ship()


def _quiet(person: _Person) -> Iterator[Step]:
    return (replace(step, gap=step.gap * _QUIET_FACTOR) for step in _shift(person))


def _burst(person: _Person) -> Iterator[Step]:
    person.noisy = False
    yield _label("C", "END")
    steps = (replace(step, gap=0.0) for step in person.receive(200))
    yield from steps
    person.on_dock.clear()


def _flash_sale(person: _Person) -> Iterator[Step]:
    """Fill the dock with a few items by the box, then sell them out as fast as hands move."""
    yield from person.begin()
    offers = [packing.single(person.catalogue, person.rng)[0] for _ in range(3)]
    for goods in offers:
        many = replace(goods, units=person.rng.randrange(20, 60), by_label=True)
        yield from person.scan(many, "receive", None, person.station.dock)
        person.picked += [goods] * many.units
    person.rng.shuffle(person.picked)
    yield from (replace(step, gap=step.gap / 2) for step in person.ship())


SCENARIOS: dict[str, Callable[[_Person], Iterator[Step]]] = {
    "shift": _shift,
    "quiet": _quiet,
    "flash_sale": _flash_sale,
    "burst": _burst,
}
