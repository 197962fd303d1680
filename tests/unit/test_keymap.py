"""gateway.keymap against XKB: every key of every layout says what it says there, or nothing."""

import itertools

import pytest

from gateway import keymap
from gateway.config import Layout
from gateway.keymap import KEYMAPS
from typist import CODES, LAYOUTS, XKB

KEYS = XKB["usages"]
KEYPAD_DIGITS = range(0x59, 0x64)
#: XKB and Windows disagree about these, so they mean nothing.
NOT_AGREED = {"us": {0x64}, "fr": {0x35}}


def test_every_layout_of_the_configuration_has_a_keymap() -> None:
    """What may be configured can be read, and XKB was asked about all of it."""
    assert set(KEYMAPS) == set(Layout.__args__) == set(LAYOUTS)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("level", ["plain", "shift", "alt_gr", "shift_alt_gr"])
def test_keys_type_what_xkb_says(layout: str, level: str) -> None:
    """No key types another character than under XKB; every key types with and without Shift."""
    modifiers = {"shift": "shift" in level, "alt_gr": "alt_gr" in level}
    ours = {usage: KEYMAPS[layout].character(usage, **modifiers) for usage in KEYS}
    theirs = dict(zip(KEYS, XKB["layouts"][layout][level], strict=True))
    wrong = {
        hex(usage): (ours[usage], theirs[usage])
        for usage in KEYS
        # XKB takes Shift on the keypad for a missing Num Lock; digits are digits here.
        if usage not in KEYPAD_DIGITS and ours[usage] not in ("", theirs[usage])
    }
    assert not wrong
    if level in ("plain", "shift"):
        assert {usage for usage in KEYS if not ours[usage]} <= NOT_AGREED.get(layout, set())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("level", ["caps", "shift_caps"])
def test_caps_lock_turns_the_letters_that_it_turns_under_xkb(layout: str, level: str) -> None:
    """Letters with a capital are turned around, all other keys type the same."""
    shift = level == "shift_caps"
    wrong = {
        hex(usage): (ours, theirs)
        for usage, theirs in zip(KEYS, XKB["layouts"][layout][level], strict=True)
        if (ours := KEYMAPS[layout].character(usage, shift=shift, alt_gr=False, caps=True))
        and usage not in KEYPAD_DIGITS
        and ours != theirs
    }
    # XKB has a capital sharp s and micro sign that no barcode holds.
    known = {"de": {"0x2d"}, "fr": {"0x31"}}.get(layout, set())
    assert wrong.keys() <= known


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_that_barcodes_hold_can_be_typed(layout: str) -> None:
    """Every printable ASCII character has a key, or a dead key and a space."""
    levels = KEYMAPS[layout]
    maps = (levels.plain, levels.shifted, levels.alt_gr, levels.shift_alt_gr)
    typed = set(itertools.chain.from_iterable(each.values() for each in maps))
    typed |= {keymap.accented(each, " ") for each in typed if keymap.is_dead(each)}
    assert {chr(code) for code in range(0x20, 0x7F)} <= typed


def test_kernel_codes_are_those_of_the_usages() -> None:
    """The table of hid-input.c is copied right, as far as XKB's own numbers tell."""
    assert all(keymap.USAGES[code] in (usage, 0x31) for usage, code in CODES.items())


@pytest.mark.parametrize(
    ("mark", "character", "made"),
    [("\u0302", " ", "^"), ("\u0301", " ", "\u00b4"), ("\u0301", "e", "é"), ("\u0308", "U", "Ü")],
)
def test_dead_keys_make_accents_and_accented_letters(mark, character: str, made: str) -> None:
    """A space gives the accent itself, a vowel the letter with it."""
    assert keymap.accented(mark, character) == made


def test_what_systems_do_not_agree_about_is_not_guessed() -> None:
    """An accent on a consonant is one character on one system and two on another."""
    assert keymap.accented("\u0302", "c") == keymap.accented("\u0302", "\u0302") == ""
    assert keymap.may_be_accented("~", "n")
    assert keymap.may_be_accented("~", " ")
    assert not keymap.may_be_accented("~", "1")
