"""Coloured text before it is drawn: pure values that widgets paint and tests can read.

What comes from barcodes and other machines passes `printable` first: a control character in a scan
must not reach the terminal.
"""

import textwrap
import unicodedata
from collections.abc import Iterable
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

#: What a piece of text means; the theme gives it a colour. Nothing is told by tone alone.
Tone = Literal["plain", "muted", "good", "warn", "bad", "accent", "title"]
TONES: tuple[Tone, ...] = ("plain", "muted", "good", "warn", "bad", "accent", "title")
ELLIPSIS = "…"


class Span(NamedTuple):
    """A piece of text and its meaning."""

    text: str
    tone: Tone = "plain"


Line = list[Span]


def plain(line: Iterable[Span]) -> str:
    """Return the text of a line without its tones."""
    return "".join(span.text for span in line)


def cells(line: Iterable[Span]) -> int:
    """Return how many terminal cells a line takes."""
    return sum(cell_len(span.text) for span in line)


def fit(line: Iterable[Span], width: int) -> Line:
    """Return the line in at most `width` cells, ending in an ellipsis when something is cut."""
    line = list(line)
    if cells(line) <= width:
        return line
    room, kept = max(0, width - 1), Line()
    for text, tone in line:
        size = cell_len(text)
        if size > room:
            kept.append(Span((set_cell_size(text, room) + ELLIPSIS)[: width or 0], tone))
            break
        kept.append(Span(text, tone))
        room -= size
    return kept


def joined(line: Iterable[Span]) -> Line:
    """Return the line in as few spans as it can be drawn with: a blank has no tone of its own."""
    pieces = Line()
    for span in line:
        if pieces and (span.tone == pieces[-1].tone or span.text.isspace()):
            pieces[-1] = Span(pieces[-1].text + span.text, pieces[-1].tone)
        elif pieces and pieces[-1].text.isspace():
            pieces[-1] = Span(pieces[-1].text + span.text, span.tone)
        elif span.text:
            pieces.append(span)
    return pieces


def cell(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` padded or cut to exactly `width` cells."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + ELLIPSIS if width > 0 else ""
    return " " * (width - size) + text if right else text + " " * (width - size)


def labelled(label: str, *spans: Span, width: int = 12) -> Line:
    """Return a line that begins with what it is about."""
    return [Span(f"{label:<{width}}", "muted"), *spans]


def wrapped(text: str, width: int, tone: Tone = "plain", indent: int = 0) -> list[Line]:
    """Return a text in lines of at most `width` characters, all but the first indented."""
    room = max(8, width)
    lines = textwrap.wrap(printable(text), room, subsequent_indent=" " * indent)
    return [[Span(line, tone)] for line in lines]


def folded(line: Line, width: int, indent: int) -> list[Line]:
    """Return a line as several that are broken between spans; all but the first are indented."""
    lines, room = [Line()], width
    for text, tone in line:
        begun = cells(lines[-1]) > (indent if len(lines) > 1 else 0)
        broken = begun and cell_len(text) > room
        if broken:
            lines.append([Span(" " * indent)])
            room = width - indent
        piece = text.lstrip() if broken else text
        lines[-1].append(Span(piece, tone))
        room -= cell_len(piece)
    return lines


def printable(text: str) -> str:
    """Return `text` with everything a terminal would obey or hide made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else _visible(char)
        for char in unicodedata.normalize("NFC", text)
    )


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)  # the picture of the control character, ␝ for a GS1 separator
    return "␡" if code == 0x7F else "·"
