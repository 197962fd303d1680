"""The truth journal: what was pressed, what it means, what was heard. Pure: lines and records.

A press is written before the scanner sends it and a beep after it was heard, so the journal knows
more than any program it judges: a press without a beep may or may not have become a scan.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from wire.events import Kind

Beep = Literal["good", "offline", "refused"]
#: goods: a known item; held: kept for a person, moves nothing; unreadable: kept with its bytes;
#: undo: takes back the scanner's last scan; label: steers the station; bad_label: must be refused.
Outcome = Literal["goods", "held", "unreadable", "undo", "label", "bad_label"]


class Line(BaseModel):
    """One line of the journal."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Meaning(Line):
    """What one press stands for. A place that is None lies outside: supplier, customer."""

    outcome: Outcome
    kind: Kind | None = None
    sku: str | None = None
    lot: str = ""
    units: int = 1
    eaches: int = 0
    origin: str | None = None
    target: str | None = None
    text: str = ""


class Start(Line):
    """A run begins."""

    line: Literal["start"] = "start"
    at: datetime
    scenario: str
    seed: int
    scanners: tuple[str, ...]


class Press(Line):
    """A person is about to pull the trigger. `n` numbers the presses of this journal.

    `cut`: the plug comes out in the middle, only a part of `raw` is sent. `bounced`: the trigger
    sends it twice within a blink, and it must count once.
    """

    line: Literal["press"] = "press"
    n: int
    at: datetime
    scanner: str
    raw: str
    meaning: Meaning
    again_of: int | None = None
    cut: bool = False
    bounced: bool = False

    @property
    def sent(self) -> bytes:
        """The scanner's bytes without terminator."""
        return bytes.fromhex(self.raw)


class Heard(Line):
    """The scanner beeped for press `n`, `after_ms` milliseconds after it was sent."""

    line: Literal["heard"] = "heard"
    n: int
    at: datetime
    beep: Beep
    after_ms: float


class Note(Line):
    """Anything else that a reader of the journal wants to know: plugs, rejections, giving up."""

    line: Literal["note"] = "note"
    at: datetime
    scanner: str
    text: str


class Stop(Line):
    """A run ended in an orderly way."""

    line: Literal["stop"] = "stop"
    at: datetime


Entry = Annotated[Start | Press | Heard | Note | Stop, Field(discriminator="line")]
_ENTRY: TypeAdapter[Start | Press | Heard | Note | Stop] = TypeAdapter(Entry)


class JournalError(ValueError):
    """A journal that cannot be read; the message names the line."""


def parse(lines: Iterable[str]) -> list[Start | Press | Heard | Note | Stop]:
    """Return the entries of a journal.

    A last line without its end is what a killed simulator leaves; it was never acted on.
    """
    entries = []
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break
        try:
            entries.append(_ENTRY.validate_json(line))
        except ValidationError as error:
            raise JournalError(
                f"line {number} is no journal line: {error.errors()[0]['msg']}"
            ) from error
    return entries


def last_press(entries: Iterable[Line]) -> int:
    """Return the highest press number so far, 0 for none."""
    return max((entry.n for entry in entries if isinstance(entry, Press)), default=0)


def beeps(entries: Iterable[Line]) -> dict[int, Heard]:
    """Return what was heard for each press that was answered."""
    return {entry.n: entry for entry in entries if isinstance(entry, Heard)}


def tally(entries: Iterable[Line]) -> dict[str, int]:
    """Return how many presses there were, and how each was answered."""
    entries = list(entries)
    counts = Counter[str](entry.beep for entry in entries if isinstance(entry, Heard))
    presses = sum(isinstance(entry, Press) for entry in entries)
    return {"presses": presses, "silent": presses - counts.total(), **counts}
