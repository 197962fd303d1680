"""docktally verify: each planted corruption is found and named, and nothing is repaired."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from central import invariants, outbox, verify, verify_command
from central.verify import Finding
from corruptions import CORRUPTIONS, planted
from ledgers import NewLedger, Site
from trade import trade
from wire.events import Identifiers


def names(findings: Sequence[Finding], number: str, words: Sequence[str]) -> bool:
    """Return whether one finding of an invariant has all these words."""
    return any(f.invariant == number and all(w in f.message for w in words) for f in findings)


async def test_each_corruption_is_found_and_named(site: Site) -> None:
    """A ledger that holds becomes one that does not, under the right number, with its rows."""
    await trade(site)
    assert verify.run(site.reader) == []
    unseen = {}
    for name, corruption in CORRUPTIONS.items():
        with planted(site.writer.engine, corruption) as connection:
            found = verify.findings(connection)
        if not names(found, corruption.invariant, corruption.names):
            unseen[name] = found
        assert verify.run(site.reader) == [], name
    assert unseen == {}


def test_every_invariant_has_a_corruption() -> None:
    """A check that nothing planted can trip is no check."""
    assert {each.invariant for each in CORRUPTIONS.values()} == set(verify.NUMBERS)


async def test_what_was_removed_from_the_feed_is_still_compared(site: Site) -> None:
    """A row whose last announcement is too old for the feed may not change in silence either."""
    await trade(site)
    await site.do(identifiers=Identifiers(text="HOSE-1"))
    while await site.writer.submit(lambda tx: outbox.number(tx.connection)):
        pass
    while await site.writer.submit(lambda tx: outbox.prune(tx.connection, 2**62)):
        pass
    assert site.rows("SELECT COUNT(*) FROM outbox") == [(1,)]
    assert verify.run(site.reader) == []
    with site.writer.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("UPDATE avail SET ver = ver + 1 WHERE item = 1"))
        (found,) = verify.findings(connection)
        transaction.rollback()
    assert (found.invariant, found.message.split(":")[0]) == ("V10", "VALVE at main")


async def test_many_findings_are_counted_not_listed(site: Site) -> None:
    """Twenty show where; the number of all says how much."""
    for number in range(30):
        await site.do(location=f"NEW-{number}")
    with site.writer.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("UPDATE stock SET qty = qty + 1 WHERE qty > 0"))
        found = [each.message for each in verify.findings(connection) if each.invariant == "V3"]
        transaction.rollback()
    assert len(found) == 21
    assert found[-1] == "and 10 more like the last one"


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
        connection.execute(later, {"lag": invariants.PUSH_LAG_US})
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
    """Exit code 0 and the list of what holds; 1 and the findings otherwise; the same as JSON."""
    await site.do()
    command = ["--database", site.database]
    assert verify_command.main(command) == 0
    assert "ledger proven: V1, V2, " in capsys.readouterr().out
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE avail SET on_hand = 5"))
    assert verify_command.main(command) == 1
    assert "V4 VALVE at main: on_hand says 5" in capsys.readouterr().out
    assert verify_command.main([*command, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["proven"], said["everything"]) == (False, True)
    assert {"invariant": "V4", "message": "VALVE at main: on_hand says 5, its sellable places "
            "hold 1"} in said["findings"]  # fmt: skip
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE avail SET on_hand = 1"))


def test_a_missing_database_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2: not looked at is not the same as broken. It is not created by asking."""
    path = tmp_path / "nowhere.db"
    assert verify_command.main(["--database", str(path)]) == 2
    assert "there is no database" in capsys.readouterr().err
    assert not path.exists()
    path.write_text("something else")
    assert verify_command.main(["--database", str(path)]) == 2
    assert "file is not a database" in capsys.readouterr().err


def test_an_older_schema_is_said(new_ledger: NewLedger, capsys: pytest.CaptureFixture[str]) -> None:
    """Not looked at either: the sentence says what to do."""
    from central import database

    name = new_ledger()
    with database.using(database.open_writer(name)) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0005'"))
    assert verify_command.main(["--database", name]) == 2
    assert "start central of this version once" in capsys.readouterr().err
