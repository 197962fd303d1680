"""Names and numbers that identify things on the wire. Pure: clock and randomness are arguments."""

import random
import re
import uuid
from urllib.parse import quote, unquote

from wire.errors import Malformed

#: Longest name of a site, gateway or SKU in characters, before percent-encoding.
NAME_LENGTH_MAX = 64
#: MQTT wildcards and separators, `$` (broker-internal), NUL, and `%` so that decoding is exact.
_RESERVED = re.compile(r"[/+#$%\x00]")
_UUID7_RANDOM_BITS = 74


def new_id(now_ms: int, rng: random.Random) -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7) for `now_ms`, milliseconds since 1970 UTC."""
    noise = rng.getrandbits(_UUID7_RANDOM_BITS)
    high, low = noise >> 62, noise & ((1 << 62) - 1)
    value = (now_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    return uuid.UUID(int=value)


def segment(name: str) -> str:
    """Return `name` as one MQTT topic level; raise Malformed when it is empty or too long."""
    if not name or len(name) > NAME_LENGTH_MAX:
        raise Malformed(
            f"{name[:20]!r}: a site, gateway or SKU has 1 to {NAME_LENGTH_MAX} characters"
        )
    return _RESERVED.sub(lambda match: quote(match.group(), safe=""), name)


def name_of(topic_level: str) -> str:
    """Return the name that `segment` encoded; raise Malformed for bad percent-encoding."""
    try:
        return unquote(topic_level, errors="strict")
    except UnicodeDecodeError as error:
        raise Malformed(f"topic level {topic_level!r} is not percent-encoded UTF-8") from error
