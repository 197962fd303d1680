"""Frames that are no scans: commands to scanners and their replies, brand by brand. Pure.

A reply in the scan stream must not become a barcode: Newland's starts with STX and ends with ETX,
GM65's has no end at all, and a camera's no-read string is text like any other.
"""

from __future__ import annotations

import base64
import binascii
import re

from gateway.framing import FRAME_BYTES_MAX
from gateway.reading import Misread

_ACK, _NAK, _ENQ = 0x06, 0x15, 0x05
_REPLIES = {_ACK: "ACK", _NAK: "NAK", _ENQ: "ENQ"}

# Honeywell Host ACK (Xenon user's guide): each command ends with a comma.
HONEYWELL_HOST_ACK = {
    "a": "menu: correct",
    "b": "menu: razz",
    "1": "green LED 135 ms",
    "2": "green LED 2 s",
    "3": "green LED 5 s",
    "4": "beep low",
    "5": "beep medium",
    "6": "beep high",
    "7": "good read",
    "8": "error, not on file",
}
# Datalogic (PowerScan PD9600 reference manual): tones and LEDs, to be strung together.
DATALOGIC_ESCAPES = {
    "0": "short high tone",
    "1": "short low tone",
    "2": "long low tone",
    "3": "good read tone",
    "4": "bad transmission tone",
    "5": "wait 100 ms",
    "6": "green LED on",
    "7": "green LED off",
    "8": "red LED on",
    "9": "red LED off",
}
# Menu commands may be strung together, but not without end.
_LONGEST_COMMAND = 512
_HONEYWELL = re.compile(rb"(?:\x1b[ab1-8],)+")
_HONEYWELL_BEGINS = re.compile(rb"(?:\x1b[ab1-8],)*\x1b[ab1-8]?|\x16[TU]?|\x02[0-9]{0,6}|")
_HONEYWELL_ONE = re.compile(rb"\x1b([ab1-8]),")
_HONEYWELL_TRIGGER = {b"\x16T\r": "trigger on", b"\x16U\r": "trigger off"}
_HONEYWELL_MENU = re.compile(rb"([0-9A-Z]{3,}[^\x05\x06\x15]{0,200})([\x05\x06\x15])([.!;].*)?")
_HONEYWELL_COMMAND = re.compile(rb"(?:\x16M\r)?([0-9A-Z]{3,}[^\x05\x06\x15.!]{0,200}[.!])")
_METROLOGIC = re.compile(rb"\x02([0-9]{6})\x03")
_DATALOGIC = re.compile(rb"(?:\x1b\[[0-9]q)+")
_DATALOGIC_BEGINS = re.compile(rb"(?:\x1b\[[0-9]q)*\x1b(?:\[[0-9]?)?|[^\x12]{0,16}\x12[^\r]*|")
_DATALOGIC_ONE = re.compile(rb"\x1b\[([0-9])q")
_DATALOGIC_DISPLAY = re.compile(rb"[^\x12]{0,16}\x12([^\r]*)\r")
_NEWLAND = re.compile(rb"(\x7e\x01|\x02\x01)([0-9]{4})([@#])([^\x03;]*);\x03")
_NEWLAND_BEGINS = re.compile(rb"(?:[\x7e\x02](?:\x01[^\x03]*)?)?", re.DOTALL)
KEYENCE_REPLY = re.compile(rb"(?:OK|ER),[A-Z0-9]+(?:,.*)?", re.DOTALL)
_COGNEX_COMMAND = re.compile(rb"\|\|[^>]{0,16}>.*", re.DOTALL)
# An extended DMCC response: checksum and command id, status, text. Status 1: a reading in base64.
_COGNEX_RESPONSE = re.compile(rb"\|\|[0-9:]*\[([0-9]+)\](.*)", re.DOTALL)
# Strings that cameras send when the trigger found nothing (manufacturers' defaults). Keyence says
# OVER when it had more to say than room, and ERRnn when it could not read at all.
_KEYENCE_NO_READ = re.compile(rb"ERROR|OVER|ERR[0-9]{2}")
COGNEX_NO_READ = frozenset((b"NOREAD", b"NO READ", b"NO-READ", b"NO_READ"))
_OTHER_NO_READ = frozenset((b"NR", b"?"))
_GM65_COMMANDS = {
    bytes.fromhex("7e0008010002 01"): "trigger one scan",
    bytes.fromhex("7e0008010002 00"): "stop the scan",
    bytes.fromhex("7e0009010000 00"): "save the settings",
}
_GM65_TYPES = {0x07: "read", 0x08: "write", 0x09: "save"}
_GM65_REPLY_HEAD, _GM65_COMMAND_HEAD = b"\x02\x00", b"\x7e\x00"
_GM65_NO_CRC = b"\xab\xcd"


def honeywell_feedback(*codes: str) -> bytes:
    """Host ACK commands; the scanner is silent until it gets one."""
    return b"".join(f"\x1b{code},".encode() for code in codes if code in HONEYWELL_HOST_ACK)


def datalogic_feedback(*codes: str) -> bytes:
    """Tone and LED commands in the order given."""
    return b"".join(f"\x1b[{code}q".encode() for code in codes if code in DATALOGIC_ESCAPES)


def _to_scanner(protocol: str, what: str) -> dict[str, object]:
    return {"ok": True, "protocol": protocol, "direction": "host->scanner", "what": what}


def _reply(protocol: str, code: int, what: str) -> dict[str, object]:
    return {"ok": True, "protocol": protocol, "reply": _REPLIES[code], "what": what}


def _unknown(raw: bytes, brand: str) -> Misread:
    return Misread("bad_format", f"{raw[:24].hex(' ')} is neither command nor reply of {brand}")


def _refuse_beginning(raw: bytes, brand: str, *beginnings: bytes | re.Pattern[bytes]) -> None:
    """Raise Misread (short_frame) for bytes that are no more than the beginning of a frame."""
    for each in beginnings:
        is_beginning = each.startswith(raw) if isinstance(each, bytes) else each.fullmatch(raw)
        if is_beginning:
            raise Misread("short_frame", f"the {brand} frame breaks off")


def honeywell(raw: bytes) -> dict[str, object]:
    """Host ACK, triggers, Metrologic program mode and menu replies; raises Misread."""
    if len(raw) > _LONGEST_COMMAND:
        raise _unknown(raw, "Honeywell")
    _refuse_beginning(raw, "Honeywell", _HONEYWELL_BEGINS)
    if _HONEYWELL.fullmatch(raw):
        names = [HONEYWELL_HOST_ACK[code.decode()] for code in _HONEYWELL_ONE.findall(raw)]
        return _to_scanner("honeywell", f"Host ACK: {', '.join(names)}")
    if raw in _HONEYWELL_TRIGGER:
        return _to_scanner("honeywell", _HONEYWELL_TRIGGER[raw])
    if match := _METROLOGIC.fullmatch(raw):
        if match[1] == b"999999":
            return _to_scanner("honeywell", "enter or leave program mode: scanning stops meanwhile")
        return _to_scanner("honeywell", f"set {match[1].decode()}")
    if match := _HONEYWELL_COMMAND.fullmatch(raw):
        return _to_scanner("honeywell", f"menu command {match[1].decode('latin-1')}")
    if match := _HONEYWELL_MENU.fullmatch(raw):
        return _reply("honeywell", match[2][0], f"menu command {match[1].decode('latin-1')}")
    if len(raw) == 1 and raw[0] in _REPLIES:
        return _reply("honeywell", raw[0], "handshake")
    raise _unknown(raw, "Honeywell")


def datalogic(raw: bytes) -> dict[str, object]:
    """Tone and LED escapes, and the handshake bytes; raises Misread."""
    _refuse_beginning(raw, "Datalogic", _DATALOGIC_BEGINS)
    if _DATALOGIC.fullmatch(raw):
        names = [DATALOGIC_ESCAPES[code.decode()] for code in _DATALOGIC_ONE.findall(raw)]
        return _to_scanner("datalogic", ", ".join(names))
    if match := _DATALOGIC_DISPLAY.fullmatch(raw):
        return _to_scanner("datalogic", f"show {match[1].decode('latin-1')!r} on the gun")
    if len(raw) == 1 and raw[0] in _REPLIES:
        return _reply("datalogic", raw[0], "handshake")
    raise _unknown(raw, "Datalogic")


def newland(raw: bytes) -> dict[str, object]:
    """Setting commands and their replies; raises Misread."""
    _refuse_beginning(raw, "Newland", _NEWLAND_BEGINS)
    match = _NEWLAND.fullmatch(raw)
    if match is None:
        raise _unknown(raw, "Newland")
    tag = match[4]
    if match[1] == b"\x7e\x01":
        return _to_scanner("newland", f"set {tag.decode('latin-1')}")
    if not tag or tag[-1] not in _REPLIES:
        raise _unknown(raw, "Newland")
    return _reply("newland", tag[-1], f"setting {tag[:-1].decode('latin-1')}")


def gm65(raw: bytes) -> dict[str, object]:
    """Commands, and replies with the barcode that may follow in the same bytes; raises Misread."""
    _refuse_beginning(raw, "GM65", _GM65_REPLY_HEAD, _GM65_COMMAND_HEAD)
    if raw.startswith(_GM65_COMMAND_HEAD):
        return _gm65_command(raw)
    if not raw.startswith(_GM65_REPLY_HEAD):
        raise _unknown(raw, "GM65")
    end = _gm65_reply_end(raw)
    if end is None or len(raw) < end:
        raise Misread("short_frame", "the GM65 reply breaks off")
    _gm65_check(raw[2 : end - 2], raw[end - 2 : end])
    code = _ACK if raw[2] == 0 else _NAK
    shown = _reply("gm65", code, "reply to a command: not a scan")
    if rest := raw[end:].rstrip(b"\r\n"):
        shown["data"] = rest.decode("latin-1")
    return shown


def gm65_reply_length(held: bytes) -> int | None:
    """Bytes of the reply that `held` begins with; 0 for none, None when more must come."""
    if not _GM65_REPLY_HEAD.startswith(held[:2]):
        return 0
    end = _gm65_reply_end(held)
    if end is None or len(held) < end:
        return None
    try:
        _gm65_check(held[2 : end - 2], held[end - 2 : end])
    except Misread:
        return 0
    return end


def _gm65_reply_end(raw: bytes) -> int | None:
    # Head, type, count, that many bytes, checksum of two bytes.
    return 4 + raw[3] + 2 if len(raw) > 3 else None


def _gm65_command(raw: bytes) -> dict[str, object]:
    # Head, type, count, address of two bytes, then data: a read names how many bytes it wants.
    if len(raw) < 9:
        raise Misread("short_frame", "the GM65 command breaks off")
    length = 6 + (1 if raw[2] == 0x07 else raw[3]) + 2
    if len(raw) != length:
        error_class = "short_frame" if len(raw) < length else "bad_length"
        raise Misread(error_class, "the GM65 command has another length than it says")
    _gm65_check(raw[2:-2], raw[-2:])
    kind = _GM65_TYPES.get(raw[2], f"type {raw[2]:#04x}")
    what = _GM65_COMMANDS.get(raw[:7], f"{kind} {raw[6:-2].hex()} at {raw[4:6].hex()}")
    return _to_scanner("gm65", what)


def _gm65_check(body: bytes, crc: bytes) -> None:
    if crc not in (_GM65_NO_CRC, _crc_ccitt(body)):
        raise Misread("bad_checksum", "the checksum of the GM65 frame is wrong")


def _crc_ccitt(body: bytes) -> bytes:
    """CRC-16 with polynomial 0x1021 and start value 0."""
    crc = 0
    for byte in body:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x1021 if crc & 0x8000 else 0)
        crc &= 0xFFFF
    return crc.to_bytes(2, "big")


def is_keyence_no_read(text: bytes) -> bool:
    """True for what a Keyence reader sends instead of a barcode."""
    return _KEYENCE_NO_READ.fullmatch(text) is not None


def cognex_reading(text: bytes) -> bytes | None:
    """What a DataMan read, None for an answer to a command; raises Misread (bad_format)."""
    response = _COGNEX_RESPONSE.fullmatch(text)
    if response is None:
        return None if text.startswith(b"||") else text
    if response[1] != b"1":
        return None
    try:
        return base64.b64decode(response[2], validate=True)
    except binascii.Error as error:
        raise Misread("bad_format", "the reading in the DMCC response is no base64") from error


def camera(raw: bytes) -> dict[str, object]:
    """Frames of a camera on TCP: commands, replies, scans; raises Misread for a no-read."""
    text = raw.strip(b"\x02\x03\r\n")
    if len(text) > FRAME_BYTES_MAX:
        raise Misread("too_long", f"{len(text)} bytes came without an end")
    if _COGNEX_COMMAND.fullmatch(text) or text in (b"LON", b"LOFF"):
        return _to_scanner("tcp", text.decode("latin-1"))
    reading = cognex_reading(text)
    if reading is None or KEYENCE_REPLY.fullmatch(text):
        return {"ok": True, "protocol": "tcp", "what": "command reply: not a scan"}
    if not reading:
        raise Misread("empty_value", "the frame is empty")
    data = reading.decode("latin-1")
    if is_keyence_no_read(reading) or reading in COGNEX_NO_READ | _OTHER_NO_READ:
        raise Misread("no_read", f"the camera read nothing and said {data!r}")
    return {"ok": True, "protocol": "tcp", "what": "scan", "data": data}
