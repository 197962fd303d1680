"""A scanner that speaks SSI: what its packets mean, and what it wants to hear. Pure.

The decoder sends a packet and waits: for CMD_ACK, which ends the matter, or CMD_NAK, after which
it sends the packet again, as it does when it hears nothing. It tries three times in all, and then
tells the person with four low tones. So CMD_ACK is our promise that a scan is stored.
"""

from __future__ import annotations

from dataclasses import replace

from gateway import ssi, ssi_codes
from gateway.dialect import Heard, NoRead, Outcome, Remark, Say, Sort
from gateway.framing import FRAME_BYTES_MAX, Frame, Problem, undecorated
from gateway.reading import Misread

_ACK = ssi.encode("CMD_ACK")
_RESEND = ssi.encode("CMD_NAK", ssi.NAK_RESEND)
_WAKE_UP = b"\x00"
#: Until the next power-up, without a beep (FF): software handshake, packeted decode data, NR when
#: nothing was read; and no parameter barcodes, or anybody's sheet would change a dock's scanner.
_SETTINGS = ssi.encode("PARAM_SEND", b"\xff\x9f\x01\xee\x01\x5e\x01\xec\x00")
#: AIM identifiers with each code (parameter 2D). On its own: a cheap decoder may refuse just this.
_IDENTIFIERS = ssi.encode("PARAM_SEND", b"\xff\x2d\x01")
#: With identifiers on, some decoders put the one of Code 39 before "nothing read".
_NO_READS = (ssi.NO_READ, b"]A0" + ssi.NO_READ)
_NAK_CAUSES = {
    1: "the checksum of our command arrived wrong",
    2: "it does not know the command, or not now",
    6: "it does not allow it; set its host interface to SSI",
    10: "it is busy with something else",
}
_ADVICE = "is the scanner set to SSI with packeted data?"


class Ssi:
    """The conversation with one decoder.

    `sort` looks at the data of each scan before its code type does: no-read strings are no scans,
    and code letters are more exact than the type.

    A scan in several packets has no numbers on them, so what may be missing one is handed over as
    incomplete. The same goes for a repeated packet of a large symbol that comes first of all: it
    may be the end of a scan that somebody else began to hear.
    """

    def __init__(self, sort: Sort, prefix: bytes = b"", suffix: bytes = b"") -> None:
        self._sort, self._prefix, self._suffix = sort, prefix, suffix
        self._packets = ssi.Reader()
        self._parts: list[bytes] = []
        self._code_type = 0
        self._doubtful = False  # a packet of the scan in progress may be missing
        self._again = False  # all packets of the scan in progress were sent before
        self._broken = 0  # packets that arrived broken since the last good one
        self._unheard = True  # what came before a repeated packet was not heard, or given up
        self._heard_us = False  # the decoder has answered something since the last scan
        self._last_part: tuple[int, bytes, bool] | None = None
        self._last_scan: Heard = NoRead()

    @property
    def pending(self) -> bool:
        """True while the rest or the repetition of something is waited for."""
        return self._packets.pending or self._broken > 0 or bool(self._parts)

    def greet(self) -> tuple[bytes, ...]:
        """Wake the decoder and set what this conversation needs, until its next power-up."""
        return _WAKE_UP, _SETTINGS, _IDENTIFIERS

    def feed(self, chunk: bytes) -> list[Heard]:
        """Return what `chunk` completes."""
        heard: list[Heard] = []
        for packet in self._packets.feed(chunk):
            if isinstance(packet, Misread):
                self._broken += 1
                heard.append(Say(_RESEND))
            else:
                heard += self._on_packet(packet)
        return heard

    def silence(self) -> list[Heard]:
        """Give up what is incomplete: the decoder sends it again, or has told the person."""
        heard: list[Heard] = []
        self._broken = 0
        if rest := self._packets.silence():
            heard.append(Remark(f"dropped {len(rest)} bytes: no whole SSI packet; {_ADVICE}"))
        if self._parts:
            self._take_parts()
            self._unheard, self._last_part = True, None
            heard.append(Remark("dropped the beginning of a scan whose last packet never came"))
        return heard

    def cut(self) -> list[Heard]:
        """Give up what is incomplete: the device went away or came back."""
        heard = self.silence()
        self._unheard = True
        return heard

    def answer(self, outcome: Outcome) -> bytes:
        """CMD_ACK for what is stored; else the decoder is asked for it again."""
        return _RESEND if outcome == "lost" else _ACK

    def _on_packet(self, packet: ssi.Packet) -> list[Heard]:
        if packet.name == "DECODE_DATA":
            return self._on_data(packet)
        if packet.name == "EVENT":
            return [Say(_ACK)]
        self._heard_us = True
        if packet.name == "CMD_ACK":
            return []
        if packet.name == "CMD_NAK":
            cause = packet.data[0] if packet.data else 0
            why = _NAK_CAUSES.get(cause, f"cause {cause}")
            return [Remark(f"the decoder refuses a command: {why}")]
        return [Remark(f"the decoder sent {packet.name} {packet.data.hex(' ')}")]

    def _on_data(self, packet: ssi.Packet) -> list[Heard]:
        if not packet.data:
            return [Say(_ACK), Remark("the decoder sent a scan without data")]
        code_type, more = packet.data[0], packet.more_follows
        part = (code_type, packet.data[1:], more)
        if packet.is_retransmit and part == self._last_part:
            return self._on_repetition(more=more)
        alone = ssi_codes.fits_one_packet(code_type) and not more
        if self._parts and alone and code_type != self._code_type:
            self._take_parts()  # the decoder has given it up and told the person
        if self._parts:
            # A broken packet comes again. If it does not, or was broken twice, the decoder may have
            # given it up: then this belongs to another scan.
            gap = self._broken > (1 if packet.is_retransmit else 0)
            self._doubtful |= gap or code_type != self._code_type
            self._again &= packet.is_retransmit
        else:
            gap = self._unheard if packet.is_retransmit else self._broken > 0
            self._doubtful = gap and not alone
            self._again = packet.is_retransmit
        self._broken, self._unheard = 0, False
        self._last_part, self._code_type = part, code_type
        if sum(map(len, self._parts)) <= FRAME_BYTES_MAX:
            self._parts.append(part[1])
        return [Say(_ACK)] if more else self._on_scan()

    def _on_repetition(self, *, more: bool) -> list[Heard]:
        """Answer a packet that was heard before: our answer to it was lost.

        If one arrived broken in between, this may also be another one with the same content.
        """
        broken, self._broken = self._broken > 0, 0
        if more:
            self._doubtful |= broken
            return [Say(_ACK)]
        if not isinstance(self._last_scan, Frame):
            return [Say(_ACK)]
        again = not (broken and self._heard_us)
        self._heard_us = False
        return [replace(self._last_scan, again=again)]

    def _on_scan(self) -> list[Heard]:
        again, doubtful, whole = self._again, self._doubtful, self._take_parts()
        data = undecorated(whole, self._prefix, self._suffix)
        heard: Heard
        if doubtful or len(whole) > FRAME_BYTES_MAX:
            problem: Problem = "incomplete" if doubtful else "overflow"
            heard = Frame(data[:FRAME_BYTES_MAX], problem, again)
        elif data in _NO_READS:
            heard = NoRead()
        else:
            heard = self._sort(Frame(data, again=again))
            if isinstance(heard, Frame) and not heard.problem:
                heard = replace(heard, data=ssi_codes.frame_of(self._code_type, heard.data))
        self._last_scan, self._heard_us = heard, False
        return [heard] if isinstance(heard, Frame) else [Say(_ACK), heard]

    def _take_parts(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts, self._doubtful = [], False
        return whole
