"""The dialect of USB HID POS scanners: reports of 64 bytes that hold a scan, or a part of one
(usage page 0x8C). Pure.

Two layouts are in use. Honeywell, Access-IS: `02 length ]xm data[56] symbol reserved more`.
Newland, IDTech: `02 length data[56] reserved[4] symbol more`, with no place for an identifier.
"""

from dataclasses import dataclass
from typing import Literal

from gateway import gtin
from gateway.dialect import Heard, Outcome, Remark, Sort, every_frame
from gateway.framing import FRAME_BYTES_MAX, Frame, Problem
from gateway.reading import Misread

REPORT_BYTES = 64
REPORT_ID = 0x02
#: What the driver hands over where the kernel may have thrown reports away.
LOST = b"\0"
_DATA_MAX = 56
_MORE = 0x01
ReportLayout = Literal["honeywell", "newland"]
_LAYOUTS: dict[str, ReportLayout] = {"honeywell": "honeywell", "newland": "newland"}
#: AIM identifiers of Honeywell's letters in the symbol byte. The letters for Data Matrix, QR code
#: and Aztec do not tell whether the symbol is a GS1 one; those scans stay without an identifier.
_HONEYWELL_AIM = {
    "b": "]A0", "c": "]E0", "d": "]E0", "D": "]E4", "E": "]E0", "e": "]I0", "j": "]C0", "I": "]C1",
    "|": "]C1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """One report: `aim` is "" where the layout has none, `symbol` is the maker's own code."""

    aim: str
    data: bytes
    symbol: int
    continues: bool


def decode(raw: bytes, layout: ReportLayout | None = None) -> Report:
    """The content of one report; without a layout, the place of the ] tells.

    Raises Misread: wrong_report_id, short_report, bad_length.
    """
    if not raw or raw[0] != REPORT_ID:
        raise Misread("wrong_report_id", f"the report must start with {REPORT_ID:#04x}")
    if len(raw) != REPORT_BYTES:
        raise Misread("short_report", f"{len(raw)} bytes came, a POS report has {REPORT_BYTES}")
    length = raw[1]
    if not 1 <= length <= _DATA_MAX:
        raise Misread("bad_length", f"the report says {length} bytes, it holds 1 to {_DATA_MAX}")
    continues = bool(raw[63] & _MORE)
    if layout == "honeywell" or (layout is None and raw[2] in b"]\0"):
        aim = raw[2:5].decode("latin-1").strip("\0")
        return Report(aim, raw[5 : 5 + length], raw[61], continues)
    return Report("", raw[2 : 2 + length], raw[62], continues)


class Reports:
    """The reports of one scanner, joined into scans.

    When a report cannot be, or may be missing, the scan in hand becomes a Frame with "bad_report",
    and what follows up to the next last report, or until the scanner falls silent, is dropped: it
    may be the rest of that scan. Reports with other numbers are not about barcodes.
    """

    def __init__(
        self, profile: str, sort: Sort = every_frame, *, prefix: bytes = b"", suffix: bytes = b""
    ) -> None:
        self._layout, self._sort = _LAYOUTS.get(profile), sort
        self._prefix, self._suffix = prefix, suffix
        self._foreign: set[int] = set()
        self._first: Report | None = None
        self._data = b""
        self._skipping = False

    @property
    def pending(self) -> bool:
        """True while a scan waits for its last report."""
        return self._first is not None or self._skipping

    def greet(self) -> tuple[bytes, ...]:
        """Nothing: the driver has put the scanner into POS mode."""
        return ()

    def feed(self, chunk: bytes) -> list[Heard]:
        """Return the scan that a report completes."""
        if chunk == LOST:
            return self._spoil("too many reports waited, some may be lost")
        if chunk[0] != REPORT_ID:
            return self._ignore(chunk[0])
        try:
            report = decode(chunk, self._layout)
        except Misread as fault:
            return self._spoil(fault.message, chunk)
        if self._layout is None and report.aim and report.data.endswith(b"\0"):
            return self._spoil('this may be Newland\'s layout; set profile = "newland"', chunk)
        if self._skipping:
            self._skipping = report.continues
            return []
        return self._join(report)

    def silence(self) -> list[Heard]:
        """Return the scan whose last report never came, and start anew."""
        return self.cut()

    def cut(self) -> list[Heard]:
        """Return the scan whose last report will not come, and start anew."""
        rest, began = self._data, self._first is not None
        self._first, self._data, self._skipping = None, b"", False
        return [Frame(rest, "incomplete")] if began else []

    def answer(self, outcome: Outcome) -> bytes:
        """Nothing: POS mode has no way back."""
        del outcome
        return b""

    def _join(self, report: Report) -> list[Heard]:
        first = self._first = self._first or report
        self._data += report.data
        if len(self._data) > FRAME_BYTES_MAX:
            over = self._spoil("the scan has no last report", problem="overflow")
            self._skipping = report.continues
            return over
        if report.continues:
            return []
        data, self._first, self._data = self._data, None, b""
        data = _without_suffix(data).removeprefix(self._prefix).removesuffix(self._suffix)
        if self._layout == "honeywell" and not first.aim:
            return [self._sort(Frame(_identified(chr(first.symbol), data)))]
        return [self._sort(Frame(first.aim.encode("latin-1") + data))]

    def _spoil(self, why: str, report: bytes = b"", problem: Problem = "bad_report") -> list[Heard]:
        told = self._skipping and not report
        data = (self._data or report)[:FRAME_BYTES_MAX]
        self._first, self._data, self._skipping = None, b"", True
        return [] if told else [Remark(why), Frame(data, problem)]

    def _ignore(self, number: int) -> list[Heard]:
        if number in self._foreign:
            return []
        self._foreign.add(number)
        return [Remark(f"reports {number:#04x} are not about barcodes and are ignored")]


def _identified(letter: str, data: bytes) -> bytes:
    """The scan with the AIM identifier that Honeywell's letter stands for, if it is for certain."""
    aim = _HONEYWELL_AIM.get(letter, "").encode()
    if letter == "c":
        return aim + b"0" + data
    if letter == "E":
        try:
            return aim + f"0{gtin.upc_e(data.decode('latin-1')).fields['upc_a']}".encode()
        except Misread:
            return data
    return aim + data


def _without_suffix(data: bytes) -> bytes:
    """Some scanners put the suffix meant for a keyboard into the report."""
    return data.rstrip(b"\r\n")


def describe(raw: bytes) -> dict[str, object]:
    """What a report says, for `docktally parse`; raises Misread."""
    report = decode(raw)
    data = report.data if report.continues else _without_suffix(report.data)
    return {
        "ok": True,
        "protocol": "hid_pos",
        "report_id": raw[0],
        "length": raw[1],
        "aim": report.aim or None,
        "vendor_sym": f"{report.symbol:#04x}",
        "data_hex": data.hex(),
        "continues": report.continues,
    }
