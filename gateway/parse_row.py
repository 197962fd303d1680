"""One request of `docktally parse`: a JSON object in, the bytes and settings it means out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from gateway import barcode, parse_view, rcn, transport
from gateway.gs1_table import table

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([\\rnt0]))")
_PLAIN_ESCAPES = {b"\\": b"\\", b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}
_CONTROL_NAMES = {b"<GS>": b"\x1d", b"<FNC1>": b"\x1d", b"<RS>": b"\x1e", b"<EOT>": b"\x04"}
_BRACKETED = re.compile(r"\(([0-9]{2,4})\)([^(]*(?:\((?![0-9]{2,4}\))[^(]*)*)")


@dataclass(frozen=True, slots=True)
class Request:
    """Bytes and what the device's configuration would say of them."""

    raw: bytes
    symbology: str | None = None
    region: str | None = None
    separators: tuple[str, ...] = ()
    aim_required: bool = False
    protocol: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)


def unescape(text: str) -> bytes:
    """Bytes of text in which \\xNN, \\r, \\n, \\t, \\0 and \\\\ stand for what cannot be typed."""

    def replace(match: re.Match[bytes]) -> bytes:
        return bytes.fromhex(match[1].decode()) if match[1] else _PLAIN_ESCAPES[match[2]]

    return _ESCAPE.sub(replace, text.encode("utf-8", "surrogateescape"))


def typed(text: str) -> bytes:
    """Bytes of what a person typed: escapes, <GS> and the bracketed form of element strings."""
    elements = _BRACKETED.findall(text)
    if elements and "".join(f"({ai}){value}" for ai, value in elements) == text:
        return unescape(_wire_form(elements))
    raw = unescape(text)
    for name, control in _CONTROL_NAMES.items():
        raw = raw.replace(name, control)
    return raw


def _wire_form(elements: list[tuple[str, str]]) -> str:
    """What a scanner would send for element strings as printed under the bars."""
    known = table().by_ai
    parts = [
        ai + value + ("" if ai in known and known[ai].predefined else "\x1d")
        for ai, value in elements
    ]
    return "]C1" + "".join(parts).removesuffix("\x1d")


def from_json(row: object) -> Request:
    """The request of one input object; raises ValueError with a sentence that says what to do."""
    if not isinstance(row, dict):
        raise ValueError("each line must be a JSON object with raw_hex or raw_text")  # noqa: TRY004
    raw = _raw(row)
    aim = _text(row, "aim")
    if aim and not raw.startswith(b"]"):
        if not aim.startswith("]"):
            raise ValueError("aim must be a symbology identifier such as ]C1")
        raw = aim.encode() + raw
    region = _text(row, "region")
    if region:
        region = rcn.region_code(region)
    separator = row.get("separator")
    separators = [separator] if isinstance(separator, str) else separator or []
    if not isinstance(separators, list) or not all(
        isinstance(one, str) and one for one in separators
    ):
        raise ValueError("separator must be a text or a list of texts, none of them empty")
    return Request(
        raw=raw,
        symbology=_text(row, "as") or _text(row, "symbology"),
        region=region,
        separators=tuple(separators),
        aim_required=row.get("aim_required") is True,
        protocol=transport.named(row, raw),
        options=row,
    )


def _raw(row: Mapping[str, object]) -> bytes:
    if (encoded := _text(row, "raw_hex")) is not None:
        try:
            return bytes.fromhex(encoded)
        except ValueError as error:
            raise ValueError("raw_hex must be pairs of hexadecimal digits") from error
    if (text := _text(row, "raw_text")) is not None:
        return unescape(text)
    raise ValueError("give the scanned bytes as raw_hex (or raw_text with \\xNN escapes)")


def _text(row: Mapping[str, object], name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    return value


def answer(request: Request, today: date) -> dict[str, object]:
    """The JSON object that answers a request, through its transport if it names one."""
    if request.protocol is None:
        return parse_view.as_json(read(request, today))
    return transport.explain(request.protocol, request.raw, request.options)


def read(request: Request, today: date) -> barcode.Barcode | barcode.Unreadable:
    """The meaning of a request's bytes."""
    return barcode.parse(
        request.raw,
        today=today,
        symbology=request.symbology,
        region=request.region,
        separators=request.separators,
        aim_required=request.aim_required,
    )
