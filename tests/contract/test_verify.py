"""docktally verify: each planted corruption is found, and nothing is repaired."""

from pathlib import Path

import pytest
from sqlalchemy import text

from central import commands, confirmed, verify
from ledgers import Site, ask

CORRUPTIONS = {
    "V1": "INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, "
    "occurred_us) VALUES (9, 9, 0, 1, '', 1, 1 + 1, 1, 'x', 0)",
    "V2": "UPDATE stock SET qty = qty + 1 WHERE qty > 0",
    "V3": "UPDATE stock SET qty = qty + 1 WHERE qty > 0",
    "V4": "UPDATE avail SET on_hand = on_hand + 1",
    "V5": "UPDATE avail SET reserved = reserved + 1",
    "V6": "UPDATE reservation SET state = 'done'",
    "V7": "UPDATE reservation SET expires_us = 1",
    "V8": "UPDATE reservation_line SET g_on_hand = 0",
    "V9": "INSERT INTO entry (stream, seq, line, item, lot, from_loc, to_loc, qty, reason, "
    "occurred_us, reverses) VALUES (1, 1, 7, 1, '', 1, 2, 9, 'x', 0, 1)",
    "V10": "UPDATE outbox SET body = '{}'",
    "V11": "UPDATE listing SET ver = 99",
    "V12": "UPDATE stream SET applied_seq = applied_seq + 1",
    "V13": "UPDATE reservation_line SET capped = 1",
    "V14": "INSERT INTO stock (item, loc, lot, qty) VALUES (999, 1, '', 0)",
}


@pytest.mark.parametrize("invariant", CORRUPTIONS)
async def test_each_corruption_is_found(site: Site, invariant: str) -> None:
    """A ledger that holds becomes one that does not, under the right number."""
    await site.do(quantity=3)
    await ask(site, "k", ("VALVE", 1))
    _confirm(site)
    assert verify.run(site.reader) == []
    with site.writer.engine.begin() as connection:
        corruption = connection.begin_nested()
        if connection.dialect.name == "postgresql":  # a broken disk asks no foreign key either
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(CORRUPTIONS[invariant]))
        found = {finding.invariant for finding in verify.findings(connection)}
        corruption.rollback()  # the fixture proves the ledger again at the end
    assert invariant in found


def _confirm(site: Site) -> None:
    """Let a shop have confirmed all that there is now."""
    with site.writer.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO listing (channel, item, site, remote_id, ver, next_us, note, as_of_us)"
                " SELECT 'shop', item, site, '7', ver, 0, '', "
                "(SELECT MAX(created_us) FROM outbox) FROM avail"
            )
        )


async def test_a_shop_that_lags_in_silence_is_found(site: Site) -> None:
    """Behind for long by the ledger's own time; not when it is a moment, nor when it was told."""
    await site.do(quantity=3)
    _confirm(site)
    await site.do(quantity=1)
    assert verify.run(site.reader) == []
    later = text(
        "INSERT INTO outbox (channel, agg_key, body, created_us) "
        "SELECT channel, agg_key, body, created_us + :lag + 1 FROM outbox ORDER BY id DESC LIMIT 1"
    )
    with site.writer.engine.begin() as connection:
        trial = connection.begin_nested()
        connection.execute(later, {"lag": confirmed.PUSH_LAG_US})
        (found,) = verify.findings(connection)
        assert str(found.message).startswith("channel shop knows version 1 of VALVE at main, which")
        assert found.invariant == "V11"
        connection.execute(
            text(
                "INSERT INTO alert (kind, ref, severity, title, detail, count, opened_us) "
                "VALUES ('delivery_failing', 'channel:shop', 'critical', '', '', 1, 1)"
            )
        )
        assert verify.findings(connection) == []
        trial.rollback()


async def test_the_command_says_what_it_found(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 and the list of what holds; 1 and the findings otherwise."""
    await site.do()
    database = ["--database", site.database]
    assert commands.prove(database) == 0
    assert "proven" in capsys.readouterr().out
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE avail SET on_hand = 5"))
    assert commands.prove(database) == 1
    assert "V4" in capsys.readouterr().out
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE avail SET on_hand = 1"))


def test_a_missing_database_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not created by asking about it."""
    path = tmp_path / "nowhere.db"
    assert commands.prove(["--database", str(path)]) == 1
    assert "there is no database" in capsys.readouterr().err
    assert not path.exists()
