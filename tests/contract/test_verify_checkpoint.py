"""docktally verify with a checkpoint: what is new, all sums, and what each look can see."""

import time
from pathlib import Path

import pytest
from sqlalchemy import text

from central import blocks, checkpoint, database, proof, verify, verify_command
from central.checkpoint import Checkpoint
from corruptions import CORRUPTIONS, plant, planted
from ledgers import Site, ask
from trade import trade

#: What only a look at everything finds, even when it is new since the checkpoint.
NEVER_NEW = {
    "a count that nobody made", "one version promised twice",
    "a share used by nobody",
    "a shop that knows what never was", "stock of no item",
}  # fmt: skip
#: And, besides, what it alone finds in rows that were proven before.
NEVER_OLD = {
    "one version promised twice", "a count that nobody made", "a share used by nobody",
    "a shop that knows what never was",
    "stock of no item", "a held event that is forgotten", "oversold at the grant",
    "an announcement of other numbers", "a row that changed in silence",
}  # fmt: skip
LATER_US = 2 * checkpoint.SETTLED_US


def now_us(later_us: int = 0) -> int:
    """Return the time, or a later one: rows that are young now are settled then."""
    return time.time_ns() // 1_000 + later_us


def proven(site: Site, before: Checkpoint | None = None) -> Checkpoint:
    """Return a checkpoint of the ledger as it is."""
    with site.reader.begin() as connection:
        start = before or checkpoint.nothing(connection)
        assert list(proof.news(connection, start)) == []
        return checkpoint.advance(connection, start, now_us(LATER_US))


async def test_what_is_seen_of_new_rows(site: Site) -> None:
    """All that was planted since the checkpoint, but for what reads a whole table."""
    with site.reader.begin() as connection:
        before = checkpoint.nothing(connection)
    await trade(site)
    assert unseen(site, before) == NEVER_NEW


async def test_what_is_seen_of_rows_that_were_proven(site: Site) -> None:
    """Journal and sums; promises that are open; not what old promises and announcements say."""
    await trade(site)
    assert unseen(site, proven(site)) == NEVER_OLD


def unseen(site: Site, before: Checkpoint) -> set[str]:
    """Return the corruptions that a look at the news does not find."""
    names = set()
    for name, corruption in CORRUPTIONS.items():
        with planted(site.writer.engine, corruption) as connection:
            if not list(proof.news(connection, before)):
                names.add(name)
    return names


async def test_the_news_name_the_row(site: Site) -> None:
    """A checksum that is off is followed up to the row, also among rows that were proven."""
    await trade(site)
    before = proven(site)
    with planted(site.writer.engine, CORRUPTIONS["stock beside its entries"]) as connection:
        found = [f"{each.invariant} {each.message}" for each in proof.news(connection, before)]
    assert "V3 VALVE at DOCK-1, lot '': stock says 4, the entries say 3" in found


async def test_entries_and_stock_that_were_changed_together(site: Site) -> None:
    """No sum shows it. That the entries were others when they were proven does."""
    await trade(site)
    before = proven(site)
    with site.writer.engine.connect() as connection, connection.begin() as transaction:
        plant(
            connection,
            (
                "UPDATE entry SET qty = qty + 1 WHERE id = 1",
                "UPDATE stock SET qty = qty + 1 WHERE loc = (SELECT to_loc FROM entry WHERE id=1)",
                "UPDATE stock SET qty = qty - 1 WHERE loc = (SELECT from_loc FROM entry "
                "WHERE id = 1)",
                "UPDATE avail SET on_hand = on_hand + 1",
            ),
        )
        assert {each.invariant for each in verify.findings(connection)} == {"V10"}
        news = [each.message for each in proof.news(connection, before)]
        everything = [each.message for each in proof.everything_again(connection, before)]
        transaction.rollback()
    assert any("(VALVE), do not add up" in each for each in news)
    assert any("rows 1 to 3 of the table entry were verified" in each for each in news)
    assert any("do not add up to what they did before" in each for each in everything)


async def test_old_blocks_are_read_again_in_turn(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed word in an old event is found within a round, whichever row it is in."""
    monkeypatch.setattr(blocks, "SIZES", {"entry": 4, "event": 3})
    monkeypatch.setattr(blocks, "ROUND_RUNS", 5)
    for _ in range(25):
        await site.do()
    before = proven(site)
    assert (len(before.digests["entry"].blocks), len(before.digests["event"].blocks)) == (6, 8)
    for row in (1, 13, 24, 25):
        with site.writer.engine.connect() as connection, connection.begin() as transaction:
            plant(connection, (f"UPDATE event SET scanner = 'other' WHERE id = {row}",))
            later = before
            found: list[str] = []
            for _ in range(5):
                found += [each.message for each in proof.news(connection, later)]
                later = Checkpoint(**{**vars_of(later), "runs": later.runs + 1})
            transaction.rollback()
        assert found, row
        assert "of the table event were verified before" in found[0]


def vars_of(each: Checkpoint) -> dict[str, object]:
    """Return the fields of a frozen checkpoint."""
    return {name: getattr(each, name) for name in Checkpoint.__slots__}


async def test_young_rows_are_looked_at_again(site: Site) -> None:
    """A row with a lower number may be committed later, on PostgreSQL: it counts when it comes."""
    await trade(site)
    with site.reader.begin() as connection:
        before = checkpoint.advance(connection, checkpoint.nothing(connection), now_us())
        assert before.since == verify.Since(outgoing=0)
        assert list(proof.news(connection, before)) == []
    later = proven(site, before)
    assert later.since.entries == site.rows("SELECT MAX(id) FROM entry")[0][0]


async def test_the_command_keeps_a_checkpoint(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first run looks at everything, then what is new; what is broken is not kept as proven."""
    file = tmp_path / "verified.json"
    command = ["--database", site.database, "--checkpoint", str(file)]
    await trade(site)
    assert verify_command.main(command) == 0
    assert "there was no checkpoint: everything was looked at" in capsys.readouterr().out
    await ask(site, "l", ("VALVE", 1))
    assert verify_command.main(command) == 0
    assert "looked at what is new, all sums, and a part of the old rows" in capsys.readouterr().out
    kept = file.read_text()
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE avail SET reserved = reserved + 1"))
    for _ in range(2):
        assert verify_command.main(command) == 1
        assert "V5 VALVE at main: reserved says 3" in capsys.readouterr().out
        assert file.read_text() == kept
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE avail SET reserved = reserved - 1"))
    assert verify_command.main([*command, "--everything"]) == 0
    assert "looked at everything" in capsys.readouterr().out
    file.write_text("{")
    assert verify_command.main(command) == 2
    assert "delete it" in capsys.readouterr().err


async def test_a_restored_or_other_ledger_begins_anew(site: Site, tmp_path: Path) -> None:
    """Its checkpoint says nothing about it; one that only lost its end is told."""
    await trade(site)
    file = tmp_path / "verified.json"
    checkpoint.save(file, proven(site))
    with site.writer.engine.connect() as connection, connection.begin() as transaction:
        plant(connection, ("DELETE FROM event WHERE id = 4",))
        found = list(proof.news(connection, proven_before(file)))
        transaction.rollback()
    assert [each.message for each in found] == [
        "event 4 was verified before, and 3 is the last one now: the end of the journal is gone"
    ]
    with site.writer.engine.begin() as connection:
        key = database.VERSION_FLOOR_KEY
        connection.execute(text(f"INSERT INTO meta (key, value) VALUES ('{key}', '7')"))
    done = proof.since_checkpoint(site.reader, file, now_us())
    assert done.everything
    assert "restored" in done.why


def proven_before(file: Path) -> Checkpoint:
    """Return what is in a file."""
    known = checkpoint.load(file)
    assert known is not None
    return known
