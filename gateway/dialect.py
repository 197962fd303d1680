"""How a scanner speaks: what its transport brings in, what it says and wants to hear out. Pure.

A dialect is the state machine of one device. It turns chunks into frames (one scan each, as a
scanner with AIM identifiers would send it), and knows the protocol's own bytes: what to send when
the device was opened, what must be answered at once, and how to say that a scan is stored.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.framing import Frame, Framer

#: How a frame ended, for the handshake. `stored`: it is on the disk, or is a label that was obeyed
#: or refused for good reason: the scanner may forget it. `known`: it was stored before. `lost`: it
#: could not be stored; the scanner should send it again or sound its own alarm.
Outcome = Literal["stored", "known", "lost"]
_ACK, _NAK = b"\x06", b"\x15"


@dataclass(frozen=True, slots=True)
class Say:
    """Bytes that the protocol wants sent at once; they promise nothing about any scan."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NoRead:
    """The trigger was pulled and nothing was read: counted, never an event."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something for the log: the device answered a command, or refused one."""

    text: str


Heard = Frame | Say | NoRead | Remark
#: Looks at a whole frame: replies to commands and no-read strings are no scans.
Sort = Callable[[Frame], Heard]


def every_frame(frame: Frame) -> Heard:
    """Take every frame for a scan."""
    return frame


class Dialect(Protocol):
    """The conversation with one device."""

    @property
    def pending(self) -> bool:
        """True while the beginning of a frame waits for its end."""
        ...

    def greet(self) -> tuple[bytes, ...]:
        """Return what to send, one after the other, when the device was opened."""
        ...

    def feed(self, chunk: bytes) -> list[Heard]:
        """Return what `chunk` completes, in order."""
        ...

    def silence(self) -> list[Heard]:
        """Return what is left after the device fell silent in the middle."""
        ...

    def cut(self) -> list[Heard]:
        """Return the beginning of a frame whose end will not come, and start anew."""
        ...

    def answer(self, outcome: Outcome) -> bytes:
        """Return the handshake for the last frame, b"" where the protocol has none.

        Called once for each frame, after its outcome is certain; a beep may follow it.
        """
        ...


#: How many bytes at the beginning of a frame are an answer to a command: 0 for none, None when more
#: must come before that can be told.
AnswerLength = Callable[[bytes], int | None]


def no_answers(held: bytes) -> int:
    """Return 0: the device answers no commands, or not here."""
    del held
    return 0


#: Every terminator ends with one of these.
_MAY_END = re.compile(rb"[\r\n\t\x03]")


class Lines:
    """Frames between terminators on a byte stream, with or without ACK/NAK.

    `sort` looks at each whole frame: replies to commands and no-read strings are no scans.
    `answer_length` finds answers that have an end of their own, which no framer would cut right.
    """

    def __init__(
        self,
        framer: Framer,
        sort: Sort = every_frame,
        answer_length: AnswerLength = no_answers,
        *,
        ack_nak: bool = False,
    ) -> None:
        self._framer, self._sort, self._ack_nak = framer, sort, ack_nak
        self._answer_length = answer_length
        self._held = b""

    @property
    def pending(self) -> bool:
        """True while the beginning of a frame waits for its end."""
        return self._framer.pending or bool(self._held)

    def greet(self) -> tuple[bytes, ...]:
        """Nothing: the scanner speaks first."""
        return ()

    def feed(self, chunk: bytes) -> list[Heard]:
        """Return the frames that `chunk` completes, and the answers between them."""
        heard: list[Heard] = []
        held, self._held = self._held + chunk, b""
        while held:
            length = 0 if self._framer.pending else self._answer_length(held)
            if length is None:
                self._held = held
                break
            if length:
                heard.append(Remark(f"answered a command: {held[:length]!r}"))
            else:
                end = _MAY_END.search(held)
                length = end.end() if end else len(held)
                heard += self._sorted(self._framer.feed(held[:length]))
            held = held[length:]
        return heard

    def silence(self) -> list[Heard]:
        """Return a frame if gaps end them, else the rest as incomplete."""
        return self._sorted(self._flush() + self._framer.silence())

    def cut(self) -> list[Heard]:
        """Return the beginning of a frame as incomplete."""
        return self._sorted(self._flush() + self._framer.cut())

    def answer(self, outcome: Outcome) -> bytes:
        """ACK or NAK where the scanner waits for it."""
        if not self._ack_nak:
            return b""
        return _NAK if outcome == "lost" else _ACK

    def _flush(self) -> list[Frame]:
        """What looked like the beginning of an answer is none."""
        held, self._held = self._held, b""
        return self._framer.feed(held)

    def _sorted(self, frames: list[Frame]) -> list[Heard]:
        heard: list[Heard] = []
        for frame in frames:
            item = self._sort(frame)
            if self._ack_nak and not isinstance(item, Frame):
                heard.append(Say(_ACK))  # it waits for an answer to whatever it sent
            heard.append(item)
        return heard
