"""Names and numbers that identify things on the wire. Pure: clock and randomness are arguments."""

import random
import re
import uuid
from urllib.parse import quote, unquote

from wire.errors import Malformed

#: Longest name of a site, gateway or SKU in characters, before percent-encoding.
NAME_LENGTH_MAX = 64
#: MQTT wildcards and separators, `$` (broker-internal), and `%` so that decoding is exact; NUL, and
#: the control and non-characters for which a broker may close the connection (MQTT 5, 1.5.4).
_RESERVED = re.compile(
    "[/+#$%\x00-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(
        chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
    )
    + "]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_UUID7_RANDOM_BITS = 74


def new_id(now_ms: int, rng: random.Random) -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7) for `now_ms`, milliseconds since 1970 UTC."""
    noise = rng.getrandbits(_UUID7_RANDOM_BITS)
    high, low = noise >> 62, noise & ((1 << 62) - 1)
    value = (now_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    return uuid.UUID(int=value)


def segment(name: str) -> str:
    """Return `name` as one MQTT topic level; raise Malformed when it is no name."""
    return _RESERVED.sub(lambda match: quote(match.group(), safe=""), _checked(name))


def name_of(topic_level: str) -> str:
    """Return the name that `segment` encoded; raise Malformed when it cannot be one."""
    if "%" not in topic_level:  # nearly all of them, and 100,000 at each start of a monitor
        return _checked(topic_level)
    try:
        return _checked(unquote(topic_level, errors="strict"))
    except UnicodeDecodeError as error:
        raise Malformed(f"topic level {topic_level!r} is not percent-encoded UTF-8") from error


def _checked(name: str) -> str:
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise Malformed(
            f"{name[:20]!r}: a site, gateway or SKU has 1 to {NAME_LENGTH_MAX} characters"
        )
    if not name.isascii() and _SURROGATE.search(name):
        raise Malformed(f"{name!r} is not Unicode text")
    return name
