"""What goes wrong between a label and the wire, from a seed. Pure."""

import random
from dataclasses import dataclass

from firmware_sim import gs1

#: Bytes that no framing takes for an end or a beginning, and no barcode contains.
_GARBAGE = bytes(sorted(set(range(256)) - {0x02, 0x03, 0x09, 0x0A, 0x0D}))
_GARBAGE_LENGTH = (4, 40)


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares of the presses that go wrong on their way."""

    split: float = 0.0
    bounce: float = 0.0
    unplug: float = 0.0


CALM = Weather()
ROUGH = Weather(split=0.3, unplug=0.01)
#: Needs a gateway with a repeat window: without one, a bounce really is two scans.
BOUNCING = Weather(split=0.3, unplug=0.01, bounce=0.05)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one frame reaches the line: its pieces; `unplug` means that the plug comes out then."""

    pieces: tuple[bytes, ...]
    unplug: bool = False
    bounced: bool = False


def deliver(raw: bytes, weather: Weather, rng: random.Random) -> Delivery:
    """Return what happens to the frame of `raw` on the line."""
    frame, dice = raw + gs1.TERMINATOR, rng.random()
    if dice < weather.unplug and len(raw) > 1:
        return Delivery((raw[: rng.randrange(1, len(raw))],), unplug=True)
    dice -= weather.unplug
    if dice < weather.bounce:
        return Delivery((frame + frame,), bounced=True)
    dice -= weather.bounce
    return Delivery(_split(frame, rng) if dice < weather.split else (frame,))


def garbage(rng: random.Random) -> bytes:
    """Return bytes that are no barcode: a NUL and invalid UTF-8 are always among them."""
    noise = bytes(rng.choice(_GARBAGE) for _ in range(rng.randint(*_GARBAGE_LENGTH)))
    return b"]C1" + noise + b"\x00\xff"


def scratched(barcode: str, rng: random.Random) -> bytes:
    """Return the reading of a GTIN with one digit misread; its check digit then fails."""
    raw = gs1.trade_item(barcode)
    position = rng.randrange(len(raw) - len(barcode), len(raw))
    wrong = rng.choice(sorted(set(b"0123456789") - {raw[position]}))
    return raw[:position] + bytes([wrong]) + raw[position + 1 :]


def _split(frame: bytes, rng: random.Random) -> tuple[bytes, ...]:
    at = sorted(rng.sample(range(1, len(frame)), min(len(frame) - 1, rng.randint(1, 3))))
    return tuple(frame[start:end] for start, end in zip([0, *at], [*at, len(frame)], strict=True))
