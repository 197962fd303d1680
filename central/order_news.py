"""What became of a reservation, told in the transaction that makes it so: one row a change."""

import json
from typing import Any

from sqlalchemy import select

from central import schema
from central.alerts import Announcement
from central.books import Books

_reservation, _site = schema.reservation, schema.site
#: What `tell` needs of a reservation's row, for a RETURNING.
TOLD = (
    _reservation.c.id,
    _reservation.c.state,
    _reservation.c.channel,
    _reservation.c.order_ref,
    select(_site.c.code)
    .where(_site.c.id == _reservation.c.site)
    .scalar_subquery()
    .label("site_code"),
)


def tell(books: Books, row: Any) -> None:
    """Tell the new state of a row of TOLD."""
    announce(books, row.id, row.state, row.channel, row.site_code, row.order_ref)


def announce(
    books: Books, number: int, state: str, channel: str, site: str, order_ref: str | None,
    **more: Any,
) -> None:  # fmt: skip
    """Tell a reservation's new state; `more` is what only this change has to say."""
    body = {
        "id": number, "state": state, "channel": channel, "site": site, "order_ref": order_ref,
        **more,
    }  # fmt: skip
    # Each state is a key of its own: what was held and committed by one commit is told as both.
    key = (str(number), state)
    text = json.dumps(body, separators=(",", ":"))
    books.announcements.append(Announcement("reservation", key, text.encode()))
