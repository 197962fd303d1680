"""The dialect of a keyboard scanner: the kernel's key events in, frames out. Pure.

A chunk holds whole `struct input_event`s (linux/input.h). Time is taken from the events alone: a
program that was slow to read them neither glues two codes together nor cuts one in two.
"""

import struct

from gateway import keymap
from gateway.dialect import Heard, Outcome, Remark, Sort, every_frame
from gateway.framing import Frame, Framer, Problem, Terminator
from gateway.hid_keyboard import Keys

#: Seconds, microseconds, type, code, value.
EVENT = struct.Struct("@llHHi")
EV_SYN, EV_KEY, EV_LED = 0x00, 0x01, 0x11
SYN_REPORT, SYN_DROPPED, LED_CAPS_LOCK = 0, 3, 1
_RELEASED, _PRESSED = 0, 1
_US_PER_S, _US_PER_MS = 1_000_000, 1_000
#: Scanners can be told to wait between characters, up to 990 ms, and radio ones falter. What comes
#: within this time after a code broke off is taken for the rest of it, and swallowed.
_PAUSE_MAX_US = 1_000_000
#: Enter ends a code whatever the scanner calls its suffix; with "auto" Tab does, too.
_ENDS: dict[Terminator, Terminator] = {"cr": "auto", "lf": "auto", "crlf": "auto"}


class Keystrokes:
    """Codes between Enter keys, Tab keys or silences of `gap_ms`.

    When keys went missing or mean nothing, the code in hand becomes a Frame with "keys_lost", when
    no key came for `gap_ms` one with "incomplete"; its rest up to its end or a silence of a second
    is swallowed. A wrong code is worse than none.
    """

    def __init__(
        self,
        layout: str,
        terminator: Terminator,
        gap_ms: int,
        sort: Sort = every_frame,
        *,
        prefix: str = "",
        suffix: str = "",
    ) -> None:
        self._terminator = terminator
        self._gap_us = gap_ms * _US_PER_MS
        self._sort = sort
        ends = _ENDS.get(terminator, terminator)
        self._framer = Framer(ends, prefix.encode(), suffix.encode())
        self._keys = Keys(layout)
        self._resyncing = self._until_pause = False
        self._last_us: int | None = None

    @property
    def pending(self) -> bool:
        """True while the beginning of a code waits for its end."""
        return self._framer.pending and not self._framer.skipping

    def greet(self) -> tuple[bytes, ...]:
        """Nothing: a keyboard has no way back."""
        return ()

    def feed(self, chunk: bytes) -> list[Heard]:
        """Return the codes that these key events complete."""
        heard: list[Heard] = []
        for seconds, micros, kind, code, value in EVENT.iter_unpack(chunk):
            heard += self._on_event(seconds * _US_PER_S + micros, kind, code, value)
        return heard

    def silence(self) -> list[Heard]:
        """Give up the code in hand as incomplete; what still comes of it is swallowed.

        With "gap" nothing: the end of such a code is seen by the times of the events only, for the
        program may have been slow while the scanner was not.
        """
        if self._terminator == "gap" or not self.pending:
            return []
        return self._spoilt("incomplete")

    def cut(self) -> list[Heard]:
        """Return the beginning of a code as incomplete, and start anew with all keys released."""
        self._keys.forget()
        self._resyncing, self._until_pause, self._last_us = False, False, None
        return list(self._framer.cut())

    def answer(self, outcome: Outcome) -> bytes:
        """Nothing: a keyboard has no way back."""
        del outcome
        return b""

    def _on_event(self, at_us: int, kind: int, code: int, value: int) -> list[Heard]:
        if kind == EV_SYN and code == SYN_DROPPED:
            self._keys.forget()
            self._resyncing, self._last_us = True, None
            return self._lost()
        if self._resyncing:
            # What comes up to the next report is a part of one, says the kernel.
            self._resyncing, self._last_us = kind != EV_SYN, at_us
            return []
        heard: list[Heard] = []
        if self._last_us is not None and at_us - self._last_us >= self._gap_us:
            heard += self._after(at_us - self._last_us)
        if kind == EV_KEY:
            self._last_us = at_us
            heard += self._on_key(code, value)
        elif kind == EV_LED and code == LED_CAPS_LOCK:
            self._keys.caps_lock(on=bool(value))
        return heard

    def _on_key(self, code: int, value: int) -> list[Heard]:
        usage = keymap.USAGES.get(code)
        if value == _RELEASED and usage is not None:
            text, fault = self._keys.release(usage)
        elif value != _PRESSED:
            return []
        elif usage is None:
            text, fault = "", f"key code {code} is none of a scanner"
        else:
            text, fault = self._keys.press(usage)
        heard = self._lost(fault) if fault else []
        if self._until_pause:
            return heard
        typed = text.replace("\t", "\r") if self._terminator == "auto" else text
        return heard + self._sorted(self._framer.feed(typed.encode()))

    def _after(self, quiet_us: int) -> list[Heard]:
        """End the code before a silence in the events' own time."""
        if self._terminator != "gap" and quiet_us < _PAUSE_MAX_US:
            return self._spoilt("incomplete") if self._keys.begun or self.pending else []
        lost = self._lost() if self._keys.begun else []
        self._keys.drop()
        self._until_pause = False
        return lost + self._sorted(self._framer.silence())

    def _lost(self, fault: str = "") -> list[Heard]:
        # The start of a code point may be among what is lost; its Enter would pass for an end.
        self._until_pause = self._keys.types_code_points
        heard = self._spoilt("keys_lost")
        return [Remark(fault), *heard] if fault and heard else heard

    def _spoilt(self, problem: Problem) -> list[Heard]:
        return list(self._framer.spoil(problem))

    def _sorted(self, frames: list[Frame]) -> list[Heard]:
        return [self._sort(frame) for frame in frames]
