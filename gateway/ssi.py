"""SSI, the packet protocol of Zebra, Symbol and many other scan engines. Pure.

A packet is `length opcode source status data checksum(2)`; length counts everything but the
checksum, which is the two's complement of the byte sum (Simple Serial Interface, SE-923 and SE-955
integration guides). Engines that call themselves SSI and use another checksum need another profile;
nothing here guesses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway import gtin
from gateway.reading import Misread

DECODER, HOST = 0, 4
RETRANSMIT, MORE_FOLLOWS = 0x01, 0x02
_CHECKSUM_BYTES = 2
_HEADER_BYTES = 4
# A scan in several packets: as long as the longest frame that anything else may deliver.
_SCAN_BYTES_MAX = 64 * 1024

OPCODES = {
    0xA3: "REQUEST_REVISION",
    0xA4: "REPLY_REVISION",
    0xC4: "AIM_OFF",
    0xC5: "AIM_ON",
    0xC6: "PARAM_SEND",
    0xC7: "PARAM_REQUEST",
    0xC8: "PARAM_DEFAULTS",
    0xD0: "CMD_ACK",
    0xD1: "CMD_NAK",
    0xD2: "FLUSH_QUEUE",
    0xD3: "CAPABILITIES_REQUEST",
    0xD4: "CAPABILITIES_REPLY",
    0xE4: "START_DECODE",
    0xE5: "STOP_DECODE",
    0xE6: "BEEP",
    0xE7: "LED_ON",
    0xE8: "LED_OFF",
    0xE9: "SCAN_ENABLE",
    0xEA: "SCAN_DISABLE",
    0xEB: "SLEEP",
    0xF3: "DECODE_DATA",
    0xF6: "EVENT",
}
_BY_NAME = {name: code for code, name in OPCODES.items()}
NAK_RESEND = b"\x01"
# The engine is told to report a trigger pull without a barcode with these two letters.
_NO_READ = b"NR"

# Code type (CS3000 guide, appendix B) to symbology name and AIM identifier.
_CODE_TYPES = {
    0x01: ("CODE_39", "]A0"),
    0x02: ("CODABAR", "]F0"),
    0x03: ("CODE_128", "]C0"),
    0x04: ("DISCRETE_2_OF_5", "]S0"),
    0x06: ("INTERLEAVED_2_OF_5", "]I0"),
    0x07: ("CODE_93", "]G0"),
    0x08: ("UPC_A", "]E0"),
    0x09: ("UPC_E0", "]E0"),
    0x0A: ("EAN_8", "]E4"),
    0x0B: ("EAN_13", "]E0"),
    0x0E: ("MSI", "]M0"),
    0x0F: ("GS1_128", "]C1"),
    0x10: ("UPC_E1", "]E0"),
    0x15: ("TRIOPTIC", "]X0"),
    0x16: ("BOOKLAND", "]X0"),
    0x1C: ("QR_CODE", "]Q1"),
    0x23: ("GS1_DATABAR_LIMITED", "]e0"),
    0x24: ("GS1_DATABAR_14", "]e0"),
    0x25: ("GS1_DATABAR_EXPANDED", "]e0"),
}
_ADD_ON = 0x40 | 0x80
_UPC_A, _UPC_E = 0x08, (0x09, 0x10)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet whose checksum was right."""

    opcode: int
    source: int
    status: int
    data: bytes = b""

    @property
    def name(self) -> str:
        """The opcode's name, or its number."""
        return OPCODES.get(self.opcode, f"OPCODE_{self.opcode:02X}")

    @property
    def is_retransmit(self) -> bool:
        """The decoder sent this before and heard no acknowledgement: it must count once."""
        return bool(self.status & RETRANSMIT)

    @property
    def more_follows(self) -> bool:
        """The scan goes on in the next packet."""
        return bool(self.status & MORE_FOLLOWS)


def _checksum(body: bytes) -> bytes:
    return (-sum(body) & 0xFFFF).to_bytes(_CHECKSUM_BYTES, "big")


def encode(name: str, data: bytes = b"") -> bytes:
    """The bytes of a command of ours, such as encode("BEEP", b"\\x00")."""
    body = bytes((_HEADER_BYTES + len(data), _BY_NAME[name], HOST, 0)) + data
    return body + _checksum(body)


def decode(raw: bytes) -> Packet:
    """One packet from exactly its bytes; raises Misread: short_frame, bad_length, bad_checksum."""
    if not raw or len(raw) < max(raw[0], _HEADER_BYTES) + _CHECKSUM_BYTES:
        raise Misread("short_frame", "the SSI packet breaks off; wait for the decoder's retry")
    length = raw[0]
    if length < _HEADER_BYTES or len(raw) != length + _CHECKSUM_BYTES:
        raise Misread("bad_length", f"the SSI packet says {length} bytes and has {len(raw) - 2}")
    body, check = raw[:length], raw[length:]
    if check != _checksum(body):
        raise Misread("bad_checksum", "the checksum of the SSI packet is wrong: ask for it again")
    return Packet(body[1], body[2], body[3], body[4:])


def code_name(code_type: int) -> str:
    """The symbology's name, or `unknown(0xNN)`."""
    known = _CODE_TYPES.get(code_type & ~_ADD_ON)
    return known[0] if known else f"unknown(0x{code_type:02x})"


def frame_of(code_type: int, data: bytes) -> bytes:
    """The scan as a scanner with AIM identifiers would send it."""
    known = _CODE_TYPES.get(code_type & ~_ADD_ON)
    if known is None or data.startswith(b"]"):
        return data
    aim = "]E3" if code_type & _ADD_ON else known[1]
    kind = code_type & ~_ADD_ON
    number = data.decode("latin-1")
    if kind == _UPC_A:
        number = "0" + number
    elif kind in _UPC_E:
        try:
            number = f"0{gtin.upc_e(number[:8]).fields['upc_a']}{number[8:]}"
        except Misread:
            return data
    return aim.encode() + number.encode("latin-1")


class Reader:
    """Cuts the byte stream of one engine into packets."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, chunk: bytes) -> Iterator[Packet | Misread]:
        """Packets that `chunk` completes; a Misread asks for `encode("CMD_NAK", NAK_RESEND)`.

        At most one packet (257 bytes) waits for its end.
        """
        self._buffer += chunk
        while self._buffer:
            length = self._buffer[0]
            if length < _HEADER_BYTES:  # a wake-up byte, or noise
                self._buffer = self._buffer[1:]
                continue
            end = length + _CHECKSUM_BYTES
            if len(self._buffer) < end:
                return
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            try:
                yield decode(raw)
            except Misread as fault:
                yield fault

    def silence(self) -> None:
        """Forget a packet whose rest never came."""
        self._buffer = b""


class Scans:
    """Joins DECODE_DATA packets into scans."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._code_type = 0

    def feed(self, packet: Packet) -> bytes | None:
        """The frame that `packet` completes; raises Misread (no_read, empty_value, too_long)."""
        code_type, data = decoded(packet)
        if not self._parts:
            self._code_type = code_type
        self._parts.append(data)
        if sum(map(len, self._parts)) > _SCAN_BYTES_MAX:
            self._parts = []
            raise Misread("too_long", "the scan has no last packet")
        if packet.more_follows:
            return None
        whole, self._parts = b"".join(self._parts), []
        return frame_of(self._code_type, whole)


def decoded(packet: Packet) -> tuple[int, bytes]:
    """Code type and data of a DECODE_DATA packet; raises Misread (no_read, empty_value)."""
    if not packet.data:
        raise Misread("empty_value", "the decoder sent a scan without data")
    code_type, data = packet.data[0], packet.data[1:]
    if data == _NO_READ and not packet.more_follows:
        raise Misread("no_read", "the trigger was pulled and nothing was read")
    return code_type, data


def describe(raw: bytes) -> dict[str, object]:
    """What a packet says, for `docktally parse`; raises Misread."""
    packet = decode(raw)
    shown: dict[str, object] = {
        "ok": True,
        "protocol": "ssi",
        "msg": packet.name,
        "opcode": packet.opcode,
        "checksum_ok": True,
    }
    if packet.source == HOST:
        shown["direction"] = "host->scanner"
    if packet.is_retransmit:
        shown["retransmit"] = True
    if packet.name == "DECODE_DATA":
        code_type, data = decoded(packet)
        shown.update(
            code_type=code_type, symbology=code_name(code_type), data=data.decode("latin-1")
        )
        if packet.more_follows:
            shown["continues"] = True
    elif packet.data:
        shown["data_hex"] = packet.data.hex()
    return shown
