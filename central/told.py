"""What was last told of availability rows whose announcements have left the feed.

Old rows of the feed are removed. What the last one said of an item at a site stays here, so that
`docktally verify` can tell for ever whether everybody was told what the row says.
"""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, literal, select

from central import database, schema


def remember(connection: Connection, rows: Iterable[Any]) -> None:
    """Note what announcements (agg_key, body) say that are about to be removed, oldest first."""
    table = schema.told
    last = {}
    for agg_key, body in rows:
        said = json.loads(body)
        last[agg_key] = {
            "agg_key": agg_key, "on_hand": said["on_hand"], "reserved": said["reserved"],
            "safety": said["safety"], "ver": said["version"],
        }  # fmt: skip
    if last:
        replace = database.upsert(
            connection.dialect.name, table, ["agg_key"],
            lambda new: {name: new[name] for name in ("on_hand", "reserved", "safety", "ver")},
        )  # fmt: skip
        connection.execute(replace, [last[key] for key in sorted(last)])


def take_all_as_told(connection: Connection) -> None:
    """Note every availability row as told as it is: the feed begins anew."""
    table, avail, item, site = schema.told, schema.avail, schema.item, schema.site
    connection.execute(delete(table))
    rows = (
        select(
            (site.c.code + literal("/") + item.c.sku),
            avail.c.on_hand, avail.c.reserved, avail.c.safety, avail.c.ver,
        )
        .join(item, item.c.id == avail.c.item)
        .join(site, site.c.id == avail.c.site)
    )  # fmt: skip
    names = ["agg_key", "on_hand", "reserved", "safety", "ver"]
    connection.execute(table.insert().from_select(names, rows))
