"""`docktally parse`: what does this barcode mean?"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from datetime import date
from typing import BinaryIO

from gateway import parse_row, parse_view, rcn
from gateway.parse_row import Request

# A line longer than this is not a scan; the rest of it is skipped.
_LINE_BYTES_MAX = 1024 * 1024
_DESCRIPTION = """\
Say what a barcode means: item, container, lot, dates, quantity, or why it cannot be read.

The barcode is what the scanner sends, best with its AIM identifier (]C1, ]d2, ]E0, ...) in front;
without one, a number that has several meanings is reported as ambiguous.
"""
_EPILOG = r"""
how to type a barcode:
  \x1d or <GS>      the separator (FNC1) of GS1 barcodes; \xNN any byte, \\ a backslash
  (01)...(10)...    element strings as printed under the bars; separators are put in for you
  --hex 5d4331...   the bytes as hexadecimal pairs

examples:
  docktally parse ']C1010950600013435217261130'
  docktally parse '(01)09506000134352(10)ABC123(37)12'
  docktally parse 'https://id.gs1.org/01/09506000134352/10/ABC123?17=261130'
  docktally parse --symbology upc_e 04252614
  docktally parse < scans.jsonl > readings.jsonl

many at once: with no barcode (or -) each line of standard input is a JSON object,
  {"raw_hex": "5d4331..."} or {"raw_text": "]C1...\\x1d..."}, and optionally "symbology", "as",
  "region", "separator", "aim", "protocol", "framing"; each line of output is a JSON object with
  "ok": true and the reading, or "ok": false, "error_class" and "message".

exit code: 0 read, 1 not readable, 2 wrong use; 0 for many at once.
"""


def main(argv: list[str]) -> int:
    """Run the command with the arguments behind its name; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.hex is None and options.barcode is None and sys.stdin.isatty():
        parser.error("give a barcode, --hex BYTES, or JSON lines on standard input (see --help)")
    today = options.today or date.today()  # noqa: DTZ011 - a best-before day is a local one
    try:
        if options.hex is None and options.barcode in (None, "-"):
            return _many(sys.stdin.buffer, today)
        return _one(_request(options), today, as_json=options.json)
    except BrokenPipeError:
        # The reader has gone: leave without a complaint about what was still buffered.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="docktally parse",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("barcode", nargs="?", help="what the scanner sent, as text")
    parser.add_argument("--hex", type=_hex, metavar="BYTES", help="what it sent, as hexadecimal")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--symbology", help="read it as this: upc_e, ean13, isbn, sscc, itf14, ...")
    parser.add_argument(
        "--region", type=_region, help="country of restricted numbers: de, dk, gb, se, ..."
    )
    parser.add_argument(
        "--separator",
        action="append",
        default=[],
        help="what the scanner sends instead of GS, e.g. '|' (may be repeated)",
    )
    parser.add_argument(
        "--aim-required", action="store_true", help="refuse a barcode without AIM identifier"
    )
    parser.add_argument(
        "--today", type=_day, metavar="YYYY-MM-DD", help="the day that decides centuries"
    )
    return parser


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be pairs of hexadecimal digits") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write 2026-11-30") from error


def _region(text: str) -> str:
    try:
        return rcn.region_code(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _request(options: argparse.Namespace) -> Request:
    return Request(
        raw=options.hex if options.hex is not None else parse_row.typed(options.barcode),
        symbology=options.symbology,
        region=options.region,
        separators=tuple(filter(None, options.separator)),
        aim_required=options.aim_required,
    )


def _one(request: Request, today: date, *, as_json: bool) -> int:
    result = parse_row.read(request, today)
    shown = parse_view.as_json(result)
    text = _line(shown) if as_json else parse_view.as_text(result, today)
    _write(text)
    return 0 if shown["ok"] else 1


def _many(stream: BinaryIO, today: date) -> int:
    for line in _lines(stream):
        _write(_line(_answer(line, today)))
    return 0


def _write(text: str) -> None:
    """Write at once, for another program may be asking one by one; a poor terminal gets escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(_LINE_BYTES_MAX):
        yield line
        while line and not line.endswith(b"\n"):
            line = stream.readline(_LINE_BYTES_MAX)


def _answer(line: bytes, today: date) -> dict[str, object]:
    known: dict[str, object] = {}
    try:
        row = json.loads(line)
        if isinstance(row, dict) and isinstance(row.get("id"), str | int):
            known["id"] = row["id"]
        request = parse_row.from_json(row)
    except (ValueError, RecursionError) as error:
        # A line that is no request is answered like any other, and the next one is read.
        message = f"this input line is not a request: {error}"
        return {**known, "ok": False, "error_class": "bad_input", "message": message}
    return {**known, **parse_row.answer(request, today)}


def _line(shown: dict[str, object]) -> str:
    return json.dumps(shown, allow_nan=False) + "\n"
