"""The warehouse that the simulator invents."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import catalog, gs1


def _is_valid(digits: str) -> bool:
    """GS1 General Specifications 7.9, read from the right, check digit included."""
    return sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(reversed(digits))) % 10 == 0


@given(st.text("0123456789", min_size=7, max_size=17))
def test_check_digits_are_right(digits):
    """Whatever the length, the number with its digit adds up."""
    assert _is_valid(gs1.checked(digits))


@given(st.text("0123456789", min_size=7, max_size=17), st.data())
def test_one_misread_digit_is_caught(digits, data):
    """No single substitution passes."""
    number = gs1.checked(digits)
    i = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from("0123456789").filter(lambda d: d != number[i]))
    assert not _is_valid(number[:i] + wrong + number[i + 1 :])


def test_a_seed_gives_the_same_catalogue_again():
    """Two programs with one seed agree; another seed gives other goods."""
    assert catalog.build(3) == catalog.build(3)
    assert catalog.build(3).items != catalog.build(4).items


def test_the_file_gives_the_same_catalogue_again():
    """What catalogue.json holds is all there is."""
    made = catalog.build(5)
    assert catalog.from_json(catalog.to_json(made)) == made


@pytest.mark.parametrize("seed", range(5))
def test_barcodes_are_valid_and_name_one_item_each(seed):
    """Every barcode of items.csv is a real GTIN, and no two rows share one."""
    rows = list(catalog.item_rows(catalog.build(seed, items=300)))
    codes = [gs1.gtin14(barcode) for _, _, barcode, _ in rows]
    assert all(map(_is_valid, codes))
    assert len(set(codes)) == len(codes)
    assert {len(barcode) for _, _, barcode, _ in rows} == {8, 12, 13, 14}


def test_no_barcode_is_store_internal():
    """Restricted circulation numbers would mean something else at each shop."""
    for item in catalog.build(1, items=500).items:
        assert item.each[0] not in "02"
        assert not (len(item.each) == 13 and item.each.startswith("04"))


def test_names_and_places_are_unique():
    """A person can tell items apart; a label names one place."""
    made = catalog.build(1, items=200, bins=100)
    places = [code for code, _, _ in catalog.location_rows(made)]
    assert len({item.sku for item in made.items}) == 200
    assert len({item.name for item in made.items}) == 200
    assert len(set(places)) == len(places)
    assert {kind for _, _, kind in catalog.location_rows(made)} == {
        "dock", "bin", "quarantine", "damaged",
    }  # fmt: skip


def test_license_plates_and_strangers_are_valid_but_unknown():
    """An SSCC has 18 digits; a stranger is a GTIN of nobody."""
    rng = random.Random(1)
    known = {gs1.gtin14(row[2]) for row in catalog.item_rows(catalog.build(1, items=500))}
    for _ in range(200):
        plate, stranger = catalog.sscc(rng), catalog.stranger(rng)
        assert len(plate) == 18
        assert _is_valid(plate)
        assert _is_valid(stranger)
        assert gs1.gtin14(stranger) not in known
