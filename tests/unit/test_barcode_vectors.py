"""Every vector of tests/data/vectors that is about meaning, read as its device is configured."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from gateway import parse_view
from gateway.barcode import Barcode, Unreadable, parse

_FOLDER = Path(__file__).parents[1] / "data" / "vectors"
_FROZEN = date(2026, 6, 1)
# Not the reading of the bytes: remarks, what a looser reader says, and what needs a register of
# company prefixes (an EPC URI cuts the number where the company's part ends).
_NOT_COMPARED = frozenset(
    ("note", "as", "message", "lenient", "ais_naive", "intended", "epc_uri", "warnings")
)

# Rows with which we differ, and why.
_DIFFERENT_FIELDS = {
    "gtin-026": "valid as GTIN-8 and as UPC-E: ambiguous without an identifier, like mixed-003",
    "gtin-027": "valid as GTIN-8 and as UPC-E: ambiguous without an identifier, like mixed-003",
}


def rows(name: str) -> list[dict]:
    """The rows of one file."""
    return [json.loads(line) for line in (_FOLDER / f"{name}.jsonl").read_text().splitlines()]


def read(row: Mapping) -> Barcode | Unreadable:
    """The row's bytes, read as its device is configured."""
    separator = row.get("separator") or []
    return parse(
        bytes.fromhex(row["raw_hex"]),
        today=_FROZEN,
        symbology=row["expect"].get("as") or row.get("symbology"),
        region=row.get("region"),
        separators=[separator] if isinstance(separator, str) else separator,
        # These rows state the contract of an interface that demands an identifier.
        aim_required=row["id"].startswith("gs1_scan"),
    )


def _codes(warnings: list[str]) -> set[str]:
    return {warning.partition(":")[0] for warning in warnings}


def _wrong(row: Mapping) -> dict[str, tuple[object, object]]:
    """Fields that are not as expected: name to (expected, got)."""
    shown = parse_view.as_json(read(row))
    if not row["expect"]["ok"]:
        expected = row["expect"]["error_class"]
        got = shown["error_class"]
        return {} if got == expected else {"error_class": (expected, got)}
    wrong = {
        name: (value, shown.get(name))
        for name, value in row["expect"].items()
        if name not in _NOT_COMPARED and str(shown.get(name)) != str(value)
    }
    missing = _codes(row["expect"].get("warnings", [])) - _codes(list(shown.get("warnings", [])))
    return {**wrong, **({"warnings": (missing, shown.get("warnings"))} if missing else {})}


_MEANING = (
    "gs1_scan",
    "gs1_elements",
    "gs1_dl",
    "gs1_photo",
    "gs1_altsep",
    "gtin",
    "gtin_photo",
    "plain",
    "rcn",
    "mixed",
    "aim",
    "iso15434",
)
_ALL = [row for name in _MEANING for row in rows(name)]


@pytest.mark.parametrize("row", _ALL, ids=[row["id"] for row in _ALL])
def test_row_is_read_or_refused_as_its_source_says(row: dict) -> None:
    """A valid barcode is read, an invalid one is refused, and both say what their source says."""
    accepted = isinstance(read(row), Barcode)
    assert accepted == row["expect"]["ok"]
    wrong = _wrong(row)
    if row["id"] in _DIFFERENT_FIELDS:
        assert set(wrong) == {"kind"}, "no longer different: take it off the list"
    else:
        assert not wrong


def test_every_refusal_is_a_sentence_with_its_bytes() -> None:
    """An unreadable frame keeps its bytes and tells a person what is wrong."""
    for row in _ALL:
        result = read(row)
        assert result.raw == bytes.fromhex(row["raw_hex"])
        if isinstance(result, Unreadable):
            assert result.message[0].isupper() or not result.message[0].isalpha()
            assert result.message.endswith(".")
            assert len(result.message) > 20


def test_weights_are_exact_decimals() -> None:
    """A weight is the printed digits with a point, never a rounded binary number."""
    result = parse(b"]C10195012345678903310300012331101234", today=_FROZEN)
    assert isinstance(result, Unreadable)
    result = parse(b"]C101950123456789033103000123", today=_FROZEN)
    assert isinstance(result, Barcode)
    assert result.net_weight_kg == Decimal("0.123")


@pytest.mark.parametrize(
    ("today", "expiry"),
    [(date(2026, 6, 1), "2050-02-28"), (date(1999, 6, 1), "1950-02-28")],
)
def test_century_depends_on_the_given_day(today: date, expiry: str) -> None:
    """Two digits of a year mean the year nearest to the injected today, not to the clock."""
    result = parse(b"]C101950123456789033103000123\x1d17500228", today=today)
    assert isinstance(result, Barcode)
    assert result.expiry is not None
    assert result.expiry.isoformat() == expiry


def test_day_zero_is_the_last_of_the_month() -> None:
    """AI (17) with day 00 means the whole month; in a leap year February ends on the 29th."""
    result = parse(b"]C1019501234567890317280200", today=_FROZEN)
    assert isinstance(result, Barcode)
    assert result.expiry == date(2028, 2, 29)


@pytest.mark.parametrize("short", [b"1042", b"96385074", b"425261", b"12345670"])
def test_short_number_without_identifier_has_no_identity(short: bytes) -> None:
    """What could be several things is none of them until a person or a setting says so."""
    result = parse(short, today=_FROZEN)
    assert isinstance(result, Barcode)
    assert result.kind == "ambiguous"
    assert result.candidates
    assert (result.gtin14, result.lot, result.sscc) == (None, None, None)


def test_location_label_with_digits_in_front_stays_text() -> None:
    """Without FNC1 and without a key, 10-A-04 is a place and not the lot -A-04."""
    result = parse(b"10-A-04", today=_FROZEN)
    assert isinstance(result, Barcode)
    assert (result.kind, result.text, result.lot) == ("text", "10-A-04", None)


@pytest.mark.parametrize("frame", [b"]C1abc", b"]e0-1", b"]Q3\x1dHELLO 10", b"]E0abc", b"]E4-"])
def test_what_cannot_be_what_it_claims_is_text(frame: bytes) -> None:
    """An old Code 128 with FNC1 in front is no GS1 barcode: kept as text, and said so."""
    result = parse(frame, today=_FROZEN)
    assert isinstance(result, Barcode)
    assert (result.kind, result.text) == ("text", frame[3:].decode())
    assert result.warnings[0].partition(":")[0] in {"not_element_strings", "not_an_ean"}


@pytest.mark.parametrize(
    "frame",
    [b"]C1", b"]C1\x1d", b"]E0", b"]E01a", b"]C110", b"]C11-", b"]C1a\0", b"]E0\xff", b"]C1\x1b"],
)
def test_what_could_be_what_it_claims_is_held_to_it(frame: bytes) -> None:
    """Nothing at all, a digit in front, or noise: then the rules of its symbol decide."""
    assert isinstance(parse(frame, today=_FROZEN), Unreadable)


@pytest.mark.parametrize("mark", ["|", "#", "^", "~", "\u241d", "\uf70b"])
def test_a_stand_in_for_the_separator_is_seen(mark: str) -> None:
    """One character that GS1 data cannot hold, between element strings that are all right."""
    result = parse(f"010703206980498810032{mark}3012".encode(), today=_FROZEN)
    assert isinstance(result, Barcode)
    assert (result.lot, result.var_count) == ("032", 12)
    assert result.warnings[0] == "substituted_control_chars"


@pytest.mark.parametrize("text", ["10-A#17", "21A#10B", "10A#17B|21C", "0107032069804988|XX"])
def test_a_stand_in_needs_proof(text: str) -> None:
    """Without a check digit or a date that is right, it is a text like any other."""
    result = parse(text.encode(), today=_FROZEN)
    assert isinstance(result, Barcode)
    assert (result.kind, result.text) == ("text", text)


def test_short_restricted_numbers_are_no_world_wide_items() -> None:
    """GTIN-8 with 2 in front belong to one company; with 0 in front where a region says so."""
    for frame, region in ((b"]E420000004", None), (b"20000004", None), (b"]E400011112", "DK")):
        result = parse(frame, today=_FROZEN, region=region)
        assert isinstance(result, Barcode)
        assert (result.kind, result.derived["usage"]) == ("rcn", "company")


def test_lost_separator_is_named_and_not_guessed() -> None:
    """A lot that swallowed a GTIN is refused with the hint to switch the separator on."""
    result = parse(b"]C11021072911172405310100693570007182", today=_FROZEN)
    assert isinstance(result, Unreadable)
    assert result.error_class == "missing_separator"
    assert "(01) 00693570007182" in result.message
    assert "switch on" in result.message


def test_same_ai_with_two_values_is_refused() -> None:
    """Two different items in one barcode cannot both be the scanned one."""
    result = parse(b"]C101123456789012310109506000134352", today=_FROZEN)
    assert isinstance(result, Unreadable)
    assert "twice" in result.message


def test_oversized_frame_is_refused_unread() -> None:
    """64 KiB without an end is noise: one refusal, with the bytes."""
    frame = b"]C1" + b"9" * 64 * 1024
    result = parse(frame, today=_FROZEN)
    assert isinstance(result, Unreadable)
    assert (result.error_class, result.raw) == ("too_long", frame)
    longest = parse(frame[: 64 * 1024], today=_FROZEN)
    assert isinstance(longest, Unreadable)
    assert longest.error_class != "too_long"


def test_identifier_is_demanded_only_where_the_device_sends_one() -> None:
    """Text without an identifier is text, unless this scanner is known to send identifiers."""
    assert isinstance(parse(b"ABC", today=_FROZEN), Barcode)
    result = parse(b"ABC", today=_FROZEN, aim_required=True)
    assert isinstance(result, Unreadable)
    assert result.error_class == "bad_aim"


def test_unknown_region_is_an_error_of_configuration() -> None:
    """A misspelt region stops at once and names those there are."""
    with pytest.raises(ValueError, match="known: dk"):
        parse(b"1", today=_FROZEN, region="mars")


@pytest.mark.parametrize(
    "label",
    [
        "[)>\x1e06\x1dP12\x1dQ5\x1e\x04",
        "[)>␞06␝P12␝Q5␞␄",
        "[)>\uf70c06\uf70bP12\uf70bQ5\uf70c\uf70d",
        "[)><RS>06<GS>P12<GS>Q5<RS><EOT>",
        "[)><rs>06<gs>P12<gs>Q5<rs><eot>",
        "[)>\\x1E06\\x1DP12\\x1DQ5\\x1E\\x04",
        "]d2[)>\x1e06\x1dP12\x1dQ5\x1e\x04",
        "[)>06\x1dP12\x1dQ5",
        ">[)>06\x1dP12\x1dQ5\x1e\x04\r",
    ],
)
def test_receiving_label_is_read_in_every_spelling(label: str) -> None:
    """The header shows what the printer made of the control characters."""
    result = parse(label.encode(), today=_FROZEN)
    assert isinstance(result, Barcode)
    assert result.kind == "iso15434"
    assert (result.derived["customer_part"], result.derived["qty"]) == ("12", 5)
    assert bool(result.warnings) == (not label.startswith("[)>\x1e06\x1d"))


@pytest.mark.parametrize(
    ("label", "error_class"),
    [
        ("[)>", "truncated_envelope"),
        ("[)>\x1e", "truncated_envelope"),
        ("[)>\x1e06", "truncated_envelope"),
        ("[)>\x1e06\x1d\x1e\x04", "empty_format"),
        ("[)>06P12Q5", "missing_separator"),
        ("[)>\x1e06\x1dQten\x1e\x04", "bad_value"),
        ("[)>\x1e06\x1dQ5\x1dQ6\x1e\x04", "bad_value"),
        ("[)>\x1e06\x1d14D20261301\x1e\x04", "bad_date"),
        ("[)>\x1e05\x1d0109506000134353\x1e\x04", "bad_check_digit"),
    ],
)
def test_broken_receiving_label_is_refused(label: str, error_class: str) -> None:
    """A label that breaks off or contradicts itself gives no quantity at all."""
    result = parse(label.encode(), today=_FROZEN)
    assert isinstance(result, Unreadable)
    assert result.error_class == error_class


def test_format_05_of_a_receiving_label_holds_element_strings() -> None:
    """GS1 data inside the envelope is read like GS1 data outside."""
    label = b"[)>\x1e05\x1d0109506000134352\x1d10L1\x1d17261130\x1e\x04"
    result = parse(label, today=_FROZEN)
    assert isinstance(result, Barcode)
    assert (result.gtin14, result.lot, result.expiry) == (
        "09506000134352",
        "L1",
        date(2026, 11, 30),
    )


def test_lcsc_bag_is_read() -> None:
    """A distributor's own notation gives part number and quantity."""
    label = b"{pbn:PICK2009291337,on:SO2009291337,pc:C312270,pm:ST-1-102-A01,qty:2,mc:,cc:1}"
    result = parse(label, today=_FROZEN)
    assert isinstance(result, Barcode)
    assert result.kind == "vendor"
    assert {name: result.derived[name] for name in ("vendor", "sku", "qty")} == {
        "vendor": "LCSC",
        "sku": "C312270",
        "qty": 2,
    }
