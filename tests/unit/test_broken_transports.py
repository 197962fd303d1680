"""gateway.transport: what `docktally parse` says of frames that are cut, bent or lengthened."""

import json
from pathlib import Path

import pytest

from gateway import transport

_FOLDER = Path(__file__).parents[1] / "data" / "vectors"
_ROWS = [
    row
    for name in ("wire", "framing")
    for line in (_FOLDER / f"{name}.jsonl").read_text().splitlines()
    if (row := json.loads(line))["expect"]["ok"]
]


def _of(*protocols: str) -> list:
    rows = [row for row in _ROWS if row.get("protocol", "framing") in protocols]
    return [pytest.param(row, id=row["id"]) for row in rows]


def explain(row: dict, raw: bytes) -> dict:
    """Return the answer for these bytes instead of the row's."""
    name = transport.named(row)
    assert name is not None
    return transport.explain(name, raw, row)


@pytest.mark.parametrize("row", _of("ssi", "gm65", "newland"))
def test_cut_anywhere_is_a_short_frame(row: dict) -> None:
    """Frames that know their own end notice when it is missing, after any byte."""
    raw = bytes.fromhex(row["raw_hex"])
    for size in range(len(raw)):
        shown = explain(row, raw[:size])
        assert (shown["ok"], shown["error_class"]) == (False, "short_frame"), size


@pytest.mark.parametrize("row", _of("ssi"))
def test_one_wrong_bit_is_noticed(row: dict) -> None:
    """The checksum catches it, or the length does; nothing is made of the rest."""
    raw = bytes.fromhex(row["raw_hex"])
    for bit in range(len(raw) * 8):
        bent = bytearray(raw)
        bent[bit // 8] ^= 1 << bit % 8
        expected = {"bad_checksum"} if bit >= 8 else {"short_frame", "bad_length"}
        assert explain(row, bytes(bent)).get("error_class") in expected


@pytest.mark.parametrize("row", _of("ssi"))
@pytest.mark.parametrize(("by", "error_class"), [(1, "short_frame"), (-1, "bad_length")])
def test_a_wrong_length_is_named(row: dict, by: int, error_class: str) -> None:
    """A length that is one off does not fit the bytes; too long means that bytes are missing."""
    raw = bytes.fromhex(row["raw_hex"])
    shown = explain(row, bytes((raw[0] + by,)) + raw[1:])
    if raw[0] + by < 4:
        error_class = "bad_length"
    assert shown["error_class"] == error_class
    assert explain(row, raw + b"\0")["error_class"] == "bad_length"


@pytest.mark.parametrize("row", _of("honeywell", "datalogic"))
def test_a_command_cut_anywhere_is_refused(row: dict) -> None:
    """Half a command is none; a string of whole ones may be shorter."""
    raw = bytes.fromhex(row["raw_hex"])
    for size in range(len(raw)):
        shown = explain(row, raw[:size])
        assert shown["ok"] or shown["error_class"] == "short_frame"
        assert shown["ok"] == (size > 0 and raw[size - 1 : size] in (b",", b"q"))


@pytest.mark.parametrize("row", _of("framing"))
def test_a_stream_cut_anywhere_is_incomplete_or_shorter(row: dict) -> None:
    """Whole frames before the cut are frames; a begun one is never delivered."""
    raw = bytes.fromhex(row["raw_hex"])
    frames = row["expect"]["frames"]
    for size in range(len(raw)):
        shown = explain(row, raw[:size])
        if shown["ok"]:
            assert shown["frames"] == frames[: len(shown["frames"])]
        else:
            assert shown["error_class"] == "incomplete"


def test_an_endless_stream_is_too_long() -> None:
    """More than any symbol holds without an end is noise, on a line and from a camera."""
    for row in ({"framing": "CR"}, {"protocol": "tcp"}):
        assert explain(row, b"7" * 70_000)["error_class"] == "too_long"


@pytest.mark.parametrize("text", ["ERROR", "NOREAD", "NO READ", "NR", "OVER", "ERR91"])
def test_no_reads_are_named(text: str) -> None:
    """With each of the envelopes that a camera may use."""
    for raw in (f"{text}\r", f"\x02{text}\x03", f"{text}\r\n", text):
        assert explain({"protocol": "tcp"}, raw.encode())["error_class"] == "no_read"


def test_dmcc_responses_are_told_apart() -> None:
    """An answer to a command is none; a reading comes in base64 with status 1."""
    reading = explain({"protocol": "tcp"}, b"||0:1[1]NTkwMTIzNDEyMzQ1Nw==\r\n")
    assert reading["data"] == "5901234123457"
    assert "data" not in explain({"protocol": "tcp"}, b"||[0]ON\r\n")
    assert explain({"protocol": "tcp"}, b"||[1]Tk9SRUFE\r\n")["error_class"] == "no_read"
    assert explain({"protocol": "tcp"}, b"||[1]%%\r\n")["error_class"] == "bad_format"
