"""Who calls, and what they may do: bearer tokens with scopes, some of them bound to a channel."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine

from central import tokens
from central.tokens import SCOPES, Caller, Scope

#: A token that was revoked may work this much longer; a lookup for each request would cost more.
_REMEMBERED_S = 5.0
_REMEMBERED_MAX = 1_000
_EVERYBODY = Caller("everybody on this machine", frozenset(SCOPES), None)
_OWNER = Caller("the token of central's configuration", frozenset(SCOPES), None)
#: Where a caller who is bound to a channel finds what concerns it.
_OF_ONE = "/v1/reservations, /v1/shop-orders, /v1/shortages and /v1/changes"
_bearer = HTTPBearer(auto_error=False, description="`docktally token create` makes one")


@dataclass
class Access:
    """Knows callers by their token. `owner` is the configured token, which may do everything.

    Without any token, configured or made, everybody may: such a central listens on its own
    machine only.
    """

    reader: Engine
    owner: str | None

    def __post_init__(self) -> None:
        self._known: dict[str, tuple[float, Caller]] = {}

    def remembered(self, token: str | None) -> Caller | None:
        """Return who sent this token when the database need not be asked."""
        if token and self.owner and secrets.compare_digest(token.encode(), self.owner.encode()):
            return _OWNER
        remembered = self._known.get(token or "")
        return remembered[1] if remembered and remembered[0] > time.monotonic() else None

    def bearer(self, header: str, scope: Scope) -> Caller | None:
        """Return who sent this Authorization header, when that is known and they have the scope."""
        scheme, _, token = header.partition(" ")
        found = self.remembered(token) if scheme.lower() == "bearer" else None
        return found if found is not None and scope in found.scopes else None

    def caller(self, token: str | None) -> Caller:
        """Return who sent this token; HTTP 401 when nobody we know did."""
        if remembered := self.remembered(token):
            return remembered
        if token is None:
            if self.owner is None and not self._any():
                return _EVERYBODY
            raise _unknown("send a token: Authorization: Bearer ...")
        with self.reader.begin() as connection:
            caller = tokens.find(connection, token)
        if caller is None:
            raise _unknown("this token is unknown or was revoked")
        if len(self._known) >= _REMEMBERED_MAX:
            self._known.clear()
        self._known[token] = (time.monotonic() + _REMEMBERED_S, caller)
        return caller

    def _any(self) -> bool:
        with self.reader.begin() as connection:
            return tokens.any_alive(connection)

    def need(self, *scopes: Scope, of_all: str | None = None) -> Any:
        """Return the dependency of a route that takes a caller with one of these scopes.

        `of_all` names what the route has of every channel: HTTP 403 for a token bound to one.
        """

        async def caller(
            sent: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
        ) -> Caller:
            token = sent.credentials if sent else None
            found = self.remembered(token)
            if found is None:
                found = await asyncio.to_thread(self.caller, token)
            if found.scopes.isdisjoint(scopes):
                lacks = " or ".join(map(repr, scopes))
                raise HTTPException(403, f"{found.name} lacks the scope {lacks}")
            if of_all and found.channel is not None:
                raise HTTPException(
                    403,
                    f"{of_all} are of all channels, and this token is bound to {found.channel!r}: "
                    f"send one that is bound to none, or read {_OF_ONE}",
                )
            return found

        return Depends(caller)


def _unknown(detail: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})


def only_channel(caller: Caller, wanted: str | None) -> str | None:
    """Return the channel whose rows a list has, None for all: a bound token sees its own alone."""
    return wanted if caller.channel is None else channel_of(caller, wanted)


def channel_of(caller: Caller, wanted: str | None) -> str:
    """Return the channel a request is for; HTTP 403 when the token is bound to another one."""
    if caller.channel is not None and wanted not in (None, caller.channel):
        raise HTTPException(403, f"this token is bound to channel {caller.channel!r}")
    channel = wanted or caller.channel
    if channel is None:
        raise HTTPException(400, "say for which channel: the token is bound to none")
    return channel
