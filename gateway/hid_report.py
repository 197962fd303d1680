"""USB HID POS reports: 64 bytes that hold a scan, or a part of one (usage page 0x8C). Pure.

Two layouts are in use. Honeywell, Access-IS: `02 length ]xm data[56] symbol reserved more`.
Newland, IDTech: `02 length data[56] reserved[4] symbol more`, without an AIM identifier.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.reading import Misread

REPORT_BYTES = 64
REPORT_ID = 0x02
_DATA_MAX = 56
_MORE = 0x01
_SCAN_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """One report: `aim` is "" where the layout has none, `symbol` is the maker's own code."""

    aim: str
    data: bytes
    symbol: int
    continues: bool


def decode(raw: bytes) -> Report:
    """The content of one report; raises Misread: wrong_report_id, short_report, bad_length."""
    if not raw or raw[0] != REPORT_ID:
        raise Misread("wrong_report_id", f"the report must start with {REPORT_ID:#04x}")
    if len(raw) < REPORT_BYTES:
        raise Misread("short_report", f"{len(raw)} bytes came, a report has {REPORT_BYTES}")
    length = raw[1]
    if not 1 <= length <= _DATA_MAX:
        raise Misread("bad_length", f"the report says {length} bytes, it holds 1 to {_DATA_MAX}")
    continues = bool(raw[63] & _MORE)
    if raw[2:3] in (b"]", b"\0"):
        aim = raw[2:5].decode("latin-1").strip("\0")
        return Report(aim, raw[5 : 5 + length], raw[61], continues)
    return Report("", raw[2 : 2 + length], raw[62], continues)


class Scans:
    """Joins the reports of one scanner into scans."""

    def __init__(self) -> None:
        self._aim = ""
        self._data = b""

    def feed(self, raw: bytes) -> bytes | None:
        """The frame that `raw` completes; raises Misread, and then the scan is lost."""
        try:
            report = decode(raw)
        except Misread:
            self.silence()
            raise
        if not self._data:
            self._aim = report.aim
        self._data += report.data
        if len(self._data) > _SCAN_BYTES_MAX:
            self.silence()
            raise Misread("too_long", "the scan has no last report")
        if report.continues:
            return None
        frame = self._aim.encode("latin-1") + _without_suffix(self._data)
        self.silence()
        return frame

    def silence(self) -> None:
        """Forget a scan whose rest never came: the device went away or fell silent."""
        self._aim, self._data = "", b""


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
