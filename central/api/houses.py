"""Sites and locations: to read, to add, to change, to close."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import unquote

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select, tuple_

from central import levels, places, schema
from central.api import answers, tags
from central.api.answers import says
from central.api.door import Door, IdempotencyKey
from central.api.pages import Cursor, Limit, page, unseal
from central.requests import Answer
from central.tokens import Caller
from central.writer import Transaction
from wire.events import Name

Kind = Annotated[
    Literal["bin", "dock", "quarantine", "damaged", "transit"],
    Field(description="what is done here; whether it sells follows from it (`sellable`)"),
]
Priority = Annotated[
    int,
    Field(ge=0, le=1_000_000, description="who asks for any site gets the lowest one first"),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SiteBody(_Body):
    """A new site."""

    site: Name
    priority: Priority = 0


class SiteChange(_Body):
    """How early a request for any site tries this one."""

    priority: Priority


class LocationBody(_Body):
    """A new location at a site."""

    site: Name
    location: Name
    kind: Kind = "bin"


class LocationChange(_Body):
    """What shall be different; what is left out stays."""

    kind: Kind | None = None
    active: Annotated[
        bool | None, Field(description="false closes an empty location; true opens it again")
    ] = None


_AT = "/v1/locations/"


class _Place(NamedTuple):
    """A location at a site, as a path names it."""

    site: str
    location: str


def _place(request: Request, site: str, location: str) -> _Place:
    """Return the place in a path. Both names may have a slash: `DE%2FBER/A%2F1` is A/1 at DE/BER.

    Where the site ends is lost in what the routes match, which is decoded before.
    """
    sent: bytes = request.scope.get("raw_path") or b""
    _, found, names = sent.decode("ascii", "replace").partition(_AT)
    return _Place(*map(unquote, names.partition("/")[::2])) if found else _Place(site, location)


Place = Annotated[_Place, Depends(_place)]


@dataclass(frozen=True, slots=True)
class _New:
    """A request that must be the same when its key is used again."""

    what: str
    body: dict[str, Any]


def routes(door: Door) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["sites and locations"])
    _sites(door, router)
    _locations(door, router)
    return router


def _sites(door: Door, router: APIRouter) -> None:
    admin = door.access.need("admin")
    may_read = [door.access.need("stock:read")]

    @router.get("/sites", dependencies=may_read, **says(answers.Page[answers.Site]))
    def sites(after: Cursor = "", limit: Limit = 100) -> dict[str, Any]:
        """List the sites by code."""
        site = schema.site
        query = select(site.c.code.label("site"), site.c.priority).order_by(site.c.code)
        if after:
            query = query.where(site.c.code > unseal(after, str)[0])
        with door.reader.begin() as connection:
            rows = [dict(row) for row in connection.execute(query.limit(limit + 1)).mappings()]
        return page(rows, limit, lambda row: (row["site"],))

    @router.post("/sites", **says(answers.Site, 201))
    async def add_site(
        body: SiteBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, admin]
    ) -> JSONResponse:
        """Make a site. A gateway makes its own by its first scan."""
        return await door.once(
            caller, idempotency_key, _New("site", body.model_dump()),
            lambda tx: places.add_site(tx, body.site, body.priority),
        )  # fmt: skip

    @router.patch("/sites/{site:path}", dependencies=[admin], **says(answers.Site))
    async def change_site(site: str, body: SiteChange) -> JSONResponse:
        """Say how early a request for any site tries this one."""
        return await door.do(lambda tx: levels.set_priority(tx, site, body.priority))


def _locations(door: Door, router: APIRouter) -> None:
    admin = door.access.need("admin")
    may_read = [door.access.need("stock:read")]

    @router.get("/locations", dependencies=may_read, **says(answers.Page[answers.Location]))
    def locations(
        site: str | None = None,
        kind: Annotated[str | None, Query(description="only of this kind")] = None,
        active: Annotated[bool | None, Query(description="only those in use, or closed")] = None,
        after: Cursor = "",
        limit: Limit = 1_000,
    ) -> dict[str, Any]:
        """List the places of the house, by site and code."""
        place, home = schema.location, schema.site
        query = _PLACES.order_by(home.c.code, place.c.code).limit(limit + 1)
        for column, value in ((home.c.code, site), (place.c.kind, kind), (place.c.active, active)):
            if value is not None:
                query = query.where(column == (int(value) if value is active else value))
        if after:
            query = query.where(tuple_(home.c.code, place.c.code) > tuple(unseal(after, str, str)))
        with door.reader.begin() as connection:
            rows = connection.execute(query).all()
        return page(
            rows, limit, lambda row: (row.home, row.code), lambda row: places.shown(row.home, row)
        )

    @router.post("/locations", **says(answers.Location, 201))
    async def add_location(
        body: LocationBody, idempotency_key: IdempotencyKey, caller: Annotated[Caller, admin]
    ) -> JSONResponse:
        """Make a location. A label that is scanned for the first time makes a bin by itself."""
        return await door.once(
            caller, idempotency_key, _New("location", body.model_dump()),
            lambda tx: places.add_location(tx, body.site, body.location, body.kind),
        )  # fmt: skip

    @router.get(
        "/locations/{site}/{location:path}",
        dependencies=may_read,
        **says(answers.Location, tagged=True),
    )
    def location_of(place: Place, if_none_match: tags.IfNoneMatch = None) -> Response:
        """Return one location. Its ETag changes with it."""
        with door.reader.begin() as connection:
            found = _one(connection, place)
        if found is None:
            raise HTTPException(404, f"there is no location {place.location} at {place.site}")
        return tags.shown(found, if_none_match)

    @router.patch(
        "/locations/{site}/{location:path}", dependencies=[admin], **says(answers.Location)
    )
    async def change_location(
        place: Place, body: LocationChange, if_match: tags.IfMatch = None
    ) -> JSONResponse:
        """Give a location another kind, close it when it is empty, or open it again.

        What lies in a location whose kind begins to sell, or sells no more, is announced at once.
        """

        def change(tx: Transaction) -> Answer:
            found = _one(tx.connection, place) if if_match else None
            return tags.changed(found, if_match) or places.change_location(
                tx, *place, kind=body.kind, active=body.active
            )

        return await door.do(change)


_PLACES = select(schema.location, schema.site.c.code.label("home")).join(
    schema.site, schema.site.c.id == schema.location.c.site
)


def _one(connection: Connection, place: _Place) -> dict[str, Any] | None:
    mine = (schema.site.c.code == place.site, schema.location.c.code == place.location)
    row = connection.execute(_PLACES.where(*mine)).first()
    return None if row is None else places.shown(row.home, row)
