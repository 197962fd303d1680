"""Stock and view against a plain model: contents, order, versions."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.query import parse
from monitor.stock import Stock
from monitor.stock_listing import COLUMNS
from monitor.trail import SAMPLES_MAX, Trails
from monitor.view import View
from stock_messages import NOW, item
from wire.events import Availability

LOW = 10
SKUS = [f"SKU-{number}" for number in range(8)]
NAMES = ["valve DN25", "sensor", "Valve M8", "hose"]
SORT_KEYS = [column.key for column in COLUMNS]
#: What is typed, and what it means, said another way.
FILTERS: dict[str, Callable[[Availability], bool]] = {
    "": lambda _: True,
    "valve": lambda news: "valve" in news.name.lower(),
    "VALVE m8": lambda news: "valve" in news.name.lower() and "m8" in news.name.lower(),
    "sku-3": lambda news: news.sku == "SKU-3",
    "ham": lambda news: news.site == "ham",
    "nothing has this": lambda _: False,
    "available<5": lambda news: news.available < 5,
    "avail<=5 site:am": lambda news: news.available <= 5 and news.site == "ham",
    "reserved=0 hose": lambda news: news.reserved == 0 and "hose" in news.name,
    "onhand>": lambda _: True,
    "name=hose": lambda news: news.name == "hose",
}


@dataclass
class Model:
    """What must be known, the slow and obvious way."""

    newest: dict[tuple[str, str], Availability] = field(default_factory=dict)

    def apply(self, news: Availability) -> None:
        """Keep the newest version."""
        known = self.newest.get((news.site, news.sku))
        if known is None or news.version > known.version:
            self.newest[news.site, news.sku] = news

    def passing(self, text: str, low_only: bool) -> set[tuple[str, str]]:
        """Return the items that pass a filter."""
        return {
            key
            for key, news in self.newest.items()
            if FILTERS[text](news) and (not low_only or news.available <= LOW)
        }


updates = st.builds(
    item,
    sku=st.sampled_from(SKUS),
    version=st.integers(1, 12),
    available=st.integers(-3, 30),
    name=st.sampled_from(NAMES),
    site=st.sampled_from(["ber", "ham"]),
    reserved=st.integers(0, 5),
)
operations = st.one_of(
    st.tuples(st.just("apply"), updates),
    st.tuples(st.just("remove"), st.tuples(st.sampled_from(["ber", "ham"]), st.sampled_from(SKUS))),
    st.tuples(st.just("filter"), st.tuples(st.sampled_from(list(FILTERS)), st.booleans())),
    st.tuples(st.just("sort"), st.tuples(st.sampled_from(SORT_KEYS), st.booleans())),
    st.tuples(st.just("update"), st.none()),
    st.tuples(st.just("place"), st.none()),
    st.tuples(st.just("pause"), st.none()),
)


def keys(view: View) -> list[tuple[str, str]]:
    """Return what the view shows, in order."""
    return [(view.stock.site[row], view.stock.sku[row]) for row in view.rows]


@settings(max_examples=150, deadline=None)
@given(st.lists(operations, max_size=40))
def test_the_view_is_exactly_the_filter_whatever_happens(steps: list) -> None:
    """After any history the view holds each passing item once; sorting then orders it rightly."""
    stock, model, wanted = Stock(LOW), Model(), ("", False)
    view = View(stock)
    for action, argument in steps:
        match action:
            case "apply":
                model.apply(argument)
                stock.apply(argument, NOW, 1)
            case "remove":
                removed = model.newest.pop(argument, None)
                assert stock.remove(*argument) == (removed is not None)
            case "filter":
                wanted = argument
                view.filter(parse(argument[0], COLUMNS), low_only=argument[1])
            case "sort":
                view.sort(argument[0], reverse=argument[1])
            case "update" if view.stock is stock:
                view.update(stock.take_changed())
            case "place" if view.stock is stock:
                view.place()
            case "pause":
                stock_shown = stock if view.stock is not stock else stock.frozen()
                view.show(stock_shown)
    view.show(stock)
    view.update(stock.take_changed())
    assert sorted(keys(view)) == sorted(model.passing(*wanted))
    assert all(row in view for row in view.rows)
    view.sort()
    column = getattr(stock, view.key)
    values = [-column[row] if view.key == "as_of" else column[row] for row in view.rows]
    assert values == sorted(values, reverse=view.reverse)
    assert len(stock) == len(model.newest)


@settings(max_examples=100, deadline=None)
@given(st.lists(updates, max_size=40))
def test_versions_never_go_back(news: list[Availability]) -> None:
    """Whatever arrives in whatever order, each item shows the newest version and its own marks."""
    stock, model = Stock(LOW), Model()
    for each in news:
        before = model.newest.get((each.site, each.sku))
        model.apply(each)
        assert stock.apply(each, NOW, 1) == (before is None or each.version > before.version)
    for row, key in enumerate(zip(stock.site, stock.sku, strict=True)):
        newest = model.newest[key]
        assert (stock.version[row], stock.available[row]) == (newest.version, newest.available)
        assert stock.on_hand[row] == newest.on_hand
        expected = "out" if newest.available <= 0 else "low" if newest.available <= LOW else ""
        assert stock.level(row) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(updates, min_size=1, max_size=20), st.lists(updates, max_size=20))
def test_a_frozen_stock_stands_still(before: list[Availability], after: list[Availability]) -> None:
    """What was frozen does not change while the present goes on."""
    stock = Stock(LOW)
    for each in before:
        stock.apply(each, NOW, 1)
    frozen = stock.frozen()
    seen = [(list(frozen.available), list(frozen.version), set(frozen.low), len(frozen))]
    for each in after:
        stock.apply(each, NOW, 1)
        stock.remove(each.site, SKUS[0])
    assert seen == [(list(frozen.available), list(frozen.version), frozen.low, len(frozen))]


def test_the_order_is_held_until_sorted_again() -> None:
    """A figure that moves does not move its line; sorting again does."""
    stock = Stock(LOW)
    for number, sku in enumerate("ABC", start=1):
        stock.apply(item(sku, available=number), NOW, 1)
    view = View(stock)
    view.sort("available")
    stock.take_changed()
    stock.apply(item("A", version=2, available=99), NOW, 1)
    assert not view.update(stock.take_changed())
    assert [sku for _, sku in keys(view)] == ["A", "B", "C"]
    assert view.held
    view.sort()
    assert [sku for _, sku in keys(view)] == ["B", "C", "A"]
    assert not view.held


def test_a_new_item_finds_its_place_by_sku() -> None:
    """Sorted by a key that never changes, a new item is put among its neighbours."""
    stock = Stock(LOW)
    view = View(stock)
    for sku in "CAB":
        stock.apply(item(sku), NOW, 1)
    assert view.update(stock.take_changed())
    assert view.place()
    assert [sku for _, sku in keys(view)] == ["A", "B", "C"]
    assert not view.place()


def test_an_item_enters_and_leaves_the_low_list_by_itself() -> None:
    """Low only: what becomes low appears, what is restocked goes, without sorting again."""
    stock = Stock(LOW)
    view = View(stock)
    for sku in "AB":
        stock.apply(item(sku, available=50), NOW, 1)
    view.filter(parse("", COLUMNS), low_only=True)
    view.update(stock.take_changed())
    assert keys(view) == []
    stock.apply(item("B", version=2, available=LOW), NOW, 1)
    assert view.update(stock.take_changed())
    assert keys(view) == [("ber", "B")]
    stock.apply(item("B", version=3, available=LOW + 1), NOW, 1)
    assert view.update(stock.take_changed())
    assert keys(view) == []


def test_the_trail_covers_the_whole_time_in_bounded_memory() -> None:
    """Hundreds of changes keep the first and the last figure and the shape between them."""
    stock = Stock(LOW, opened=NOW)
    for step in range(500):
        stock.apply(item("A", version=step + 1, available=step), NOW + step, 1)
    drawn = stock.trails.drawn(0, NOW + 499, 20)
    assert (drawn[0], drawn[-1]) == (0, 499)
    assert drawn == sorted(drawn)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-9, 99)), max_size=200))
def test_trails_of_many_rows_are_kept_apart(moves: list[tuple[int, int]]) -> None:
    """Each row keeps its first and its newest figure, and its extremes while there is room."""
    trails, seen = Trails(NOW), dict[int, list[int]]()
    for moment, (row, value) in enumerate(moves, start=1):
        before = seen.setdefault(row, [0])
        trails.add(row, NOW + moment, value, (NOW, before[-1]))
        before.append(value)
    for row in range(5):
        assert (row in trails) == (row in seen)
    for row, values in seen.items():
        drawn = trails.drawn(row, NOW + len(moves), 30)
        assert (drawn[0], drawn[-1]) == (0, values[-1])
        assert set(drawn) <= set(values)
        assert trails.since(row) == NOW
        if len(values) <= SAMPLES_MAX:
            assert trails.span(row) == (min(values), max(values))
