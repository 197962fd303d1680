"""Pages of a list: an opaque cursor says where the next one begins."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import HTTPException, Query

Row = TypeVar("Row")

PAGE_ROWS_MAX = 1_000
Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str, Query(max_length=500, description="`next` of an earlier answer")]


def seal(*key: object) -> str:
    """Return the cursor that stands behind a row with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def page(
    rows: Sequence[Row],
    limit: int,
    key: Callable[[Row], tuple[object, ...]],
    shown: Callable[[Row], Any] = lambda row: row,
) -> dict[str, Any]:
    """Return the answer of a list. One row more than `limit` means that another page follows.

    `key` is what the cursor behind a row holds, `shown` what the answer says of it.
    """
    follows = len(rows) > limit
    return {
        "items": [shown(row) for row in rows[:limit]],
        "next": seal(*key(rows[limit - 1])) if follows else None,
    }


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
