"""gateway.keystrokes: what was typed comes out, and what cannot be certain is refused."""

import itertools
import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import answers
from gateway.config import Scanner
from gateway.dialect import NoRead, Remark
from gateway.framing import FRAME_BYTES_MAX, Frame
from gateway.hid_keyboard import Scans
from gateway.keystrokes import Keystrokes
from typist import (
    CAPS_LOCK,
    CODES,
    ENTER,
    GS_SPELLINGS,
    LAYOUTS,
    MODIFIERS,
    TAB,
    boot_reports,
    events,
    packed,
    press,
    strokes,
    typeable,
)  # fmt: skip

GAP_US = 100_000
SYN_DROPPED = (0, 3, 0)


def keyboard(layout: str = "us", terminator="auto", **options) -> Keystrokes:
    """Return the dialect of a scanner."""
    return Keystrokes(layout, terminator, GAP_US // 1_000, **options)


def code(text: str, layout: str = "us", gs: str = "control", end: int = ENTER) -> list:
    """Return the key changes of a whole code."""
    return [*strokes(layout, text, gs), *press(("", end))]


def quiet(at_us: int) -> list:
    """Return the driver's word that there was no event up to a time."""
    return [(at_us, 0, 0, 0)]


def values(heard: Iterable[object]) -> list[bytes]:
    """Return what passes for a scan."""
    return [each.data for each in heard if isinstance(each, Frame) and each.problem is None]


def problems(heard: Iterable[object]) -> list[str]:
    """Return why codes were refused."""
    return [each.problem for each in heard if isinstance(each, Frame) and each.problem]


def is_part_of(found: list[bytes], scanned: list[bytes]) -> bool:
    """True when all that was found was scanned, in this order."""
    left = iter(scanned)
    return all(each in left for each in found)


@st.composite
def typed(draw: st.DrawFn) -> tuple[str, str, str]:
    """A layout, a text that it can type with a separator or several in it, and their spelling."""
    layout = draw(st.sampled_from(LAYOUTS))
    characters = st.sampled_from([*typeable(layout), "\x1d"])
    text = draw(st.lists(characters, min_size=1, max_size=30).map("".join))
    return layout, text, draw(st.sampled_from(GS_SPELLINGS))


@given(typed())
def test_what_was_typed_comes_out(case: tuple[str, str, str]) -> None:
    """In every layout and spelling of the separator, as key events and as boot reports."""
    layout, text, gs = case
    changes = code(text, layout, gs)
    assert keyboard(layout).feed(packed(events(iter(changes)))) == [Frame(text.encode())]
    scans = Scans(layout)
    reports = boot_reports(iter(changes))
    frames = [scans.feed(reports[at : at + 8]) for at in range(0, len(reports), 8)]
    assert [frame for frame in frames if frame is not None] == [text.encode()]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("gs", GS_SPELLINGS)
def test_every_spelling_of_the_separator_is_the_same(layout: str, gs: str) -> None:
    """A lot before an expiry date keeps the separator between them, whatever keys spell it."""
    text = "]C1010950600013435210AB-12\x1d17261130"
    assert values(keyboard(layout).feed(packed(events(iter(code(text, layout, gs)))))) == [
        text.encode()
    ]


@given(st.lists(st.text("0123456789AB", min_size=1), min_size=1, max_size=5), st.data())
def test_batches_do_not_matter(texts: list[str], data: st.DataObject) -> None:
    """Two codes in one read, one code in many: the same codes come out."""
    found = events(itertools.chain.from_iterable(code(text) for text in texts))
    device, heard = keyboard(), []
    while found:
        size = data.draw(st.integers(1, len(found)))
        heard += device.feed(packed(found[:size]))
        found = found[size:]
    assert heard == [Frame(text.encode()) for text in texts]


@given(st.lists(st.text("0123456789", min_size=4, max_size=9), min_size=2, max_size=4), st.data())
def test_two_keyboards_never_mix(texts: list[str], data: st.DataObject) -> None:
    """Two scanners that type at the same time each give their own codes."""
    streams = [
        events(itertools.chain.from_iterable(code(t) for t in texts[at::2])) for at in (0, 1)
    ]
    devices, heard = [keyboard(), keyboard()], [[], []]
    while any(streams):
        at = data.draw(st.sampled_from([at for at in (0, 1) if streams[at]]))
        size = data.draw(st.integers(1, len(streams[at])))
        heard[at] += devices[at].feed(packed(streams[at][:size]))
        streams[at] = streams[at][size:]
    assert [values(each) for each in heard] == [[t.encode() for t in texts[at::2]] for at in (0, 1)]


def kernel(found: list, rng: random.Random) -> Iterator[bytes]:
    """Yield reads of an event device whose reader comes when it likes.

    As drivers/input/evdev.c has it: 64 events are kept, one more throws away all but the newest,
    and whole reports alone can be read.
    """
    kept: list = []
    for event in found:
        kept.append(event)
        if len(kept) == 64:
            kept = [(event[0], *SYN_DROPPED), event]
        if event[1:3] == (0, 0) and rng.random() < 0.02:
            yield packed(kept)
            kept = []
    yield packed(kept)


@given(st.integers(0, 2**32), st.sampled_from(GS_SPELLINGS))
def test_lost_keys_never_make_a_wrong_code(seed: int, gs: str) -> None:
    """A reader that is too slow refuses codes and loses codes, but never invents one."""
    rng = random.Random(seed)
    texts = [f"{rng.randrange(10**13):013}\x1dAb{rng.randrange(100)}" for _ in range(30)]
    found = events(itertools.chain.from_iterable(code(text, gs=gs) for text in texts), step_us=300)
    device = keyboard()
    # Where Enter also ends code points, the gateway must have seen one to be wary of Enter.
    device.feed(packed(events(iter(code("\x1d", gs=gs)), 0)))
    heard = [each for chunk in kernel(found, rng) for each in device.feed(chunk)]
    assert is_part_of(values(heard), [text.encode() for text in texts])
    assert "keys_lost" in problems(heard)


@given(st.data())
def test_a_drop_anywhere_spoils_no_other_code(data: st.DataObject) -> None:
    """Wherever and however much is lost, what comes after the next pause is right again."""
    texts = ["4006381333931", "5012345678900", "A\x1dB"]
    found = events(itertools.chain.from_iterable(code(text) for text in texts))
    first = data.draw(st.integers(0, len(found) - 1))
    last = data.draw(st.integers(first, len(found) - 1))
    lossy = [*found[:first], (found[last][0], *SYN_DROPPED), *found[last:]]
    device = keyboard()
    heard = device.feed(packed(lossy))
    assert is_part_of(values(heard), [text.encode() for text in texts])
    assert problems(heard)[0] == "keys_lost"
    later = events(iter(code("NEXT")), at_us=found[-1][0] + 1_000_000)
    assert values(device.feed(packed(later))) == [b"NEXT"]


@given(
    st.sampled_from(LAYOUTS), st.sampled_from(GS_SPELLINGS), st.data(), st.integers(1, 3_000_000)
)
def test_a_pause_in_a_code_never_makes_a_shorter_one(
    layout: str, gs: str, data: st.DataObject, pause_us: int
) -> None:
    """A code that falters is whole or refused; a part of one never passes for a code."""
    found = events(iter(code("012\x1d34", layout, gs)))
    at = data.draw(st.integers(1, len(found) - 1))
    later = [(t + pause_us, *rest) for t, *rest in found[at:]]
    heard = keyboard(layout).feed(packed(found[:at] + later))
    if pause_us < GAP_US - 2_000:
        assert heard == [Frame(b"012\x1d34")]
    elif pause_us < 1_000_000 - 2_000:
        assert values(heard) in ([], [b"012\x1d34"])  # whole where the pause is behind its Enter
        assert len(heard) == 1
    else:
        # A second is long enough for somebody to have aimed again.
        assert problems(heard) or values(heard) == [b"012\x1d34"]


def test_a_slow_reader_neither_glues_nor_cuts() -> None:
    """The events' own times count: how long the program slept between two reads does not."""
    found = events(iter(code("0123456789")))
    device = keyboard()
    assert device.feed(packed(found[:12])) == []
    assert device.pending
    assert device.silence() == [Frame(b"012", "incomplete")]
    assert not device.pending
    # It was not silent at all: the program was. What still comes of that code is swallowed.
    assert device.feed(packed(found[12:] + events(iter(code("NEXT")), found[-1][0]))) == [
        Frame(b"NEXT")
    ]


def test_silence_ends_a_code_where_it_is_the_terminator() -> None:
    """With "gap" the time between two keys cuts, and the driver's word after the last one."""
    device = keyboard(terminator="gap", prefix="P", suffix="S")
    first = events(strokes("us", "PONES"))
    second = events(strokes("us", "TWO"), at_us=first[-1][0] + GAP_US)
    assert device.feed(packed(first + second)) == [Frame(b"ONE")]
    assert device.silence() == []
    assert device.feed(packed(quiet(second[-1][0] + GAP_US - 1))) == []
    assert device.feed(packed(quiet(second[-1][0] + GAP_US))) == [Frame(b"TWO")]


def test_a_code_without_its_end_is_incomplete() -> None:
    """When the keys stop in the middle, the driver's word is enough to say so."""
    device = keyboard()
    half = events(strokes("us", "01234"))
    heard = device.feed(packed(half + quiet(half[-1][0] + GAP_US)))
    assert heard == [Frame(b"01234", "incomplete")]
    assert not device.pending


@pytest.mark.parametrize(
    ("terminator", "end", "frames"),
    [
        ("auto", TAB, [b"A"]),
        ("auto", 0x58, [b"A"]),
        ("cr", ENTER, [b"A"]),
        ("crlf", ENTER, [b"A"]),
        ("cr", TAB, []),
        ("tab", TAB, [b"A"]),
        ("tab", ENTER, []),
    ],
)
def test_the_configured_key_ends_a_code(terminator: str, end: int, frames: list[bytes]) -> None:
    """Enter, the keypad's Enter and Tab end codes, where the configuration says so."""
    device = keyboard(terminator=terminator)
    assert values(device.feed(packed(events(iter(code("A", end=end)))))) == frames


def test_prefix_suffix_and_no_read_are_sorted_out() -> None:
    """Decoration goes, and what the scanner types when it read nothing is no scan."""
    sort = answers.sorter(Scanner(name="s", port="/dev/input/event0", no_read=("NOREAD",)))
    device = keyboard(sort=sort, prefix="<", suffix=">")
    heard = device.feed(packed(events(iter([*code("<A>"), *code("NOREAD")]))))
    assert heard == [Frame(b"A"), NoRead()]


@pytest.mark.parametrize(
    ("changes", "typed"),
    [
        (press(("", 0x3A)), None),
        (press(("", 0x64)), None),
        (press(("a", 0x04)), None),
        (press(("c", 0x36)), None),
        ([(0xE2, True), *press(("", 0x59), ("", 0x04)), (0xE2, False)], None),
        ([(0xE2, True), *press(*[("", 0x59)] * 3), (0xE2, False)], "o"),
        ([(0xE2, True), *press(*[("", 0x61)] * 3), (0xE2, False)], None),
        (press(("cs", 0x18), ("", 0x0A)), None),
        (press(("cs", 0x18), ("", ENTER)), None),
    ],
    ids=["F1", "102nd", "Alt+a", "Ctrl+,", "Alt+1a", "Alt+111", "Alt+999", "U+g", "U+"],
)
def test_a_key_without_meaning_refuses_the_code(changes, typed: str | None) -> None:
    """Nothing is passed over: the code is unreadable, with the reason, and the next is right."""
    found = events(iter([*code("1"), *strokes("us", "2"), *changes, *code("3")]))
    heard = keyboard().feed(packed(found + events(iter(code("4")), found[-1][0] + 1_000_000)))
    if typed:
        assert heard == [Frame(b"1"), Frame(b"2%s3" % typed.encode()), Frame(b"4")]
    else:
        first, remark, refused, last = heard
        assert (first, last) == (Frame(b"1"), Frame(b"4"))
        assert isinstance(remark, Remark)
        assert refused == Frame(b"2", "keys_lost")


def test_held_keys_repeat_nothing_and_overlap() -> None:
    """The kernel's repeats are no keystrokes; a key may be released after the next is pressed."""
    a, b, shift = CODES[0x04], CODES[0x05], MODIFIERS["s"][1]
    keys = [(shift, 1), (a, 1), (a, 2), (b, 1), (a, 0), (shift, 0), (b, 2), (b, 0), (28, 1)]
    found = [(1_000 * at, 1, *key) for at, key in enumerate(keys, 1)]
    assert keyboard().feed(packed(found)) == [Frame(b"AB")]


def test_caps_lock_is_followed_until_it_cannot_be_known() -> None:
    """Lamp and key count; once keys were lost, letters that depend on them are refused."""
    device = keyboard()
    assert device.feed(packed([(1, 17, 1, 1), *events(iter(code("aB1")))])) == [Frame(b"Ab1")]
    device = keyboard()
    with_caps = [*press(("", CAPS_LOCK)), *code("aB1"), *press(("", CAPS_LOCK))]
    assert device.feed(packed(events(iter(with_caps)))) == [Frame(b"Ab1")]
    dropped = [(5_000_000, *SYN_DROPPED), (5_000_000, 0, 0, 0)]
    found = dropped + events(iter([*code("12")]), 7_000_000) + events(iter(code("ab")), 9_000_000)
    heard = device.feed(packed(found))
    assert values(heard) == [b"12"]
    assert problems(heard) == ["keys_lost", "keys_lost"]


def test_an_unplug_in_a_code_leaves_nothing_behind() -> None:
    """Keys that were down when the cable was pulled are up after it; the half code is told."""
    device = keyboard()
    device.feed(packed(events(iter([(0xE1, True), *strokes("us", "12")]))))
    assert device.cut() == [Frame(b"!@", "incomplete")]
    assert device.feed(packed(events(iter(code("12"))))) == [Frame(b"12")]


def test_a_scanner_that_types_without_end_is_cut_off() -> None:
    """64 KiB are kept and told as an overflow; the code after the next Enter is right."""
    once = [(1_000, 1, CODES[0x1E], 1), (1_000, 1, CODES[0x1E], 0)]
    device, heard = keyboard(), []
    for _ in range(FRAME_BYTES_MAX // 1_000 + 2):
        heard += device.feed(packed(once * 1_000))
    heard += device.feed(packed(events(iter([*press(("", ENTER)), *code("NEXT")]), 2_000)))
    assert [(len(each.data), each.problem) for each in heard] == [
        (FRAME_BYTES_MAX, "overflow"),
        (4, None),
    ]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2)), max_size=200))
def test_no_keys_break_it(keys: list[tuple[int, int]]) -> None:
    """Whatever keys come, frames come out or nothing does."""
    found = [(1_000 * at, 1, *key) for at, key in enumerate(keys, 1)]
    for layout in LAYOUTS:
        device = keyboard(layout)
        device.feed(packed(found))
        device.cut()
        assert not device.pending
