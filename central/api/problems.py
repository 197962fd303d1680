"""Errors as application/problem+json (RFC 9457): a `code` for programs, a `detail` for people."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from central import database
from central.requests import Answer, problem

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


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "Refused; `code` and `detail` say why",
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status", "code", "detail"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                    },
                }
            }
        },
    },
}


def response(answer: Answer) -> JSONResponse:
    """Return an answer over HTTP, a refusal as a problem document."""
    media = MEDIA_TYPE if answer.status >= 400 else "application/json"
    return JSONResponse(answer.body, answer.status, media_type=media)


def explain_errors(app: FastAPI) -> None:
    """Make every refusal of the framework a problem document, too."""

    @app.exception_handler(HTTPException)
    async def _refused(_request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "error")
        refused = response(problem(error.status_code, code, str(error.detail)))
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
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return response(problem(422, "invalid_request", f"{where}: {first['msg']}"))
