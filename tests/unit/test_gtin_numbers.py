"""Check digits, UPC-E, restricted numbers."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import gtin, rcn
from gateway.barcode import Barcode, Unreadable, parse
from gateway.reading import Misread

_TODAY = date(2026, 6, 1)


@given(st.text("0123456789", min_size=1, max_size=17))
def test_check_digit_completes_and_detects(body: str) -> None:
    """The computed digit makes the sum right, and any other digit makes it wrong."""
    digit = gtin.check_digit(body)
    for other in "0123456789":
        assert (gtin.check_sum(body + other) == 0) == (other == digit)


@given(st.sampled_from("01"), st.text("0123456789", min_size=6, max_size=6))
def test_short_upc_is_the_same_item(system: str, six: str) -> None:
    """A UPC-E and the UPC-A it stands for give one GTIN; the UPC-A's short form gives it again."""
    upc_a = gtin.expand_upc_e(system + six + "0")[:11]
    upc_a += gtin.check_digit(upc_a)
    short = system + six + upc_a[-1]
    fields = gtin.upc_e(short).fields
    assert fields["gtin14"] == "00" + upc_a
    compressed = gtin.compress_upc_a(upc_a)
    assert compressed is not None
    assert gtin.expand_upc_e(compressed) == upc_a


def test_digits_of_other_scripts_are_no_digits() -> None:
    """Arabic and superscript digits are refused, not converted."""
    with pytest.raises(Misread):
        gtin.require("٠١٢٣٤٥٦٧", (8,), "a GTIN-8")
    assert not gtin.is_number("²")


@pytest.mark.parametrize(
    ("number", "region", "name", "value"),
    [
        ("2011122912346", "gb", "price", "12.34"),
        ("2511119000129", "germany", "count", "12"),
        ("2088060112343", "SE", "price", "12.34"),
        ("2302148210869", "norway", "weight", "1.086"),
    ],
)
def test_region_says_what_is_inside(number: str, region: str, name: str, value: str) -> None:
    """With the region configured, the price, weight or count inside is read."""
    result = parse(number.encode(), today=_TODAY, region=region)
    assert isinstance(result, Barcode)
    found = result.count if name == "count" else result.derived[name]
    assert (result.kind, str(found)) == ("rcn", value)
    base = str(result.derived["base_item_gtin"])
    assert gtin.check_sum(base) == 0


def test_wrong_price_check_digit_is_refused() -> None:
    """A German or British price has a check digit of its own, and it counts."""
    stem = "2511118000129"[:12]
    number = stem + gtin.check_digit(stem)
    assert isinstance(parse(number.encode(), today=_TODAY), Barcode)
    assert isinstance(parse(number.encode(), today=_TODAY, region="de"), Unreadable)


def test_without_region_nothing_is_read_into_it() -> None:
    """A restricted number is known as such and carries no quantity."""
    result = parse(b"]E02511119000129", today=_TODAY)
    assert isinstance(result, Barcode)
    assert (result.kind, result.count, result.gtin14) == ("rcn", None, "02511119000129")
    assert result.derived["usage"] == "geographical"


@pytest.mark.parametrize("region", ["de", "Germany", "great britain", "UK", "dk"])
def test_region_has_several_names(region: str) -> None:
    """Names and codes of a region mean the same."""
    assert rcn.region_code(region) in ("de", "gb", "dk")
