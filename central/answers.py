"""What commands answer: a status and a body; refusals in the form of RFC 9457."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What to tell a client: an HTTP status and a JSON body."""

    status: int
    body: dict[str, Any]


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    """Return a refusal in the form of RFC 9457."""
    title = code.replace("_", " ")
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return Answer(status, body | more)
