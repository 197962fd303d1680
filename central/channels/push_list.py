"""What a shop is still to be told of our stock, and what it has confirmed: rows of `listing`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, delete, func, or_, select, update

from central import database, schema, shop_schema
from central.channel_config import Channel
from central.channels.shops import Result, Wanted
from central.writer import Transaction

#: An alert of this kind says that a shop, or one item there, does not take our numbers.
FAILING = "delivery_failing"
#: What the shop says no to is tried again after this, and what it does not have after that: many
#: items are never in the shop, and some shops have to be asked for each.
_REFUSED_US, _UNKNOWN_US = 1_800 * 1_000_000, 6 * 3_600 * 1_000_000
#: Somebody bought there a moment ago, and the order is on its way to us.
_SOON_US = 1_000_000
#: Rows looked through by one query of the sweep.
_WINDOW = 20_000

_avail, _listing, _share = schema.avail, shop_schema.listing, schema.channel_item


@dataclass(frozen=True, slots=True)
class Due:
    """An item to push: its rows here, what to set, and when we looked."""

    item: int
    site: int
    ver: int
    confirmed: int
    note: str
    wanted: Wanted
    as_of_us: int


#: As a buyer of this channel would find it: less what is kept back from it, within its cap.
_free = (
    _avail.c.on_hand - _avail.c.reserved - _avail.c.safety
    - func.coalesce(_share.c.buffer, 0) + func.coalesce(_share.c.oversell, 0)
)  # fmt: skip
_room = _share.c.cap - _share.c.used
_quantity = case(
    (schema.item.c.active == 0, 0),  # as rules.sellable
    (and_(_share.c.cap.is_not(None), _room < _free), _room),
    else_=_free,
)
_ROWS = (
    select(
        _avail.c.item, _avail.c.site, _avail.c.ver, schema.item.c.sku, _quantity.label("quantity"),
        _listing.c.remote_id, _listing.c.parent, _listing.c.known, _listing.c.note,
        _listing.c.ver.label("confirmed"),
    )
    .join(schema.item, schema.item.c.id == _avail.c.item)
    .join(schema.site, schema.site.c.id == _avail.c.site)
    .outerjoin(
        _listing,
        and_(
            _listing.c.channel == bindparam("channel"),
            _listing.c.item == _avail.c.item,
            _listing.c.site == _avail.c.site,
        ),
    )
    .outerjoin(
        _share,
        and_(
            _share.c.channel == bindparam("channel"),
            _share.c.item == _avail.c.item,
            _share.c.site == _avail.c.site,
        ),
    )
    .where(schema.site.c.code == bindparam("site"))
    .order_by(_avail.c.item)
    .limit(bindparam("most"))
)  # fmt: skip
_is_behind = or_(_listing.c.ver.is_(None), _listing.c.ver < _avail.c.ver)
#: :skus -> those of them that the shop has not confirmed, but for what is to wait.
_CHANGED = _ROWS.where(
    schema.item.c.sku.in_(bindparam("skus", expanding=True)),
    _is_behind,
    or_(_listing.c.next_us.is_(None), _listing.c.next_us <= bindparam("now")),
)
#: :now -> what is to be tried again by now.
_AGAIN = _ROWS.where(
    _avail.c.item.in_(
        select(_listing.c.item)
        .where(
            _listing.c.channel == bindparam("channel"),
            _listing.c.next_us > 0,
            _listing.c.next_us <= bindparam("now"),
        )
        .limit(bindparam("most"))
    )
)
#: :after, :last -> what the shop has not confirmed among the items of a window.
_WINDOWED = _ROWS.where(
    _avail.c.item > bindparam("after"),
    _avail.c.item <= bindparam("last"),
    _is_behind,
    or_(_listing.c.next_us.is_(None), _listing.c.next_us == 0),
)


@dataclass(frozen=True, slots=True)
class List:
    """The push list of one channel: `channel` is its name here, `site` where its goods lie."""

    channel: str
    site: str
    most: int

    def changed(self, connection: Connection, skus: Collection[str], now_us: int) -> list[Due]:
        """Return which of some items the shop has not confirmed."""
        return self._ask(connection, _CHANGED, now_us, skus=sorted(skus), now=now_us)

    def again(self, connection: Connection, now_us: int) -> list[Due]:
        """Return what is to be tried again by now."""
        return self._ask(connection, _AGAIN, now_us, now=now_us)

    def sweep(
        self, connection: Connection, after: int, now_us: int
    ) -> tuple[list[Due], int | None]:
        """Return what the shop lacks among the items behind `after`, and where to go on.

        None at the end. It looks through a bounded number of rows.
        """
        last = after + _WINDOW
        found = self._ask(connection, _WINDOWED, now_us, after=after, last=last)
        if len(found) == self.most:
            return found, found[-1].item
        highest = connection.execute(select(func.max(_avail.c.item))).scalar() or 0
        return found, last if last < highest else None

    def _ask(self, connection: Connection, query: Any, now_us: int, **values: Any) -> list[Due]:
        named = {"channel": self.channel, "site": self.site, "most": self.most}
        return [_due(row, now_us) for row in connection.execute(query, named | values)]

    def keep(self, tx: Transaction, due: Mapping[str, Due], results: Sequence[Result]) -> None:
        """Note what the shop confirmed, and what it did not and why."""
        kept = [
            {
                "channel": self.channel,
                "item": due[result.sku].item,
                "site": due[result.sku].site,
                "remote_id": result.remote_id or "",
                "parent": result.parent,
                "known": result.known,
                "ver": due[result.sku].ver if result.done else due[result.sku].confirmed,
                "next_us": 0 if result.done else tx.now_us + _wait_us(result),
                "note": result.note,
                "as_of_us": due[result.sku].as_of_us if result.done else 0,
            }
            for result in sorted(results, key=lambda result: due[result.sku].item)
        ]
        if kept:
            tx.connection.execute(_keep_statement(tx.connection.dialect.name), kept)
        for result in results:
            ref = item_ref(self.channel, result.sku)
            if result.done and due[result.sku].note:
                tx.books.settle(FAILING, ref)


def item_ref(channel: str, sku: str) -> str:
    """Return what an alert about one item in a shop refers to."""
    return f"channel:{channel}:{sku}"


def _due(row: Row[Any], now_us: int) -> Due:
    wanted = Wanted(
        row.sku, max(0, int(row.quantity)), row.remote_id or None, row.parent, row.known, row.ver
    )
    return Due(row.item, row.site, row.ver, row.confirmed or 0, row.note or "", wanted, now_us)


def _wait_us(result: Result) -> int:
    if result.refused:
        return _REFUSED_US
    return _UNKNOWN_US if result.remote_id is None else _SOON_US


def _keep_statement(dialect: str) -> Any:
    listing = _listing

    def changes(new: Any) -> dict[str, Any]:
        same = ("remote_id", "parent", "known", "ver", "next_us", "note")
        # What was not confirmed leaves the moment of the last confirmation as it is.
        later = case((new["as_of_us"] > 0, new["as_of_us"]), else_=listing.c.as_of_us)
        return {name: new[name] for name in same} | {"as_of_us": later}

    return database.upsert(dialect, listing, ("channel", "item", "site"), changes)


def forget_others(tx: Transaction, names: Collection[str]) -> None:
    """Forget what shops confirmed whose quantities are not ours to set any more."""
    others = _listing.c.channel.not_in(sorted(names))
    gone = tx.connection.execute(select(_listing.c.channel).where(others).distinct()).scalars()
    for channel in sorted(gone):
        tx.connection.execute(delete(_listing).where(_listing.c.channel == channel))
        alert = schema.alert
        about = f"channel:{channel}"
        refs = tx.connection.execute(
            select(alert.c.ref).where(
                alert.c.kind == FAILING,
                alert.c.closed_us.is_(None),
                or_(alert.c.ref == about, alert.c.ref.startswith(about + ":", autoescape=True)),
            )
        ).scalars()
        for ref in sorted(refs):
            tx.books.settle(FAILING, ref)


def push_anew(connection: Connection, channel: str) -> int:
    """Have all items of a channel pushed again, since things were changed in the shop; return how
    many there are."""
    mine = _listing.c.channel == channel
    return connection.execute(update(_listing).where(mine).values(next_us=1, known=None)).rowcount


def state_of(connection: Connection, channel: Channel) -> dict[str, Any]:
    """Return how far a shop is: items confirmed, behind, unknown to it, refused; what is wrong."""
    site = schema.site
    mine = and_(
        _listing.c.channel == channel.name,
        _listing.c.item == _avail.c.item,
        _listing.c.site == _avail.c.site,
    )
    unknown = _listing.c.remote_id == ""
    confirmed = and_(~unknown, _listing.c.ver >= _avail.c.ver)
    asked = select(
        func.count().filter(confirmed).label("confirmed"),
        func.count().filter(_listing.c.item.is_(None) | ~(unknown | confirmed)).label("behind"),
        func.count().filter(unknown).label("unknown_there"),
        func.count().filter(~unknown & (_listing.c.note != "")).label("refused"),
    )
    row = (
        connection.execute(
            asked.select_from(_avail)
            .join(site, site.c.id == _avail.c.site)
            .outerjoin(_listing, mine)
            .where(site.c.code == channel.site)
        )
        .mappings()
        .one()
    )
    alert = schema.alert
    problem = connection.execute(
        select(alert.c.title).where(
            alert.c.kind == FAILING,
            alert.c.ref == f"channel:{channel.name}",
            alert.c.closed_us.is_(None),
        )
    ).scalar()
    return {**row, "problem": problem}
