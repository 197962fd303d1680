"""Which decoder explains the bytes of which transport, for `docktally parse`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway import hid_keyboard, hid_report, ssi, vendor_frames
from gateway.framing import Framer, Terminator
from gateway.reading import Misread

_TERMINATORS: dict[str, Terminator] = {
    "CR": "cr",
    "LF": "lf",
    "CRLF": "crlf",
    "TAB": "tab",
    "ETX": "stx-etx",
    "STX": "stx-etx",
    "GAP": "gap",
}
_STX = b"\x02"
_ERROR_CLASSES = {"overflow": "too_long", "incomplete": "incomplete"}
Decoder = Callable[[bytes, Mapping[str, object]], dict[str, object]]


def _keyboard(raw: bytes, options: Mapping[str, object]) -> dict[str, object]:
    layout = options.get("layout")
    if layout is None:
        layout = str(options.get("framing") or "")[:2]
        layout = layout if layout in hid_keyboard.LAYOUTS else "us"
    if not isinstance(layout, str) or layout not in hid_keyboard.LAYOUTS:
        known = ", ".join(hid_keyboard.LAYOUTS)
        raise Misread("bad_input", f"layout {layout!r} is not known; known: {known}")
    return hid_keyboard.describe(raw, layout)


def _framing(raw: bytes, options: Mapping[str, object]) -> dict[str, object]:
    """Frames of a byte stream; "framing" names the terminator, and STX if each starts with it."""
    words = str(options["framing"]).upper().split()
    framer = Framer(_TERMINATORS[words[0]], prefix=_STX if "STX" in words else b"")
    frames = framer.feed(raw) + framer.silence()
    for frame in frames:
        if frame.problem:
            raise Misread(
                _ERROR_CLASSES.get(frame.problem, frame.problem),
                f"no {words[0]} ended the bytes {frame.data[:20].hex(' ')}",
            )
    return {"ok": True, "frames": [frame.data.hex() for frame in frames]}


def _without_options(decode: Callable[[bytes], dict[str, object]]) -> Decoder:
    return lambda raw, _options: decode(raw)


DECODERS: dict[str, Decoder] = {
    "ssi": _without_options(ssi.describe),
    "gm65": _without_options(vendor_frames.gm65),
    "newland": _without_options(vendor_frames.newland),
    "honeywell": _without_options(vendor_frames.honeywell),
    "datalogic": _without_options(vendor_frames.datalogic),
    "tcp": _without_options(vendor_frames.camera),
    "hid_pos": _without_options(hid_report.describe),
    "hid_kbd": _keyboard,
    "framing": _framing,
}


def named(row: Mapping[str, object], raw: bytes = b"") -> str | None:
    """The decoder that a request names or its bytes demand, or None for the bytes of a barcode.

    Raises ValueError for a protocol that is not known.
    """
    protocol = row.get("protocol")
    if protocol is not None:
        if protocol not in DECODERS:
            raise ValueError(f"protocol {protocol!r} is not known; known: {', '.join(DECODERS)}")
        return str(protocol)
    if row.get("report_size") == hid_keyboard.REPORT_BYTES:
        return "hid_kbd"
    framing = row.get("framing")
    if isinstance(framing, str) and framing.upper().partition(" ")[0] in _TERMINATORS:
        return "framing"
    return _report(raw)


def _report(raw: bytes) -> str | None:
    """The kind of HID report that these bytes are; as a barcode they would be noise."""
    if len(raw) == hid_report.REPORT_BYTES and raw[0] == hid_report.REPORT_ID:
        return "hid_pos"
    size = hid_keyboard.REPORT_BYTES
    if raw and len(raw) % size == 0 and not any(raw[1::size]):
        return "hid_kbd"
    return None


def explain(name: str, raw: bytes, options: Mapping[str, object]) -> dict[str, object]:
    """What the bytes say in that transport, or why nothing, as `docktally parse` prints it."""
    try:
        return DECODERS[name](raw, options)
    except Misread as fault:
        return {
            "ok": False,
            "protocol": name,
            "error_class": fault.error_class,
            "message": f"{fault.message[:1].upper()}{fault.message[1:]}.",
        }
