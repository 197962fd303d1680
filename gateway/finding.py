"""What a check found: is it well, and if not, what to do."""

from dataclasses import dataclass
from typing import Literal

#: `bad`: scans are not read, not stored, or will never arrive. `warn`: they are, but look at it.
Level = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing, and the cure as another; a good one needs none."""

    about: str
    level: Level
    what: str
    fix: str = ""
