"""Errors as application/problem+json (RFC 9457): a `code` for programs, a `detail` for people."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from central import database
from central.requests import Answer, problem

#: Errors that one answer names.
ERRORS_MAX = 20
MEDIA_TYPE = "application/problem+json"
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    410: "cursor_expired",
    413: "too_large",
    429: "too_many_requests",
    503: "unavailable",
}


#: Seconds after which a request that met a busy central may come again.
RETRY_AFTER_S = 1
_CONTENT: dict[str, Any] = {
    MEDIA_TYPE: {
        "schema": {
            "type": "object",
            "required": ["type", "title", "status", "code", "detail"],
            "properties": {
                "type": {"type": "string", "description": "about:blank: `code` says it"},
                "title": {"type": "string", "description": "`code` in words"},
                "status": {"type": "integer", "description": "the HTTP status"},
                "code": {"type": "string", "description": "what is wrong, for programs"},
                "detail": {"type": "string", "description": "what to do about it, for people"},
            },
        }
    }
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; `code` and `detail` say why", "content": _CONTENT},
    503: {"description": "Busy; the same request again is safe", "content": _CONTENT},
}


def response(answer: Answer) -> JSONResponse:
    """Return an answer over HTTP, a refusal as a problem document."""
    media = MEDIA_TYPE if answer.status >= 400 else "application/json"
    headers = {"Retry-After": str(RETRY_AFTER_S)} if answer.status == 503 else None
    return JSONResponse(answer.body, answer.status, headers, media_type=media)


def explain_errors(app: FastAPI) -> None:
    """Make every refusal of the framework a problem document, too."""

    @app.exception_handler(HTTPException)
    async def _refused(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "error")
        refused = response(problem(error.status_code, code, _sentence(request, error)))
        refused.headers.update(error.headers or {})
        return refused

    @app.exception_handler(DBAPIError)
    async def _away(_request: Request, error: DBAPIError) -> JSONResponse:
        if not database.is_passing(error):
            raise error
        return response(
            problem(503, "unavailable", "the ledger's database does not answer; try again")
        )

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [_wrong(each) for each in error.errors()[:ERRORS_MAX]]
        return response(problem(422, "invalid_request", wrong[0], errors=wrong))


def _sentence(request: Request, error: HTTPException) -> str:
    """Return what a person can do about a refusal; the framework's own say nothing of that."""
    if error.detail == "Not Found":
        return f"there is nothing at {request.url.path}; /docs shows every path"
    if error.detail == "Method Not Allowed":
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{request.url.path} does not take {request.method}; use {allowed}"
    return str(error.detail)


def _wrong(error: Any) -> str:
    """Return what is wrong with one field, as a sentence."""
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", "")
        return f"the body is no JSON: {reason} at character {error['loc'][-1]}"
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "missing":
        return f"{where}: {error['msg']}"
    if error["loc"] == ("header", "Idempotency-Key"):
        return (
            "the header Idempotency-Key is missing: send a new UUID for each thing that shall "
            "happen once, and the same one with each retry"
        )
    return f"{where} is missing" if where != "body" else "a JSON body is missing"
