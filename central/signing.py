"""Signatures of the Standard Webhooks specification (v1, HMAC-SHA256), both ways. Pure.

The signed text is `id.timestamp.body`; a receiver accepts it while any of the signatures in the
header is right, which is what makes the rotation of a secret possible.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

#: How far the timestamp of what we receive may be off: long enough for slow clocks, short enough
#: that a recorded request cannot be sent again tomorrow.
TOLERANCE_S = 300
SECRET_BYTES = 32
_PREFIX = "whsec_"
_SECRET_BYTES_MIN, _SECRET_BYTES_MAX = 24, 64


class BadSignature(Exception):
    """A request that was not signed with our secret, or too long ago; the message says which."""


def secret_of(random_bytes: bytes) -> str:
    """Return the printable form of a secret."""
    return _PREFIX + base64.b64encode(random_bytes).decode("ascii")


def key_of(secret: str) -> bytes:
    """Return the bytes of a printed secret; raise ValueError when it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a secret is whsec_ followed by base64") from error
    if not _SECRET_BYTES_MIN <= len(key) <= _SECRET_BYTES_MAX:
        raise ValueError(f"a secret has {_SECRET_BYTES_MIN} to {_SECRET_BYTES_MAX} bytes")
    return key


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return one signature, such as `v1,K5oZ...=`."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def headers(
    secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """Return the headers of a message, signed with each of the secrets that are valid now."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(
            sign(secret, message_id, timestamp_s, body) for secret in secrets
        ),
    }


def verify(secrets: Sequence[str], given: Mapping[str, str], body: bytes, now_s: float) -> str:
    """Return the id of a message that was signed with one of the secrets; raise BadSignature."""
    try:
        message_id, stamp = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split(" ")
        timestamp_s = int(stamp)
    except (KeyError, ValueError) as error:
        raise BadSignature(
            "the headers webhook-id, webhook-timestamp and webhook-signature are needed"
        ) from error
    if abs(int(now_s) - timestamp_s) > TOLERANCE_S:
        raise BadSignature(
            f"webhook-timestamp {timestamp_s} is more than {TOLERANCE_S} s from our clock"
        )
    for secret in secrets:
        right = sign(secret, message_id, timestamp_s, body)
        if any(hmac.compare_digest(right.encode(), each.encode()) for each in signatures):
            return message_id
    raise BadSignature("no signature in webhook-signature is right; is the secret the right one?")
