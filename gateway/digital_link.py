"""GS1 Digital Link URIs: the identity inside a web address. They are read, never fetched.

GS1 Digital Link Standard: URI Syntax, uncompressed form. The primary key is looked for from the
right end of the path; qualifiers follow it in order; other AIs are query parameters.
"""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import unquote_to_bytes

from gateway import gtin
from gateway.gs1_message import MAX_ELEMENTS, Parsed
from gateway.gs1_table import Identifier, table
from gateway.reading import Misread

_SCHEMES = ("https://", "HTTPS://", "http://", "HTTP://")
_ALLOWED = re.compile(r"[-A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%]*")
_BAD_IN_HOST = re.compile(r"[_~?#@!$&'()*+,;=%]")
# RFC 2606 and RFC 6761: names that belong to nobody, so that no page can be behind them.
_NOBODYS = ("example", "invalid", "localhost", "test", "example.com", "example.net", "example.org")


def is_web_address(text: str) -> bool:
    """True for http and https in one case; a mixed-case scheme is plain text to GS1 readers."""
    return text.startswith(_SCHEMES)


def read(uri: str) -> tuple[Parsed, list[str]] | None:
    """Elements and warnings of a Digital Link; None for a web page of another kind.

    Raises Misread (`dl_invalid`) if a GS1 key is there but wrong, and for an address that can lead
    nowhere: not a link that a label was meant to carry.
    """
    address = uri.partition("://")[2].partition("#")[0]
    location, _, query = address.partition("?")
    host, slash, path = location.partition("/")
    segments = path.split("/") if slash else []
    pairs = _from_key(segments)
    if pairs is None and _is_public(host) and not _names_a_key(segments):
        return None
    if not _ALLOWED.fullmatch(uri):
        raise _invalid("it has a character that no web address may have")
    if not host or not slash:
        raise _invalid("a host and a path must follow the scheme")
    if _BAD_IN_HOST.search(host):
        raise _invalid(f"{host!r} is no host name")
    if pairs is None:
        raise _invalid("no GS1 key (such as /01/ and a GTIN) is at the end of its path")
    try:
        return _elements(pairs, query)
    except Misread as fault:
        raise _invalid(fault.message) from fault


def _invalid(message: str) -> Misread:
    return Misread("dl_invalid", f"the GS1 Digital Link is wrong: {message}")


def _is_public(host: str) -> bool:
    name = host.partition(":")[0].lower()
    return "." in name and not f".{name}".endswith(tuple(f".{none}" for none in _NOBODYS))


def _names_a_key(segments: list[str]) -> bool:
    """A key AI with digits after it: this address was meant to be a Digital Link."""
    known = table().by_ai
    return any(
        ai in known and known[ai].is_key and value[:4].isdigit() for ai, value in pairwise(segments)
    )


def _from_key(segments: list[str]) -> list[tuple[Identifier, str]] | None:
    """Pairs of AI and raw value from the rightmost primary key to the end of the path."""
    known = table().by_ai
    for at in range(len(segments) - 2, -1, -2):
        identifier = known.get(segments[at])
        if identifier is None:
            return None
        if identifier.is_key:
            return [(known[ai], raw) for ai, raw in _in_pairs(segments[at:])]
    return None


def _in_pairs(words: list[str]) -> list[tuple[str, str]]:
    return list(zip(words[::2], words[1::2], strict=True))


def _elements(pairs: list[tuple[Identifier, str]], query: str) -> tuple[Parsed, list[str]]:
    warnings: list[str] = []
    elements: Parsed = []
    for identifier, raw in pairs:
        value = _decode(identifier, raw)
        if identifier.ai == "01" and len(value) in (12, 13) and gtin.is_number(value):
            # Links printed before 2022 leave the leading zeros off. GTIN-8 is not taken so: eight
            # digits are too easily a number cut short.
            value = value.zfill(14)
            warnings.append("zero_suppressed_gtin")
        identifier.check(value)
        elements.append((identifier, value))
    path = [identifier.ai for identifier, _ in elements]
    if not _is_sequence(path):
        raise Misread("dl_invalid", f"the path /{'/../'.join(path)}/ is not in GS1's order")
    for identifier, value in _attributes(query):
        if identifier.ai in {done.ai for done, _ in elements}:
            raise Misread("dl_invalid", f"({identifier.ai}) is there twice")
        if not identifier.attribute:
            raise Misread("dl_invalid", f"({identifier.ai}) may not stand after the question mark")
        if any(
            _is_sequence([*path[:at], identifier.ai, *path[at:]]) for at in range(1, 1 + len(path))
        ):
            raise Misread("dl_invalid", f"({identifier.ai}) belongs in the path of this link")
        identifier.check(value)
        elements.append((identifier, value))
        if len(elements) > MAX_ELEMENTS:
            raise Misread("dl_invalid", f"it has more than {MAX_ELEMENTS} element strings")
    return elements, warnings


def _is_sequence(ais: list[str]) -> bool:
    """True if the key's qualifiers are there in the order of one of its alternatives."""
    key, *qualifiers = ais
    if not qualifiers:
        return True
    for choice in table().by_ai[key].qualifiers:
        order = iter(choice)
        if all(ai in order for ai in qualifiers):
            return True
    return False


def _attributes(query: str) -> Parsed:
    known = table().by_ai
    found: Parsed = []
    for parameter in query.split("&"):
        name, equals, raw = parameter.partition("=")
        if not equals or not gtin.is_number(name):
            continue  # a page's own parameter
        identifier = known.get(name)
        if identifier is None:
            raise Misread("dl_invalid", f"({name[:8]}) after the question mark is no AI")
        found.append((identifier, _decode(identifier, raw.replace("+", " "))))
    return found


def _decode(identifier: Identifier, raw: str) -> str:
    value = unquote_to_bytes(raw).decode("latin-1")
    if not value or "\0" in value:
        raise Misread("dl_invalid", f"{identifier.label} has no value")
    return value
