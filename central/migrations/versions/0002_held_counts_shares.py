"""Held scans that can be settled, counts in any order, levels, channels' shares, who ships what."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger()
#: Reasons that nothing a person supplies would cure: these scans are not waiting.
HOPELESS = ("superseded", "nothing_to_undo", "undo_of_nothing")


def upgrade() -> None:
    """Apply."""
    _journal()
    _sums()
    _promises()
    _fill()
    for table in ("event", "settlement"):
        _forbid_changes(table)


def _add(table: str, *columns: "sa.Column[Any]") -> None:
    for column in columns:
        op.add_column(table, column)


def _number(name: str, default: str = "0") -> "sa.Column[Any]":
    return sa.Column(name, BIG, nullable=False, server_default=default)


def _flag(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    clause = sa.text(where) if where else None
    op.create_index(name, table, columns, sqlite_where=clause, postgresql_where=clause)


def _journal() -> None:
    op.drop_index("event_held", "event")
    _add("stream", _number("latest_us"))
    _add("entry", _number("recorded_us"), sa.Column("res", sa.Integer(), nullable=True))
    _index("entry_shipped", "entry", ["res"], "res IS NOT NULL")
    op.create_table(
        "settlement",
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq"),
    )
    op.create_table(
        "held",
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq", "key"),
    )
    _index("held_key", "held", ["key"])
    _index("held_ref", "held", ["ref"])


def _sums() -> None:
    op.create_table(
        "counted",
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("loc", sa.Integer(), nullable=False),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("trusted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("item", "loc", "lot", "at_us"),
    )
    _index("counted_by", "counted", ["stream", "seq"])
    op.create_table(
        "lot",
        sa.Column("item", sa.Integer(), sa.ForeignKey("item.id"), nullable=False),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("item", "lot"),
    )
    _index("lot_expires", "lot", ["expires"])
    _add("avail", sa.Column("low_stock", BIG, nullable=True))
    op.create_table(
        "level",
        sa.Column("item", sa.Integer(), sa.ForeignKey("item.id"), nullable=False),
        sa.Column("site", sa.Integer(), sa.ForeignKey("site.id"), nullable=False),
        sa.Column("safety", BIG, nullable=False),
        sa.Column("low_stock", BIG, nullable=True),
        sa.CheckConstraint("safety >= 0", name="level_safety_not_negative"),
        sa.PrimaryKeyConstraint("item", "site"),
    )


def _promises() -> None:
    _add("site", _flag("priority"))
    _index("reservation_order", "reservation", ["order_ref"], "order_ref IS NOT NULL")
    _add("reservation_line", _number("g_buffer"), _number("g_oversell"), _flag("capped"))
    _index("line_open", "reservation_line", ["item", "res"], "done < qty")
    op.create_table(
        "channel_item",
        sa.Column("item", sa.Integer(), sa.ForeignKey("item.id"), nullable=False),
        sa.Column("site", sa.Integer(), sa.ForeignKey("site.id"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("buffer", BIG, nullable=False),
        sa.Column("oversell", BIG, nullable=False),
        sa.Column("cap", BIG, nullable=True),
        sa.Column("used", BIG, nullable=False),
        sa.CheckConstraint("used >= 0", name="channel_item_used_not_negative"),
        sa.PrimaryKeyConstraint("item", "site", "channel"),
    )
    op.create_table(
        "answer",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("req_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("client", "key"),
    )


def _fill() -> None:
    """Give the new columns and tables what the old rows imply."""
    same = "v.stream = {0}.stream AND v.seq = {0}.seq"
    _allow_changes("entry")
    op.execute(
        "UPDATE entry SET recorded_us = COALESCE((SELECT v.received_us FROM event v "
        f"WHERE {same.format('entry')}), occurred_us)"
    )
    # Promises made by a ship event that an order's reference ties to its reservation.
    op.execute(
        "UPDATE entry SET res = (SELECT MIN(r.id) FROM reservation r JOIN reservation_line l "
        "ON l.res = r.id WHERE r.order_ref = entry.ref AND l.item = entry.item AND l.done > 0) "
        "WHERE reason = 'ship' AND stream IN (SELECT id FROM stream WHERE source = 'api') "
        "AND ref NOT LIKE 'reservation:%'"
    )
    op.execute(
        "UPDATE entry SET res = CAST(SUBSTR(ref, 13) AS INTEGER) WHERE reason = 'ship' "
        "AND stream IN (SELECT id FROM stream WHERE source = 'api') AND ref LIKE 'reservation:%'"
    )
    _forbid_changes("entry")
    op.execute(
        "UPDATE stream SET latest_us = COALESCE((SELECT MAX(v.occurred_us) FROM event v "
        "WHERE v.stream = stream.id AND v.occurred_us <= v.received_us), 0)"
    )
    # The last count of each place; who made it is known where it changed something.
    op.execute(
        "INSERT INTO counted (item, loc, lot, at_us, stream, seq, trusted) "
        "SELECT k.item, k.loc, k.lot, k.count_us, COALESCE(MAX(e.stream), 0), "
        "COALESCE(MAX(e.seq), 0), 1 FROM stock k LEFT JOIN entry e ON e.item = k.item "
        "AND e.lot = k.lot AND e.occurred_us = k.count_us AND e.reason = 'cycle_count' "
        "AND (e.from_loc = k.loc OR e.to_loc = k.loc) WHERE k.count_us IS NOT NULL "
        "GROUP BY k.item, k.loc, k.lot, k.count_us"
    )
    op.execute(
        "INSERT INTO level (item, site, safety) SELECT item, site, safety FROM avail "
        "WHERE safety > 0"
    )
    _hold()


def _hold() -> None:
    """Give each held event its place in the list of those that wait, or an end."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT v.stream, v.seq, v.code, v.body, v.received_us, s.site, s.source FROM event v "
            "JOIN stream s ON s.id = v.stream WHERE v.status = 'held' ORDER BY v.id"
        )
    ).all()
    waiting: list[dict[str, Any]] = []
    over: list[dict[str, Any]] = []
    for row in rows:
        one = {"stream": row.stream, "seq": row.seq}
        if row.code in HOPELESS:
            over.append(one | {"note": row.code, "at": row.received_us})
            continue
        names = json.loads(row.body).get("identifiers", {})
        sku, text = names.get("sku"), names.get("text")
        keys = [sku and f"sku:{sku}", names.get("gtin14"), names.get("sscc"), text]
        keys.append(text and f"sku:{text}")
        known = [key for key in dict.fromkeys(keys) if key]
        codes = known if row.code == "unknown_barcode" else []
        said = sku or names.get("gtin14") or names.get("sscc") or text or "nothing"
        ref = said if row.code == "unknown_barcode" else f"{row.site}/{row.source}"
        waiting += [one | {"key": k, "code": row.code, "ref": ref} for k in codes or [""]]
    if waiting:
        connection.execute(
            sa.text(
                "INSERT INTO held (stream, seq, key, code, ref) "
                "VALUES (:stream, :seq, :key, :code, :ref)"
            ),
            waiting,
        )
    if over:
        connection.execute(
            sa.text(
                "INSERT INTO settlement (stream, seq, status, who, fields, note, at_us) "
                "VALUES (:stream, :seq, 'dismissed', 'central', '{}', :note, :at)"
            ),
            over,
        )


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _allow_changes(table: str) -> None:
    if _on_postgresql():
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_no_{verb}")


def _forbid_changes(table: str) -> None:
    if _on_postgresql():
        op.execute(
            f"CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
