"""Who does what, where several central processes share one PostgreSQL: leases, one row each.

A process renews its leases each second. One that does not for LEASE_S has died or hangs, and
another takes what it held; every take raises the row's epoch. Nothing depends on the clocks of the
processes: what a lease protects reads its row again in the transaction that makes the change
(`fence`) and keeps it locked until the commit, and a take waits for that. So a process that hangs
and wakes up again cannot commit anything for gateways that are no longer its own.

Advisory locks would be shorter, but a process that hangs keeps its session, and so its locks.
"""

import math
import zlib
from collections.abc import Collection

from sqlalchemy import Connection, bindparam, text

#: Gateways are shared out in this many parts, as the migration made rows for.
PARTITIONS = 16
#: One process for all: it numbers what goes out, tells the broker, and gives back what is over.
RELAY = "relay"
LEASE_S = 5.0
RENEW_S = 1.0

_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
_BE_PRESENT = text(
    "INSERT INTO lease (name, owner, epoch, until_us) "
    f"VALUES ('central/' || CAST(:me AS text), :me, 0, {_NOW} + :ttl) "
    "ON CONFLICT (name) DO UPDATE SET until_us = excluded.until_us"
)
_RENEW = text(
    f"UPDATE lease SET until_us = {_NOW} + :ttl WHERE owner = :me AND name NOT LIKE 'central/%' "
    "RETURNING name, epoch"
)
_ALIVE = text(f"SELECT COUNT(*) FROM lease WHERE name LIKE 'central/%' AND until_us > {_NOW}")
_FORGET_DEAD = text(f"DELETE FROM lease WHERE name LIKE 'central/%' AND until_us < {_NOW} - :long")
# A row that is locked belongs to somebody who commits right now: it is looked at again next time.
_FREE = text(
    f"SELECT name FROM lease WHERE name LIKE :kind AND until_us < {_NOW} "
    "ORDER BY name LIMIT :number FOR UPDATE SKIP LOCKED"
)
_TAKE = text(
    f"UPDATE lease SET owner = :me, epoch = epoch + 1, until_us = {_NOW} + :ttl "
    "WHERE name IN :names RETURNING name, epoch"
).bindparams(bindparam("names", expanding=True))
_LEAVE = text(
    "UPDATE lease SET owner = '', until_us = 0 WHERE owner = :me AND name IN :names"
).bindparams(bindparam("names", expanding=True))
_LEAVE_ALL = text(
    "UPDATE lease SET owner = '', until_us = 0 WHERE owner = :me AND name NOT LIKE 'central/%'"
)
_BE_GONE = text("DELETE FROM lease WHERE name = 'central/' || CAST(:me AS text)")
# KEY SHARE lets the owner renew meanwhile, but not another one take it.
_FENCE = text(
    "SELECT name, epoch FROM lease WHERE owner = :me AND name IN :names ORDER BY name FOR KEY SHARE"
).bindparams(bindparam("names", expanding=True))
# Waits for the owner's transactions. The new epoch makes the owner read its marks again.
_BORROW = text(
    "UPDATE lease SET epoch = epoch + 1 WHERE name IN "
    "(SELECT name FROM lease WHERE name = :name FOR UPDATE)"
)
#: Rows of processes that ended without a word are removed after this long.
_FORGET_US = 3_600 * 1_000_000


def of_gateway(site: str, gateway: str) -> str:
    """Return the name of the lease that a gateway's events are applied under."""
    return f"gateways/{zlib.crc32(f'{site}/{gateway}'.encode()) % PARTITIONS:02}"


def tend(connection: Connection, me: str) -> dict[str, int]:
    """Renew, hand over what is more than a fair share, take what is free; return name: epoch."""
    mine = {"me": me, "ttl": round(LEASE_S * 1_000_000)}
    connection.execute(_BE_PRESENT, mine)
    held = {row.name: row.epoch for row in connection.execute(_RENEW, mine)}
    connection.execute(_FORGET_DEAD, {"long": _FORGET_US})
    share = math.ceil(PARTITIONS / alive(connection))
    parts = sorted(name for name in held if name != RELAY)
    for name in parts[share:]:
        del held[name]
    if parts[share:]:
        connection.execute(_LEAVE, mine | {"names": parts[share:]})
    for kind, number in (("gateways/%", share - len(parts)), (RELAY, 1 - (RELAY in held))):
        wanted = {"kind": kind, "number": max(number, 0)}
        if free := connection.execute(_FREE, wanted).scalars().all():
            taken = connection.execute(_TAKE, mine | {"names": free})
            held |= {row.name: row.epoch for row in taken}
    return held


def leave(connection: Connection, me: str) -> None:
    """Give everything back, so that another process has it at once."""
    connection.execute(_LEAVE_ALL, {"me": me})
    connection.execute(_BE_GONE, {"me": me})


def alive(connection: Connection) -> int:
    """Return how many central processes there are."""
    return int(connection.execute(_ALIVE).scalar_one())


def fence(connection: Connection, me: str, names: Collection[str]) -> dict[str, int]:
    """Return the epochs of those leases that are ours, and stay so until this transaction ends."""
    rows = connection.execute(_FENCE, {"me": me, "names": sorted(names)})
    return {row.name: row.epoch for row in rows}


def borrow(connection: Connection, name: str) -> None:
    """Keep a lease from its owner until this transaction ends, and take nothing else besides."""
    connection.execute(_BORROW, {"name": name})
