"""What a scanner sends that is no scan: answers to commands, and that nothing was read. Pure.

Answers come on the same line as the barcodes, and often without a terminator: the next barcode
follows at once. Taken for barcodes they would be booked. A camera's no-read is text like any other.
"""

from __future__ import annotations

import re
from dataclasses import replace

from gateway import code_ids, vendor_frames
from gateway.config import Scanner
from gateway.dialect import AnswerLength, Heard, NoRead, Remark, Sort
from gateway.framing import Frame
from gateway.reading import Misread

# A menu command comes back with ACK, ENQ or NAK before its punctuation; a handshake byte alone.
_HONEYWELL = re.compile(rb"[\x06\x15]|[0-9A-Z]{3}[\x20-\x7e]{0,200}?[\x05\x06\x15][.!;]")
_HONEYWELL_BEGINS = re.compile(rb"[0-9A-Z]{1,3}|[0-9A-Z]{3}[\x20-\x7e]{0,200}[\x05\x06\x15]?")
_DATALOGIC = re.compile(rb"[\x06\x15]")
_NEWLAND = re.compile(rb"\x02\x01[0-9]{4}[@#][^\x03]{0,500};\x03")
_NEWLAND_BEGINS = re.compile(rb"\x02(?:\x01(?:[0-9]{0,4}|[0-9]{4}[@#][^\x03]{0,500}))?")


def _by_pattern(whole: re.Pattern[bytes], begins: re.Pattern[bytes]) -> AnswerLength:
    def length(held: bytes) -> int | None:
        if found := whole.match(held):
            return found.end()
        return None if begins.fullmatch(held) else 0

    return length


#: Profile: how to find its answers.
LENGTHS: dict[str, AnswerLength] = {
    "honeywell": _by_pattern(_HONEYWELL, _HONEYWELL_BEGINS),
    "datalogic": _by_pattern(_DATALOGIC, _DATALOGIC),
    "newland": _by_pattern(_NEWLAND, _NEWLAND_BEGINS),
    "gm65": vendor_frames.gm65_reply_length,
}


def sorter(settings: Scanner) -> Sort:
    """Return what tells the scans of one scanner from everything else that comes as a frame."""
    no_read = frozenset(text.encode("latin-1") for text in settings.no_read)
    read_camera = _CAMERAS.get(settings.profile)

    def sort(frame: Frame) -> Heard:
        heard = read_camera(frame) if read_camera and not frame.problem else frame
        if not isinstance(heard, Frame) or heard.problem:
            return heard
        if heard.data in no_read:
            return NoRead()
        return _identified(settings.profile, heard) if settings.code_ids else heard

    return sort


def _identified(profile: str, frame: Frame) -> Frame:
    try:
        return replace(frame, data=code_ids.with_aim(profile, frame.data))
    except Misread:
        return replace(frame, problem="unknown_code_id")


def _keyence(frame: Frame) -> Heard:
    if vendor_frames.is_keyence_no_read(frame.data):
        return NoRead()
    if vendor_frames.KEYENCE_REPLY.fullmatch(frame.data):
        return Remark(f"answered a command: {frame.data!r}")
    return frame


def _cognex(frame: Frame) -> Heard:
    try:
        data = vendor_frames.cognex_reading(frame.data)
    except Misread:
        return replace(frame, problem="bad_report")
    if data is None:
        return Remark(f"answered a command: {frame.data!r}")
    return NoRead() if data in vendor_frames.COGNEX_NO_READ else replace(frame, data=data)


_CAMERAS: dict[str, Sort] = {"keyence": _keyence, "cognex": _cognex}
