"""gateway.hid_report: the reports of POS scanners become scans, or are refused whole."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import answers
from gateway.config import Scanner
from gateway.dialect import NoRead, Remark
from gateway.framing import FRAME_BYTES_MAX, Frame
from gateway.hid_report import LOST, Report, Reports, decode


def honeywell(data: bytes, *, more: bool = False, aim: bytes = b"]Q1", symbol: bytes = b"s"):
    """Return a report as Honeywell lays it out."""
    return bytes((2, len(data))) + aim + data.ljust(56, b"\0") + symbol + bytes((0, more))


def newland(data: bytes, *, more: bool = False):
    """Return a report as Newland lays it out."""
    return bytes((2, len(data))) + data.ljust(60, b"\0") + b"\x73" + bytes((more,))


def sent(code: bytes, layout=honeywell) -> list[bytes]:
    """Return the reports of a code."""
    parts = [code[at : at + 56] for at in range(0, len(code), 56)]
    return [layout(part, more=part is not parts[-1]) for part in parts]


def heard(scanner: Reports, *reports: bytes) -> list:
    """Return what a scanner is heard to say, without remarks."""
    found = [each for report in reports for each in scanner.feed(report)]
    return [each for each in found if not isinstance(each, Remark)]


@given(st.sampled_from(["generic", "honeywell", "newland"]), st.lists(st.integers(1, 300)))
def test_codes_of_any_length_come_out_whole(profile: str, sizes: list[int]) -> None:
    """A code over several reports is joined in both layouts, with the identifier that it has."""
    layout = newland if profile == "newland" else honeywell
    codes = [bytes(65 + (at + size) % 26 for at in range(size)) for size in sizes]
    scanner = Reports(profile)
    frames = heard(scanner, *itertools.chain.from_iterable(sent(code, layout) for code in codes))
    aim = b"" if layout is newland else b"]Q1"
    assert frames == [Frame(aim + code) for code in codes]
    assert not scanner.pending


def test_the_layout_is_told_by_the_bracket_unless_the_profile_knows() -> None:
    """Newland puts the data where Honeywell has the identifier, also data that looks like one."""
    assert decode(newland(b"HELLO")) == Report("", b"HELLO", 0x73, continues=False)
    assert heard(Reports("generic"), newland(b"HELLO")) == [Frame(b"HELLO")]
    assert heard(Reports("newland"), newland(b"]C10112")) == [Frame(b"]C10112")]
    # Read with the wrong layout it would get zeros at its end.
    assert heard(Reports("generic"), newland(b"]C10112"))[0].problem == "bad_report"


@pytest.mark.parametrize(
    ("symbol", "data", "frame"),
    [
        (b"d", b"5901234123457", b"]E05901234123457"),
        (b"c", b"012345678905", b"]E00012345678905"),
        (b"E", b"01234565", b"]E00012345000065"),
        (b"D", b"96385074", b"]E496385074"),
        (b"I", b"0109506000134352", b"]C10109506000134352"),
        (b"j", b"ABC", b"]C0ABC"),
        (b"w", b"ABC", b"ABC"),
        (b"\0", b"ABC", b"ABC"),
    ],
)
def test_honeywells_letter_stands_in_for_the_identifier(symbol, data, frame: bytes) -> None:
    """Where it is certain, and for Honeywell's scanners alone."""
    report = honeywell(data, aim=bytes(3), symbol=symbol)
    assert heard(Reports("honeywell"), report) == [Frame(frame)]
    assert heard(Reports("generic"), report) == [Frame(data)]


def test_decoration_goes_and_no_read_is_no_scan() -> None:
    """The suffix meant for a keyboard, the configured ones, and the word for nothing read."""
    sort = answers.sorter(Scanner(name="s", port="/dev/hidraw0", no_read=("NR",)))
    scanner = Reports("generic", sort, prefix=b"<", suffix=b">")
    frames = heard(scanner, honeywell(b"<ABC>\r\n"), honeywell(b"NR\r", aim=bytes(3)))
    assert frames == [Frame(b"]Q1ABC"), NoRead()]


@pytest.mark.parametrize("wrong", [LOST, honeywell(b"B")[:62], b"\x02\x00" + bytes(62)])
def test_a_wrong_report_takes_the_rest_of_its_scan_along(wrong: bytes) -> None:
    """What follows up to the last report may belong to it; the scan after that is right."""
    scanner = Reports("generic")
    assert heard(scanner, *sent(b"A" * 112)[:1], wrong) == [Frame(b"A" * 56, "bad_report")]
    assert scanner.pending
    assert heard(scanner, honeywell(b"A" * 56, more=True), honeywell(b"AA"), honeywell(b"C")) == [
        Frame(b"]Q1C")
    ]
    # The same where nothing was in hand: the lost report may have been the first of a scan.
    assert heard(scanner, wrong)[0].problem == "bad_report"
    assert heard(scanner, honeywell(b"AA"), honeywell(b"C")) == [Frame(b"]Q1C")]


def test_a_scanner_with_other_reports_is_told_apart() -> None:
    """Reports of another size are refused with a sentence, other numbers are remarked once."""
    scanner = Reports("generic")
    small = honeywell(b"B")[:62]
    remark, frame = scanner.feed(small)
    assert "62 bytes" in remark.text
    assert frame == Frame(small, "bad_report")
    assert heard(scanner, small) == [Frame(small, "bad_report")]
    first, second = scanner.feed(b"\x01" + bytes(63)), scanner.feed(b"\x01" + bytes(63))
    assert [type(each) for each in first + second] == [Remark]


def test_a_scan_whose_last_report_never_comes_is_incomplete() -> None:
    """After the silence, and after an unplug, the next report starts a new scan."""
    for end in ("silence", "cut"):
        scanner = Reports("generic")
        heard(scanner, honeywell(b"A" * 56, more=True))
        assert getattr(scanner, end)() == [Frame(b"A" * 56, "incomplete")]
        assert getattr(scanner, end)() == []
        assert heard(scanner, honeywell(b"B")) == [Frame(b"]Q1B")]


def test_a_scan_without_end_is_cut_off() -> None:
    """64 KiB are kept and told as an overflow; the scan after its last report is right."""
    scanner = Reports("generic")
    frames = heard(scanner, *[honeywell(b"A" * 56, more=True)] * 1_200, honeywell(b"A"))
    assert [(len(frame.data), frame.problem) for frame in frames] == [(FRAME_BYTES_MAX, "overflow")]
    assert heard(scanner, honeywell(b"B")) == [Frame(b"]Q1B")]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8), st.data())
def test_lost_reports_never_make_a_wrong_scan(sizes: list[int], data: st.DataObject) -> None:
    """Wherever reports go missing, with the driver's word for it, no scan is shortened or glued."""
    codes = [bytes((65 + at,)) * size for at, size in enumerate(sizes)]
    reports = list(itertools.chain.from_iterable(map(sent, codes)))
    first = data.draw(st.integers(0, len(reports)))
    last = data.draw(st.integers(first, len(reports)))
    frames = heard(Reports("generic"), *reports[:first], LOST, *reports[last:])
    whole = {b"]Q1" + code for code in codes}
    assert all(frame.data in whole for frame in frames if frame.problem is None)


@given(st.lists(st.binary(min_size=1, max_size=64).map(lambda raw: b"\x02" + raw), max_size=20))
def test_no_reports_break_it(reports: list[bytes]) -> None:
    """Whatever reports come, frames come out or nothing does."""
    for profile in ("generic", "honeywell", "newland"):
        scanner = Reports(profile)
        heard(scanner, *reports)
        scanner.cut()
        assert not scanner.pending
