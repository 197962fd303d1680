"""What a person should look at: opened once, counted when it recurs, closed when it is over."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select, update

from central import database, driver, schema
from wire.events import TEXT_LENGTH_MAX, Alert

AlertKey = tuple[str, str]  # kind, what it is about
_OPEN = select(schema.alert.c.kind, schema.alert.c.ref).where(schema.alert.c.closed_us.is_(None))
_OPEN_AMONG = (
    "SELECT kind, ref FROM alert WHERE closed_us IS NULL "
    "AND (kind, ref) IN (SELECT unnest(%b::text[]), unnest(%b::text[]))"
)


class Announcement(NamedTuple):
    """One outgoing message, already committed. An empty body clears what is retained."""

    channel: str  # availability | alert | activity
    key: tuple[str, ...]  # (site, SKU), (alert id,) or (site, name of the line)
    body: bytes


@dataclass(frozen=True, slots=True)
class Concern:
    """Something to raise. There is one open alert for each `kind` and `ref`."""

    kind: str
    ref: str
    severity: str
    title: str
    detail: str = ""
    site: str | None = None


def alert_id(kind: str, ref: str) -> str:
    """Return the topic-safe id of the alert about `ref`."""
    return f"{kind}-{hashlib.blake2b(ref.encode(), digest_size=8).hexdigest()}"


@dataclass
class Alerts:
    """The open alerts, as one writer sees them.

    With `shared`, other processes open and close them too. Then what was learnt counts for one
    transaction, and `look` comes after the locks of the rows that the alerts are about.
    """

    shared: bool = False
    _open: dict[str, set[str]] = field(default_factory=dict)  # references, by kind
    _looked: set[AlertKey] = field(default_factory=set)
    _loaded: bool = False

    def forget(self) -> None:
        """Read the open alerts again at the next use."""
        self._loaded = False
        self._looked.clear()

    def look(self, connection: Connection, alerts: Iterable[AlertKey]) -> Callable[[], None]:
        """Ask which of these alerts are open now, by one query; call the result before `is_open`.

        Where this is the only process, all of them are known.
        """
        if not self.shared:
            if not self._loaded:
                self._open = {}
                for row in connection.execute(_OPEN):
                    self._open.setdefault(row.kind, set()).add(row.ref)
                self._loaded = True
            return lambda: None
        new = sorted(set(alerts) - self._looked)
        if not new:
            return lambda: None
        answer = driver.ask(connection, _OPEN_AMONG, [*map(list, zip(*new, strict=True))])

        def learn() -> None:
            for kind, ref in new:
                self._open.setdefault(kind, set()).discard(ref)
            for kind, ref in answer():
                self._open[kind].add(ref)
            self._looked.update(new)

        return learn

    def hold(self, connection: Connection, kind: str, ref: str) -> None:
        """Keep other processes from opening or closing this alert until the commit."""
        if self.shared:
            mine = _OPEN.where(schema.alert.c.kind == kind, schema.alert.c.ref == ref)
            connection.execute(mine.with_for_update())
            self._looked.discard((kind, ref))

    def is_open(self, connection: Connection, kind: str, ref: str) -> bool:
        """Return whether there is an open alert of this kind about `ref`."""
        self.look(connection, [(kind, ref)])()
        return ref in self._open.get(kind, ())

    def known(self, kind: str) -> set[str]:
        """Return what open alerts of this kind are about, as far as `look` was asked for them."""
        return self._open.get(kind, set())

    def open(self, connection: Connection, now_us: int, concern: Concern) -> Announcement:
        """Open the alert, or count it once more when it is open already."""
        table = schema.alert
        insert = database.upsert(
            connection.dialect.name,
            table,
            ["kind", "ref"],
            lambda new: {"count": table.c.count + 1, "title": new.title, "detail": new.detail},
            among=table.c.closed_us.is_(None),
        )
        row = connection.execute(
            insert.values(
                kind=concern.kind,
                ref=concern.ref,
                severity=concern.severity,
                title=concern.title,
                detail=concern.detail,
                site=concern.site,
                count=1,
                opened_us=now_us,
            ).returning(table)
        ).one()
        self._open.setdefault(concern.kind, set()).add(concern.ref)
        self._looked.add((concern.kind, concern.ref))
        return announcement(row)

    def acknowledge(
        self, connection: Connection, now_us: int, kind: str, ref: str, who: str
    ) -> Announcement | None:
        """Note who takes care of the alert; None when none is open. The last who says so does."""
        table = schema.alert
        row = connection.execute(
            update(table)
            .where(table.c.kind == kind, table.c.ref == ref, table.c.closed_us.is_(None))
            .values(ack_by=who, ack_us=now_us)
            .returning(table)
        ).first()
        return None if row is None else announcement(row)

    def close(
        self, connection: Connection, now_us: int, kind: str, ref: str
    ) -> Announcement | None:
        """Close the alert; None when none was open."""
        if not self.is_open(connection, kind, ref):
            return None
        table = schema.alert
        connection.execute(
            update(table)
            .where(table.c.kind == kind, table.c.ref == ref, table.c.closed_us.is_(None))
            .values(closed_us=now_us)
        )
        self._open[kind].discard(ref)
        return Announcement("alert", (alert_id(kind, ref),), b"")


def message(row: Row[Any]) -> Alert:
    """Return the wire message of an open alert's row."""
    return Alert(
        id=alert_id(row.kind, row.ref),
        kind=row.kind,
        severity=row.severity,
        title=row.title[:TEXT_LENGTH_MAX],
        detail=row.detail[:TEXT_LENGTH_MAX],
        ref=row.ref[:TEXT_LENGTH_MAX],
        site=row.site,
        opened=_moment(row.opened_us),
        count=row.count,
        acknowledged_by=row.ack_by,
        acknowledged_at=row.ack_us and _moment(row.ack_us),
    )


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


def announcement(row: Row[Any]) -> Announcement:
    """Return the outgoing message of an open alert's row."""
    body = message(row).model_dump_json(exclude_none=True).encode()
    return Announcement("alert", (alert_id(row.kind, row.ref),), body)
