"""A Zebra scan engine on a pseudo terminal: it speaks SSI, and its line may be bad.

What the protocol asks of a decoder (Simple Serial Interface programmer's guide): send a scan in
packets, wait for CMD_ACK after each, send it again with the retransmit bit after CMD_NAK or when
nothing comes, give up after the second time with four low tones, and answer every command.
"""

import asyncio
import contextlib
from pathlib import Path

from firmware_sim.pty_serial import PtyScanner
from wire.errors import Unavailable

_DECODE_DATA, _CMD_ACK, _CMD_NAK = 0xF3, 0xD0, 0xD1
_BEEP, _PARAM_SEND = 0xE6, 0xC6
_DECODER, _HOST = 0x00, 0x04
_RETRANSMIT, _CONTINUED = 0x01, 0x02
_RESEND, _BAD_CONTEXT = 1, 2
_TRIES = 3
#: The largest packet is 255 bytes and its checksum; five of them are header and code type.
_DATA_MAX = 250
_BEEPS_KEPT = 1_000


def packet(opcode: int, data: bytes = b"", status: int = 0, source: int = _DECODER) -> bytes:
    """Return the bytes of a packet, from the decoder or the host."""
    body = bytes((4 + len(data), opcode, source, status)) + data
    return body + (-sum(body) & 0xFFFF).to_bytes(2, "big")


class SsiEngine(PtyScanner):
    """A decoder whose port is the symlink `link`.

    `response_s` is how long it waits for an answer. `broken` and `unheard` are the faults of its
    line: the numbers of packets that leave with a wrong checksum, and of those whose answer gets
    lost. `sent` numbers the data packets from 1, repetitions among them.
    """

    def __init__(self, name: str, link: Path, response_s: float = 2.0) -> None:
        super().__init__(name, link)
        self.response_s = response_s
        self.broken: set[int] = set()
        self.unheard: set[int] = set()
        self.sent = 0
        #: Beep codes in the order told, and the parameters as set.
        self.beeps: list[int] = []
        self.parameters: dict[int, int] = {}
        self._received = b""
        self._answers: asyncio.Queue[int] = asyncio.Queue()

    async def scan(self, code_type: int, data: bytes) -> bool:
        """Decode a symbol; return whether the host took it, False after the four low tones.

        Nobody pulls the trigger before a host has the port open.
        """
        await self.connected()
        pieces = [data[at : at + _DATA_MAX] for at in range(0, len(data), _DATA_MAX)] or [b""]
        for left, piece in zip(range(len(pieces), 0, -1), pieces, strict=True):
            status = _CONTINUED if left > 1 else 0
            if not await self._deliver(bytes((code_type,)) + piece, status):
                return False
        return True

    async def _deliver(self, data: bytes, status: int) -> bool:
        while not self._answers.empty():
            self._answers.get_nowait()
        for attempt in range(_TRIES):
            raw = packet(_DECODE_DATA, data, status | (_RETRANSMIT if attempt else 0))
            self.sent += 1
            if self.sent in self.broken:
                raw = raw[:-1] + bytes((raw[-1] ^ 0x55,))
            self._transmit(raw)
            try:
                async with asyncio.timeout(self.response_s):
                    if await self._answers.get() == _CMD_ACK:
                        return True
            except TimeoutError:
                continue
        return False

    def _on_bytes(self, data: bytes) -> None:
        self._received += data
        while self._received:
            length = self._received[0]
            if not length:  # the wake-up byte
                self._received = self._received[1:]
                continue
            if len(self._received) < length + 2:
                return
            raw, self._received = self._received[: length + 2], self._received[length + 2 :]
            right = packet(raw[1], raw[4:length], raw[3], raw[2]) == raw
            if right and raw[2] == _HOST:
                self._on_packet(raw[1], raw[4:length])
            else:
                self._transmit(packet(_CMD_NAK, bytes((_RESEND,))))

    def _transmit(self, raw: bytes) -> None:
        """Put bytes on the line; a decoder does not know whether anybody is at its other end."""
        with contextlib.suppress(Unavailable):
            self._send(raw)

    def _on_packet(self, opcode: int, data: bytes) -> None:
        if opcode in (_CMD_ACK, _CMD_NAK):
            if self.sent not in self.unheard:
                self._answers.put_nowait(opcode)
            return
        if opcode == _BEEP:
            self.beeps = [*self.beeps, data[0]][-_BEEPS_KEPT:]
        elif opcode == _PARAM_SEND:
            self.parameters.update(zip(data[1::2], data[2::2], strict=True))
        known = opcode in (_BEEP, _PARAM_SEND)
        self._transmit(packet(_CMD_ACK) if known else packet(_CMD_NAK, bytes((_BAD_CONTEXT,))))
