"""Many requests in one: each line is judged by itself, and answered by itself."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastapi.responses import JSONResponse

from central.api.door import Door
from central.api.problems import response
from central.requests import Answer, Caller, problem
from central.writer import Transaction
from wire.errors import Unavailable

LINES_MAX = 500
#: Lines in one transaction: scans that arrive meanwhile wait no longer than for these.
_PORTION = 50

Command = Callable[[Transaction, Caller, Any], Answer]


async def run(
    door: Door, client: str, key: str, lines: Sequence[Any], command: Command
) -> JSONResponse:
    """Run a command for each line, in their order, a portion a transaction.

    Each line has a key of its own, made of the batch's: sending the batch again after an error in
    the middle goes on where it ended, and gives the first answer for each line that was done.
    """

    def each(tx: Transaction, part: Sequence[tuple[int, Any]]) -> list[Answer]:
        return [command(tx, Caller(client, f"{key}#{number}"), line) for number, line in part]

    answers: list[Answer] = []
    try:
        for start in range(0, len(lines), _PORTION):
            part = list(enumerate(lines[start : start + _PORTION], start))
            answers += await door.writer.submit(partial(each, part=part))
    except Unavailable as error:
        return response(problem(503, "unavailable", str(error)))
    refused = sum(answer.status >= 400 for answer in answers)
    results = [
        {"line": number, "status": answer.status} | answer.body
        for number, answer in enumerate(answers)
    ]
    return JSONResponse({"done": len(results) - refused, "refused": refused, "results": results})
