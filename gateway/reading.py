"""What a reader of one kind of barcode hands back: a meaning, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

Elements = tuple[tuple[str, str], ...]


class Misread(Exception):
    """The bytes cannot mean what they claim; `error_class` is for programs, the text for people."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.message = message


@dataclass(slots=True)
class Reading:
    """One meaning: its kind, element strings, named fields and what was tolerated."""

    kind: str
    ais: Elements = ()
    fields: dict[str, object] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    candidates: list[Reading] = field(default_factory=list)
