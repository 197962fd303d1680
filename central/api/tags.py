"""ETags: what a client has read, and whether that still is so."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse, Response

from central.requests import Answer, problem

_LENGTH_MAX = 1_000
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=_LENGTH_MAX,
        description="the `ETag` of an earlier answer: 304 without a body when nothing has changed",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=_LENGTH_MAX,
        description="the `ETag` of what you have read: 412 when it has changed since, and nothing "
        "is done",
    ),
]


def tag_of(found: dict[str, Any]) -> str:
    """Return what changes with whatever is shown of a thing."""
    text = json.dumps(found, sort_keys=True, default=str)
    return f'"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"'


def shown(found: dict[str, Any], if_none_match: str | None) -> Response:
    """Return a thing with its tag, or 304 when the client has just that."""
    tag = tag_of(found)
    if if_none_match is not None and _names(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return JSONResponse(found, headers={"ETag": tag})


def changed(found: dict[str, Any] | None, if_match: str | None) -> Answer | None:
    """Return the refusal when a thing is not what the client has read; None when it may go on."""
    if if_match is None or (found is not None and _names(if_match, tag_of(found))):
        return None
    detail = "it has changed since you read it: read it again, and send the new ETag as If-Match"
    return problem(412, "changed", detail, etag=tag_of(found) if found is not None else None)


def _names(header: str, tag: str) -> bool:
    """Return whether a header names the tag; a proxy may have made it a weak one."""
    tags = {each.strip().removeprefix("W/") for each in header.split(",")}
    return "*" in tags or tag in tags
