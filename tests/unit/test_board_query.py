"""The filter's little language: any column, any moment of typing."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.query import Query, parse
from monitor.sheet import named
from monitor.stock import Stock
from monitor.stock_listing import COLUMNS
from stock_messages import NOW, item


def stock() -> Stock:
    """Return three items of different ages."""
    made = Stock(10)
    for sku, available, as_of in (("A-1", 5, -30), ("A-2", 50, -600), ("b:3", 500, -90_000)):
        made.apply(item(sku, available=available, as_of=as_of, site="ber"), NOW, 1)
    return made


def found(text: str) -> list[str]:
    """Return the SKUs that pass a filter text."""
    made = stock()
    rows = parse(text, COLUMNS).select(range(3), made, NOW)
    assert rows == [row for row in range(3) if parse(text, COLUMNS).matches(row, made, NOW)]
    return [made.sku[row] for row in rows]


def test_every_column_can_be_asked() -> None:
    """Words, text, figures and ages, with every sign, by key, title or its beginning."""
    assert found("a-") == ["A-1", "A-2"]
    assert found("site=ber sku:2") == ["A-2"]
    assert found("site=be") == []
    assert found("available<50") == ["A-1"]
    assert found("AVAIL<=50 on_hand>5") == ["A-2"]
    assert found("onhand=500") == ["b:3"]
    assert found("available:5") == ["A-1", "A-2", "b:3"]
    assert found("age<1m") == ["A-1"]
    assert found("age>=10m age<2d") == ["A-2", "b:3"]
    assert found("b:3") == ["b:3"]


def test_what_is_still_being_typed_hides_nothing() -> None:
    """A column with half a condition leaves every row in, so that the table does not flicker."""
    for text in ("", "  ", "available", "available<", "age>", "age>5x", "site:", "available<x"):
        rows = parse(text, COLUMNS).select(range(3), stock(), NOW)
        assert len(rows) == (0 if text == "available" else 3), text


@given(st.text(max_size=40))
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    """Any text gives a query that can be asked, the same way for one row and for all."""
    query, made = parse(text, COLUMNS), stock()
    rows = query.select(range(3), made, NOW)
    assert rows == [row for row in range(3) if query.matches(row, made, NOW)]
    assert query or rows == [0, 1, 2]


@given(st.sampled_from(COLUMNS), st.integers(1, 20))
def test_a_column_is_found_by_how_its_name_begins(column: object, length: int) -> None:
    """Any beginning of a title names a column whose title begins so."""
    title = column.title.casefold().replace(" ", "")[:length]  # type: ignore[attr-defined]
    meant = named(COLUMNS, title)
    assert meant is not None
    assert title in (meant.key[:length], meant.title.casefold().replace(" ", "")[:length])


def test_an_empty_query_is_false() -> None:
    """So that 100,000 rows are not looked at for nothing."""
    assert not Query()
    assert parse("x", COLUMNS)
