"""The usual way over HTTP: SELECT FOR UPDATE for each request, behind the same server as central's.

`python naive_shop.py DATABASE PORT`: FastAPI on uvicorn, the same request body and the same key, a
worker thread and a connection of a pool for each request. It knows all items from its start on.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header
from fastapi.responses import JSONResponse
from sqlalchemy import create_engine, text

sys.path.insert(0, str(Path(__file__).parents[1]))
import bare_rows
from central.api.promises import ReservationRequest

#: More threads do not make it faster here.
CONNECTIONS = 8


def build(url: str) -> FastAPI:
    """Return the application."""
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"),
        pool_size=CONNECTIONS,
        max_overflow=0,
    )
    with engine.begin() as connection:
        items = {row.sku: row.id for row in connection.execute(text("SELECT id, sku FROM item"))}
    app = FastAPI()

    @app.post("/v1/reservations", response_model=None)
    def reserve(
        request: ReservationRequest, key: Annotated[str, Header(alias="Idempotency-Key")]
    ) -> JSONResponse:
        with engine.begin() as connection:
            granted = bare_rows.reserve(connection, key, items[request.lines[0].sku])
        body: dict[str, Any] = {"state": "held" if granted else "rejected"}
        return JSONResponse(body, 201 if granted else 409)

    return app


if __name__ == "__main__":
    uvicorn.run(build(sys.argv[1]), port=int(sys.argv[2]), log_config=None)
