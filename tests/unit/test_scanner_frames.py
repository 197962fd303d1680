"""Bytes of transports: SSI packets, HID reports, typed keys, commands and replies of brands."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import hid_keyboard, parse_row, ssi, transport, vendor_frames
from gateway.reading import Misread

_FOLDER = Path(__file__).parents[1] / "data" / "vectors"
# Prose of the sources and settings of the device, not content of the bytes.
_NOT_COMPARED = frozenset(("note", "what", "basis", "gs_mode", "wrong_if_us", "reply"))
_REPLIES = ("ACK", "NAK", "ENQ")


def _rows(name: str) -> list[dict]:
    lines = (_FOLDER / f"{name}.jsonl").read_text().splitlines()
    return [{"file": name, **json.loads(line)} for line in lines]


def _described(row: dict) -> dict:
    options = {key: value for key, value in row.items() if key not in ("expect", "file")}
    if row["file"] == "hid_pos":
        options["protocol"] = "hid_pos"
    if "layout" in row["expect"]:
        options["layout"] = row["expect"]["layout"]
    name = transport.named(options)
    assert name is not None
    return transport.explain(name, bytes.fromhex(row["raw_hex"]), options)


_ALL = [row for name in ("wire", "framing", "hid_pos", "hid_kbd") for row in _rows(name)]


@pytest.mark.parametrize("row", _ALL, ids=[row["id"] for row in _ALL])
def test_frame_says_what_its_source_says(row: dict) -> None:
    """Frames are decoded, broken ones refused with the reason, and replies are no scans."""
    shown = _described(row)
    wrong = {
        name: (value, shown.get(name))
        for name, value in row["expect"].items()
        if name not in _NOT_COMPARED and shown.get(name) != value
    }
    assert not wrong
    if row["expect"].get("reply") in _REPLIES:
        assert shown["reply"] == row["expect"]["reply"]


@pytest.mark.parametrize("protocol", sorted(set(transport.DECODERS) - {"framing"}))
@given(st.binary(max_size=80))
def test_no_bytes_break_a_decoder(protocol: str, raw: bytes) -> None:
    """A decoder answers or refuses; it never fails otherwise."""
    shown = transport.explain(protocol, raw, {})
    assert shown["ok"] or (shown["error_class"] and shown["message"])


def test_our_ssi_commands_are_those_of_the_manual() -> None:
    """What we send has the bytes printed in the manual."""
    assert ssi.encode("START_DECODE").hex() == "04e40400ff14"
    assert ssi.encode("PARAM_SEND", bytes.fromhex("008a08")).hex() != ""
    assert ssi.decode(ssi.encode("CMD_NAK", ssi.NAK_RESEND)).data == ssi.NAK_RESEND
    assert ssi.decode(ssi.encode("BEEP", b"\x00")).source == ssi.HOST


def _typed(layout: str, *strokes: tuple[int, int]) -> bytes | None:
    scans, frame = hid_keyboard.Scans(layout), None
    for modifiers, key in strokes:
        frame = scans.feed(bytes((modifiers, 0, key, 0, 0, 0, 0, 0)))
        scans.feed(bytes((modifiers if modifiers & 4 else 0, 0, 0, 0, 0, 0, 0, 0)))
        if not modifiers & 4:
            scans.feed(bytes(8))
    return frame


_ENTER = (0, 0x28)


@pytest.mark.parametrize(
    ("layout", "strokes", "frame"),
    [
        ("us", [(0x02, 0x04), (0x01, 0x30), (0, 0x1E)], b"A\x1d1"),
        ("us", [(0x02, 0x04), (0, 0x41), (0, 0x1E)], b"A\x1d1"),
        ("us", [(0x04, 0x62), (0x04, 0x5A), (0x04, 0x61), (0, 0x1E)], b"\x1d1"),
        ("de", [(0x41, 0x26), (0, 0x1D), (0, 0x1C)], b"\x1dyz"),
        ("de", [(0x40, 0x26), (0x02, 0x24), (0, 0x38)], b"]/-"),
        ("us", [(0, 0x39), (0, 0x04), (0x02, 0x05), (0, 0x1E)], b"Ab1"),
        ("us", [(0, 0x59), (0, 0x62)], b"10"),
    ],
)
def test_keys_become_the_bytes_that_were_meant(
    layout: str, strokes: list[tuple[int, int]], frame: bytes
) -> None:
    """Control characters, keypad, Caps Lock and layout are undone."""
    assert _typed(layout, *strokes, _ENTER) == frame


def test_keyboard_roll_over_loses_the_scan() -> None:
    """When the keyboard says that keys got lost, the half scan is not delivered."""
    scans = hid_keyboard.Scans()
    scans.feed(bytes((0, 0, 0x1E, 0, 0, 0, 0, 0)))
    with pytest.raises(Misread) as refused:
        scans.feed(bytes((0, 0, 1, 1, 1, 1, 1, 1)))
    assert refused.value.error_class == "rollover"
    assert scans.pending == b""


def test_feedback_commands_are_those_of_the_manuals() -> None:
    """Good read and error sound as the brands document them."""
    assert vendor_frames.honeywell_feedback("8", "8") == b"\x1b8,\x1b8,"
    assert vendor_frames.datalogic_feedback("8", "2", "9").hex() == "1b5b38711b5b32711b5b3971"
    assert vendor_frames.honeywell(b"\x1b7,")["what"] == "Host ACK: good read"


def test_gm65_reply_is_cut_off_before_the_barcode() -> None:
    """The reply to the trigger and the barcode come in the same bytes."""
    shown = vendor_frames.gm65(bytes.fromhex("02000001003331") + b"8886316200561\r")
    assert shown["reply"] == "ACK"
    assert shown["data"] == "8886316200561"


def test_unknown_protocol_is_named() -> None:
    """A misspelt protocol is an error that lists what there is."""
    with pytest.raises(ValueError, match="known: ssi"):
        parse_row.from_json({"raw_hex": "00", "protocol": "sssi"})
