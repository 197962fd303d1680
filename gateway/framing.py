"""Bytes of one scanner in, frames out. Pure; one Framer per device, so two never mix."""

import re
from dataclasses import dataclass
from typing import Literal

Terminator = Literal["auto", "cr", "lf", "crlf", "tab", "stx-etx", "gap"]
#: Why a frame is no scan. `keys_lost`: keystrokes went missing, or one has no meaning.
Problem = Literal[
    "overflow", "incomplete", "outside_envelope", "keys_lost", "bad_report", "unknown_code_id"
]

#: Far above the largest symbol (some 7,000 characters): more than this without an end is noise, and
#: it must not fill the memory of a small machine.
FRAME_BYTES_MAX = 64 * 1024
_STX, _ETX = b"\x02", b"\x03"
_LINE_ENDS = b"\r\n"
_ENDS: dict[Terminator, re.Pattern[bytes]] = {
    "auto": re.compile(rb"[\r\n]"),
    "cr": re.compile(rb"\r"),
    "lf": re.compile(rb"\n"),
    "crlf": re.compile(rb"\r\n"),
    "tab": re.compile(rb"\t"),
    "stx-etx": re.compile(rb"\x03"),
    "gap": re.compile(rb"(?!)"),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What one scan sent, without its decoration; `problem` says why it is none.

    `again`: the device says that it sent this before and heard no answer.
    """

    data: bytes
    problem: Problem | None = None
    again: bool = False


def undecorated(piece: bytes, prefix: bytes, suffix: bytes) -> bytes:
    """Return what a scanner read, without what it puts around it.

    Carriage returns and line feeds at the edges are what is left of a terminator, never data.
    """
    prefix, suffix = prefix.lstrip(_LINE_ENDS), suffix.rstrip(_LINE_ENDS)
    return piece.strip(_LINE_ENDS).removeprefix(prefix).removesuffix(suffix)


class Framer:
    """Cuts a byte stream into frames.

    An endless frame is cut at 64 KiB into one Frame with problem "overflow"; what follows up to the
    next terminator belongs to it and is dropped, so that the next scan is right.
    """

    def __init__(
        self, terminator: Terminator = "auto", prefix: bytes = b"", suffix: bytes = b""
    ) -> None:
        self._end = _ENDS[terminator]
        self._terminator = terminator
        self._prefix, self._suffix = prefix, suffix
        self._buffer = b""
        self._skipping = False

    @property
    def pending(self) -> bool:
        """True while the beginning of a frame waits for its end."""
        return bool(self._buffer.strip(_LINE_ENDS)) or self._skipping

    @property
    def skipping(self) -> bool:
        """True while the rest of a frame that was given up is dropped."""
        return self._skipping

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that `chunk` completes, in order."""
        joined = self._buffer + chunk
        # The end may straddle two chunks by one byte; what came before was searched already.
        if self._end.search(joined, max(0, len(self._buffer) - 1)) is None:
            self._buffer = joined
            frames = []
        else:
            *pieces, self._buffer = self._end.split(joined)
            frames = [frame for piece in pieces for frame in self._complete(piece)]
        return frames + self._overflow()

    def silence(self) -> list[Frame]:
        """Return what is left after the line fell silent: a frame if gaps end them, else a rest."""
        cut = self.cut()
        return self._complete(cut[0].data) if cut and self._terminator == "gap" else cut

    def cut(self) -> list[Frame]:
        """Return the beginning of a frame whose end will not come, and start anew.

        For a device that went away: the rest is never glued to what it sends after its return.
        """
        rest, self._buffer = self._buffer, b""
        skipping, self._skipping = self._skipping, False
        nothing = rest.strip(_LINE_ENDS) in (b"", self._suffix)
        return [] if nothing or skipping else [Frame(rest, "incomplete")]

    def spoil(self, problem: Problem) -> list[Frame]:
        """Give up the frame in hand: its rest, up to an end or a silence, is dropped."""
        rest, self._buffer = self._buffer, b""
        skipping, self._skipping = self._skipping, True
        return [] if skipping else [Frame(rest, problem)]

    def _complete(self, piece: bytes) -> list[Frame]:
        if self._skipping:
            self._skipping = False
            return []
        if len(piece) > FRAME_BYTES_MAX:
            return [Frame(piece[:FRAME_BYTES_MAX], "overflow")]
        if self._terminator == "stx-etx":
            return self._unwrap(piece)
        if self._terminator == "auto" and piece.startswith(_STX):
            piece = piece.removeprefix(_STX).removesuffix(_ETX)
        data = undecorated(piece, self._prefix, self._suffix)
        return [Frame(data)] if data else []

    def _unwrap(self, piece: bytes) -> list[Frame]:
        # The last STX starts the frame: an earlier one began a frame that was cut off.
        outside, envelope, data = piece.rpartition(_STX)
        if not envelope:
            outside, data = piece, b""
        # The suffix of the frame before, and this one's prefix, may be outside as well.
        between = undecorated(outside.strip(_LINE_ENDS + _STX), self._suffix, self._prefix)
        noise = [Frame(outside, "outside_envelope")] if between.strip(_LINE_ENDS) else []
        data = undecorated(data, self._prefix, self._suffix)
        return noise + ([Frame(data)] if data else [])

    def _overflow(self) -> list[Frame]:
        if len(self._buffer) <= FRAME_BYTES_MAX:
            return []
        # The last byte stays: it may be the first half of the terminator.
        rest, self._buffer = self._buffer, self._buffer[-1:]
        skipping, self._skipping = self._skipping, True
        return [] if skipping else [Frame(rest[:FRAME_BYTES_MAX], "overflow")]
