"""A ledger written by the first schema goes on under the second: what waited waits, all adds up."""

import json
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from central import database, reports, settling, verify
from central.writer import Writer, number
from ledgers import NOON, SELLABLE, Site, scan
from wire.events import Identifiers

NOON_US = int(NOON.timestamp() * 1e6)
OLD = """
INSERT INTO item (sku, name) VALUES ('VALVE', 'valve');
INSERT INTO site (code) VALUES ('main');
INSERT INTO location (site, code, kind, sellable) VALUES (1, 'DOCK-1', 'dock', 1);
INSERT INTO stream (site, source, epoch, applied_seq, seen_us) VALUES
  ('main', 'gate', '00000000-0000-0000-0000-000000000001', 5, 0);
INSERT INTO stream (site, source, epoch, applied_seq, seen_us) VALUES
  ('main', 'api', '00000000-0000-0000-0000-000000000002', 1, 0);
INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, ref, occurred_us)
  SELECT 1, 1, 0, 1, '', id, 5, 9, 'receive', NULL, {noon} FROM location WHERE code = 'SUPPLIER';
INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, ref, occurred_us)
  SELECT 1, 2, 0, 1, '', 5, id, 2, 'cycle_count', NULL, {noon} + 9 FROM location
  WHERE code = 'ADJUST';
INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, ref, occurred_us)
  SELECT 2, 1, 0, 1, '', 5, id, 3, 'ship', 'order-1', {noon} + 20 FROM location
  WHERE code = 'CUSTOMER';
INSERT INTO stock (item, loc, lot, qty) SELECT 1, id, '', -9 FROM location WHERE code = 'SUPPLIER';
INSERT INTO stock (item, loc, lot, qty) SELECT 1, id, '', 2 FROM location WHERE code = 'ADJUST';
INSERT INTO stock (item, loc, lot, qty) SELECT 1, id, '', 3 FROM location WHERE code = 'CUSTOMER';
INSERT INTO stock (item, loc, lot, qty, count_us) VALUES (1, 5, '', 4, {noon} + 9);
INSERT INTO avail (item, site, on_hand, reserved, safety, ver) VALUES (1, 1, 4, 0, 1, 6);
INSERT INTO outbox (channel, agg_key, body, feed_seq, created_us) VALUES ('availability',
  'main/VALVE', '{{"on_hand": 4, "reserved": 0, "safety": 1, "version": 6}}', 1, 0);
INSERT INTO reservation (channel, key, req_hash, site, state, created_us, expires_us, order_ref,
  answer) VALUES ('web', 'k', '', 1, 'done', 0, 0, 'order-1', '{{}}');
INSERT INTO reservation_line (res, item, qty, done, g_on_hand, g_reserved, g_safety, g_ver)
  VALUES (1, 1, 3, 3, 7, 3, 1, 4);
INSERT INTO alert (kind, ref, severity, title, detail, site, count, opened_us)
  VALUES ('unknown_barcode', 'NEW-1', 'warning', '', '', 'main', 1, 0)
"""


@pytest.fixture
def old(tmp_path: Path) -> tuple[str, Engine]:
    """Give a database of the first schema: a count, a shipment, and scans that are held."""
    path = str(tmp_path / "central.db")
    engine = database.open_writer(path)
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    held = [
        scan(3, minute=1, identifiers=Identifiers(text="NEW-1"), quantity=2),
        scan(4, "putaway", minute=2),
        scan(5, "count", minute=-9),
    ]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in OLD.format(noon=NOON_US).split(";\n"):
            connection.execute(text(statement.replace(":", "\\:")))
        rows = [
            (1, 1, "applied", None, {}),
            (1, 2, "applied", None, {}),
            (2, 1, "applied", None, {}),
        ]
        codes = ("unknown_barcode", "no_destination", "superseded")
        rows += [
            (1, event.seq, "held", code, json.loads(event.model_dump_json(exclude_none=True)))
            for event, code in zip(held, codes, strict=True)
        ]
        for stream, seq, status, code, body in rows:
            connection.execute(
                text(
                    "INSERT INTO event (stream, seq, uuid, kind, status, code, scanner, "
                    "occurred_us, received_us, body) VALUES (:stream, :seq, '', 'x', :status, "
                    ":code, 'dock-1', :us, :us, :body)"
                ),
                {
                    "stream": stream, "seq": seq, "status": status, "code": code,
                    "us": NOON_US + seq * 10, "body": json.dumps(body),
                },
            )  # fmt: skip
    return path, engine


async def test_an_old_ledger_goes_on(old: tuple[str, Engine]) -> None:
    """It is proven; held scans can be settled, counts absorb, an order knows its parcel."""
    path, engine = old
    database.migrate(engine)
    reader = database.open_reader(path)
    assert verify.run(reader) == []
    async with Writer(engine, SELLABLE) as writer:
        site = Site(writer, reader)
        with reader.begin() as connection:
            waiting = reports.held_events(connection)
        assert [(w["seq"], w["code"]) for w in waiting] == [
            (3, "unknown_barcode"), (4, "no_destination"),
        ]  # fmt: skip
        await site.run(settling.map_barcode, "NEW-1", "VALVE", 1, "api:office")
        assert site.available() == (6, 0)
        await site.beside("late").do(minute=-30, quantity=5, identifiers=Identifiers(sku="VALVE"))
        assert site.available() == (6, 0)
        assert site.rows("SELECT res FROM entry WHERE res IS NOT NULL") == [(1,)]
        assert site.rows("SELECT safety FROM level") == [(1,)]
        while await writer.submit(number):
            pass
    assert verify.run(reader) == []
    with engine.begin() as tx, pytest.raises(DatabaseError, match="append-only"):
        tx.execute(text("UPDATE event SET kind = 'y'"))
    reader.dispose()
    engine.dispose()
