"""SSI, the packet protocol of Zebra, Symbol and many other scan engines. Pure.

A packet is `length opcode source status data checksum(2)`; length counts everything but the
checksum, which is the two's complement of the byte sum (Simple Serial Interface, SE-923 and SE-955
integration guides). Engines that call themselves SSI and use another checksum need another profile;
nothing here guesses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway import ssi_codes
from gateway.reading import Misread

DECODER, HOST = 0, 4
RETRANSMIT, MORE_FOLLOWS = 0x01, 0x02
_CHECKSUM_BYTES = 2
_HEADER_BYTES = 4
# What a decoder sends begins with these at least; all its opcodes have the high bit.
_LEAST_HEADER = (_HEADER_BYTES, 0x80, DECODER, 0)
_STATUS_BITS = 0x0F

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
NO_READ = b"NR"


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


class Reader:
    """Cuts the byte stream of one engine into packets.

    A decoder waits for an answer after each packet, so what is lost on the line is sent again. The
    reader therefore prefers to lose a packet over making one up: nothing inside a packet is ever
    taken for a packet, and only what has a header that a decoder sends is waited for.
    """

    def __init__(self) -> None:
        self._buffer = b""
        # So many bytes at the front of the buffer belong to a packet whose checksum was wrong. If
        # its length was wrong as well, a good packet may begin among them, and ends behind them.
        self._broken = 0

    @property
    def pending(self) -> bool:
        """True while the beginning of a packet waits for its end."""
        return len(self._buffer) > self._broken

    def feed(self, chunk: bytes) -> Iterator[Packet | Misread]:
        """Packets that `chunk` completes; a Misread asks for `encode("CMD_NAK", NAK_RESEND)`.

        At most one packet (257 bytes) waits for its end, behind at most one broken one.
        """
        self._buffer += chunk
        while (found := self._next()) is not None:
            yield found

    def silence(self) -> bytes:
        """Forget a packet whose rest never came, and return what there is of it."""
        rest, self._buffer, self._broken = self._buffer[self._broken :], b"", 0
        return rest

    def _next(self) -> Packet | Misread | None:
        waiting = len(self._buffer)
        for at in range(len(self._buffer)):
            if not _may_begin(self._buffer[at : at + _HEADER_BYTES]):
                continue
            end = at + self._buffer[at] + _CHECKSUM_BYTES
            if end > len(self._buffer):
                waiting = min(waiting, at)
                if at >= self._broken:
                    break
                continue
            try:
                packet = decode(self._buffer[at:end])
            except Misread as fault:
                if at >= self._broken:
                    self._forget(at + 1, broken=end - at - 1)
                    return fault
            else:
                if end > self._broken:
                    self._forget(end)
                    return packet
        self._forget(waiting, broken=max(0, self._broken - waiting))
        return None

    def _forget(self, size: int, broken: int = 0) -> None:
        self._buffer, self._broken = self._buffer[size:], broken


def _may_begin(head: bytes) -> bool:
    """True unless these one to four bytes cannot begin a packet of a decoder."""
    length, opcode, source, status = (*head, *_LEAST_HEADER[len(head) :])
    return (
        length >= _HEADER_BYTES
        and opcode >= _LEAST_HEADER[1]
        and source == DECODER
        and not status & ~_STATUS_BITS
    )


def decoded(packet: Packet) -> tuple[int, bytes]:
    """Code type and data of a DECODE_DATA packet; raises Misread (no_read, empty_value)."""
    if not packet.data:
        raise Misread("empty_value", "the decoder sent a scan without data")
    code_type, data = packet.data[0], packet.data[1:]
    if data == NO_READ and not packet.more_follows:
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
            code_type=code_type, symbology=ssi_codes.name(code_type), data=data.decode("latin-1")
        )
        if packet.more_follows:
            shown["continues"] = True
    elif packet.data:
        shown["data_hex"] = packet.data.hex()
    return shown
