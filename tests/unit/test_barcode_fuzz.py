"""Whatever a scanner sends, parse answers; and equal data in other spellings reads equal."""

import json
from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.barcode import Barcode, Unreadable, parse

_FOLDER = Path(__file__).parents[1] / "data" / "vectors"
_SCANS = [
    bytes.fromhex(json.loads(line)["raw_hex"])
    for path in sorted(_FOLDER.glob("*.jsonl"))
    for line in path.read_text().splitlines()
]
_SYMBOLOGIES = st.sampled_from(
    [None, "upc_e", "UPC-A", "EAN-13", "EAN-8", "ISBN", "ISSN", "SSCC", "DataBar", "ITF-14", "upc"]
)
_REGIONS = st.sampled_from([None, "de", "dk", "gb", "se", "finland"])
_SPELLINGS = st.sampled_from(["|", "#", "~", "␝", "<GS>", "^]"])
_DAYS = st.dates(date(1970, 1, 1), date(2200, 1, 1))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A scan of the vectors with a few bytes changed, dropped or put in."""
    scan = bytearray(draw(st.sampled_from(_SCANS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(scan)))
        match draw(st.sampled_from(["put", "drop", "change", "splice"])):
            case "put":
                scan[at:at] = draw(st.binary(min_size=1, max_size=4))
            case "drop":
                del scan[at : at + draw(st.integers(1, 5))]
            case "change" if at < len(scan):
                scan[at] = draw(st.integers(0, 255))
            case _:
                scan[at:at] = draw(st.sampled_from(_SCANS))[:30]
    return bytes(scan)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.binary(max_size=60), mutated()), _DAYS, _SYMBOLOGIES, _REGIONS)
def test_any_bytes_get_an_answer(
    frame: bytes, today: date, symbology: str | None, region: str | None
) -> None:
    """No frame raises; the answer keeps the bytes and is the same when asked again."""
    result = parse(frame, today=today, symbology=symbology, region=region)
    assert isinstance(result, Barcode | Unreadable)
    assert result.raw == frame
    assert result == parse(frame, today=today, symbology=symbology, region=region)
    if isinstance(result, Unreadable):
        assert result.error_class
        assert result.message.endswith(".")


_ALNUM = st.text("ABCXYZabc0123456789-/.", min_size=1, max_size=20)


@settings(max_examples=200, deadline=None)
@given(_ALNUM, _ALNUM, st.integers(1, 10**8 - 1), _SPELLINGS)
def test_separator_in_any_configured_spelling_reads_the_same(
    lot: str, serial: str, count: int, spelling: str
) -> None:
    """GS as 1D and as what this scanner types instead give the same lot, serial and count."""
    plain = f"]C10209506000134352\x1d37{count}\x1d10{lot}\x1d21{serial}"
    expected = parse(plain.encode(), today=date(2026, 6, 1))
    spelt = plain.replace("\x1d", spelling).encode()
    result = parse(spelt, today=date(2026, 6, 1), separators=[spelling])
    assert isinstance(expected, Barcode)
    assert isinstance(result, Barcode)
    assert (expected.lot, expected.serial, expected.count) == (lot, serial, count)
    assert result.ais == expected.ais
    assert (result.lot, result.serial, result.count) == (lot, serial, count)


@settings(max_examples=200, deadline=None)
@given(_ALNUM, _ALNUM)
def test_element_string_and_digital_link_read_the_same(lot: str, serial: str) -> None:
    """One identity, carried as GS1-128 and as a Digital Link, is one identity."""
    today = date(2026, 6, 1)
    elements = parse(f"]C1010950600013435210{lot}\x1d21{serial}".encode(), today=today)
    path = "".join(f"%{byte:02X}" for byte in lot.encode())
    tail = "".join(f"%{byte:02x}" for byte in serial.encode())
    link = parse(
        f"]Q1https://id.gs1.org/01/09506000134352/10/{path}/21/{tail}".encode(), today=today
    )
    assert isinstance(elements, Barcode)
    assert isinstance(link, Barcode)
    assert (link.kind, link.ais) == ("gs1_dl", elements.ais)
