"""Pages of a list: an opaque cursor says where the next one begins."""

import base64
import binascii
import json
from typing import Annotated, Any

from fastapi import HTTPException, Query

PAGE_ROWS_MAX = 1_000
Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str, Query(max_length=500, description="`next` of an earlier answer")]


def seal(*key: object) -> str:
    """Return the cursor that stands behind a row with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def unseal(cursor: str, *kinds: type) -> list[Any]:
    """Return the key in a cursor; HTTP 400 when it is none of ours."""
    try:
        key = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    right = isinstance(key, list) and len(key) == len(kinds)
    if not right or not all(type(part) is kind for part, kind in zip(key, kinds, strict=True)):
        raise HTTPException(400, "`after` must be the `next` of an earlier answer")
    return list(key)
