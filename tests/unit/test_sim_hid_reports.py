"""firmware_sim.hid_reports: the bytes of scanners in HID modes, against vectors and the gateway."""

import json
from typing import Any, get_args

import pytest

from firmware_sim.hid_reports import (
    KEYBOARD_REPORT_BYTES,
    POS_REPORT_BYTES,
    PosLayout,
    Separator,
    keyboard_reports,
    pos_reports,
)
from firmware_sim.key_layouts import strokes_of
from gateway import hid_keyboard, hid_report
from neighbours import ROOT

DATA_BYTES = 56


def vectors(name: str) -> list[dict[str, Any]]:
    """Return the rows of a vector file that are right and typed to an end."""
    lines = (ROOT / "tests/data/vectors" / f"{name}.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["expect"]["ok"]]


@pytest.mark.parametrize("row", vectors("hid_kbd"), ids=lambda row: row["id"])
def test_it_types_what_the_vectors_have(row: dict[str, Any]) -> None:
    """The simulator and the vectors, made apart, agree on every byte of a typed code."""
    expect, raw = row["expect"], bytes.fromhex(row["raw_hex"])
    reports = keyboard_reports(
        bytes.fromhex(expect["text_hex"]).decode(),
        expect["layout"],
        separator=expect.get("gs_mode", "none").replace("none", "control"),
        terminator="none" if expect.get("terminator", "Enter") is None else "enter",
    )
    assert b"".join(reports) == raw


def decoded(reports: list[bytes], layout: str) -> bytes:
    """Return the code that the gateway makes of reports; fail when there is none or more."""
    scans = hid_keyboard.Scans(layout)
    (code,) = [code for report in reports if (code := scans.feed(report)) is not None]
    return code


@pytest.mark.parametrize("layout", hid_keyboard.LAYOUTS)
def test_the_gateway_reads_every_key_of_every_layout(layout: Any) -> None:
    """Two tables of the same layout, written by different hands, name the same characters.

    A letter comes before and after each, so that it stands for itself on every system.
    """
    for character in strokes_of(layout):
        text = f"x{character}x"
        assert decoded(keyboard_reports(text, layout), layout).decode() == text


@pytest.mark.parametrize("separator", get_args(Separator))
@pytest.mark.parametrize("layout", hid_keyboard.LAYOUTS)
def test_the_gateway_reads_every_spelling_of_the_separator(
    layout: Any, separator: Separator
) -> None:
    """Control and ], F8, Alt and 029 are all the GS1 separator, in every layout."""
    reports = keyboard_reports("10AB\x1d21C", layout, separator=separator)
    assert {len(report) for report in reports} == {KEYBOARD_REPORT_BYTES}
    assert decoded(reports, layout) == b"10AB\x1d21C"


def test_a_character_without_a_key_is_an_error() -> None:
    """The simulator never types something else instead."""
    with pytest.raises(ValueError, match="no key for 'ß'"):
        keyboard_reports("ß", "us")


@pytest.mark.parametrize("row", vectors("hid_pos"), ids=lambda row: row["id"])
def test_its_pos_reports_are_those_of_the_vectors(row: dict[str, Any]) -> None:
    """A first report of Honeywell's layout equals the manuals', length, symbology and rest."""
    expect, raw = row["expect"], bytes.fromhex(row["raw_hex"])
    data = raw[5:][: raw[1]] + (b"more" if expect["continues"] else b"")
    symbol = int(expect.get("vendor_sym", "0"), 16)
    first = next(pos_reports(data, "honeywell", aim=expect["aim"], symbol=symbol))
    assert first == raw


@pytest.mark.parametrize("size", [1, DATA_BYTES, DATA_BYTES + 1, 3 * DATA_BYTES, 1_000])
@pytest.mark.parametrize("layout", get_args(PosLayout))
def test_the_gateway_understands_pos_reports(layout: PosLayout, size: int) -> None:
    """A code of any length is whole in both layouts, with its identifier if there is one."""
    data, aim = bytes(65 + at % 26 for at in range(size)), "]C1" if layout == "honeywell" else ""
    reports = list(pos_reports(data, layout, aim=aim, symbol=0x49))
    parts = [hid_report.decode(report) for report in reports]
    assert {len(report) for report in reports} == {POS_REPORT_BYTES}
    assert b"".join(part.data for part in parts) == data
    assert {(part.aim, part.symbol) for part in parts} == {(aim, 0x49)}
    assert [part.continues for part in parts] == [True] * (len(parts) - 1) + [False]


def test_newland_has_no_room_for_an_identifier() -> None:
    """Asking for one is a mistake of the test, and said so."""
    with pytest.raises(ValueError, match="no AIM identifier"):
        next(pos_reports(b"1", "newland", aim="]E0"))
