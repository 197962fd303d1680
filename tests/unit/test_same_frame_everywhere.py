"""The same symbol gives the same frame, whatever cable and protocol bring it."""

import json
from pathlib import Path

import pytest

from gateway import hid_report, profiles
from gateway.config import Scanner
from gateway.framing import Frame
from ssi_bytes import packet

_FOLDER = Path(__file__).parents[1] / "data" / "vectors"
#: AIM identifier to SSI code type, where the type says all that the identifier says.
_CODE_TYPES = {
    b"]C0": 0x03,
    b"]C1": 0x0F,
    b"]E0": 0x0B,
    b"]E4": 0x0A,
    b"]I0": 0x06,
    b"]L0": 0x11,
    b"]Q1": 0x1C,
    b"]Q3": 0xC2,
    b"]d1": 0x1B,
    b"]d2": 0xC1,
    b"]e0": 0x32,
}


def _frames() -> list[bytes]:
    rows = [
        json.loads(line)
        for name in ("gs1_scan", "gtin", "gtin_photo", "gs1_photo")
        for line in (_FOLDER / f"{name}.jsonl").read_text().splitlines()
    ]
    right = [row for row in rows if row["expect"]["ok"] and row["aim"]]
    assert len(right) > 70
    return sorted({bytes.fromhex(row["raw_hex"]) for row in right})


FRAMES = _frames()


def read(stream: bytes, **options: object) -> list[Frame]:
    """Return the frames of a stream that comes in pieces of three bytes."""
    settings = {"name": "s", "port": "p", **options}
    dialect = profiles.dialect_of(Scanner.model_validate(settings))
    pieces = [stream[at : at + 3] for at in range(0, len(stream), 3)]
    heard = [item for piece in pieces for item in dialect.feed(piece)] + dialect.silence()
    return [item for item in heard if isinstance(item, Frame)]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("terminator", "start", "end"),
    [
        ("auto", b"", b"\r\n"),
        ("cr", b"", b"\r"),
        ("tab", b"", b"\t"),
        ("stx-etx", b"\x02", b"\x03\r\n"),
        ("gap", b"", b""),
    ],
)
def test_serial_lines(frame: bytes, terminator: str, start: bytes, end: bytes) -> None:
    """A line of any brand is the frame, twice when it comes twice."""
    for profile in ("generic", "honeywell", "datalogic", "newland", "gm65"):
        times = 1 if terminator == "gap" else 2
        stream = (start + frame + end) * times
        assert read(stream, terminator=terminator, profile=profile) == [Frame(frame)] * times


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("profile", ["generic", "keyence", "cognex"])
def test_network_scanners(frame: bytes, profile: str) -> None:
    """So is a line that comes over the network."""
    found = read(frame + b"\r\n", source="tcp", port="tcp://camera:23", profile=profile)
    assert found == [Frame(frame)]


@pytest.mark.parametrize("frame", FRAMES)
def test_ssi_with_identifiers(frame: bytes) -> None:
    """An SSI decoder that sends AIM identifiers, in as many packets as it takes."""
    pieces = [frame[at : at + 250] for at in range(0, len(frame), 250)]
    stream = b"".join(packet(b"\x77" + piece, status=2) for piece in pieces[:-1])
    found = read(stream + packet(b"\x77" + pieces[-1]), profile="zebra")
    assert found == [Frame(frame)]


@pytest.mark.parametrize("frame", [each for each in FRAMES if each[:3] in _CODE_TYPES])
def test_ssi_code_types(frame: bytes) -> None:
    """An SSI decoder says what it read with its code type alone."""
    data = bytes((_CODE_TYPES[frame[:3]],)) + frame[3:]
    assert read(packet(data), profile="zebra") == [Frame(frame)]


@pytest.mark.parametrize("frame", [each for each in FRAMES if each[3:]])
def test_pos_reports(frame: bytes) -> None:
    """USB point-of-sale reports, as many as the data needs."""
    scanner, aim, data = hid_report.Reports("honeywell"), frame[:3], frame[3:]
    pieces = [data[at : at + 56] for at in range(0, len(data), 56)]
    reports = [
        bytes((2, len(piece))) + aim + piece.ljust(56, b"\0") + bytes((0, 0, left > 1))
        for left, piece in zip(range(len(pieces), 0, -1), pieces, strict=True)
    ]
    *before, last = [scanner.feed(report) for report in reports]
    assert before == [[]] * len(before)
    assert last == [Frame(frame)]
    scanner = profiles.dialect_of(Scanner(name="s", port="p", source="pos"))
    assert [heard for report in reports for heard in scanner.feed(report)] == [Frame(frame)]
