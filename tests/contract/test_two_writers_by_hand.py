"""Commands by hand, held scans and webhooks at two central processes that share one PostgreSQL."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from central import adjustments, deliveries, endpoints, levels, schema, settling, shipping
from central.adjustments import Adjustment, Count, Reversal
from central.endpoints import Wish
from central.levels import Share
from central.requests import Answer, Caller
from central.rules import Reason
from ledgers import Site, ask
from wire.events import Identifiers

pytestmark = pytest.mark.postgres
Two = tuple[Site, Site]
SHOP = "https://shop.example/hook"


async def both(two: Two, command: Callable[..., Answer], *arguments: Any) -> list[Answer]:
    """Ask both processes for the same at once."""
    return list(await asyncio.gather(*(each.run(command, *arguments) for each in two)))


def more(key: str, quantity: int) -> tuple[Caller, Adjustment]:
    """Return who asks under which key, and a correction."""
    return Caller("office", key), Adjustment("main", "DOCK-1", "VALVE", quantity, Reason.CORRECTION)


async def test_one_key_is_one_correction(two: Two) -> None:
    """Both processes hear the same request; both say what the first one did."""
    for n in range(10):
        first, second = await both(two, adjustments.adjust, *more(f"k{n}", 2))
        assert first == second
    assert two[0].available() == (20, 0)


async def test_a_client_s_later_word_is_later_whatever_the_clocks_say(two: Two) -> None:
    """Corrected after the count at a process whose clock is ahead: the correction counts."""
    seen = Count("main", "DOCK-1", "VALVE", 7)
    await two[0].run(adjustments.count, Caller("office", "count"), seen)
    hour = 3_600_000_000
    with two[0].writer.engine.begin() as tx:  # as if the first process's clock were an hour ahead
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        tx.execute(text(f"UPDATE stream SET latest_us = latest_us + {hour}"))
        for table, column in (
            ("entry", "occurred_us"),
            ("counted", "at_us"),
            ("stock", "count_us"),
        ):
            tx.execute(text(f"UPDATE {table} SET {column} = {column} + {hour}"))
    await two[1].run(adjustments.adjust, *more("later", 5))
    assert two[0].available() == (12, 0)
    assert two[0].rows("SELECT COUNT(*) FROM stream WHERE source = 'api:office'") == [(2,)]


async def test_a_count_is_taken_back_once(two: Two) -> None:
    """By a person at one process and by its gateway at the other."""
    for n in range(10):
        await two[0].do(quantity=4, minute=2 * n)
        await two[0].do("count", quantity=1, minute=2 * n + 1)
        (entry,) = two[0].rows("SELECT MAX(id) FROM entry WHERE reason = 'cycle_count'")[0]
        back = two[1].run(adjustments.reverse, Caller("office", f"k{n}"), Reversal(entry))
        answer, undone = await asyncio.gather(back, two[0].do("undo", undo_of=two[0].seq))
        assert (answer.status == 201) != (undone.rejected == ())
        assert two[0].available() == (4 * (n + 1), 0)


async def test_counts_by_hand_and_scans_meet_on_one_bin(two: Two) -> None:
    """What moves beside a count at the other process is before it or after it, never half."""

    async def count(n: int) -> None:
        seen = Count("main", "DOCK-1", "VALVE", 7)
        await two[0].run(adjustments.count, Caller("office", f"k{n}"), seen)

    for n in range(20):
        await asyncio.gather(count(n), two[1].do(quantity=2), two[1].beside(f"g{n}").do(quantity=3))
    await count(99)
    assert two[0].available() == (7, 0)


async def test_no_held_scan_is_forgotten_while_its_code_is_mapped(two: Two) -> None:
    """A scan of a code that the other process maps at that moment is applied, or waits and is
    found by upkeep; its alert is open as long as it waits."""
    for n in range(15):
        code = f"NEW-{n}"
        mapped = two[0].run(settling.map_barcode, code, "VALVE", 1, "api:office")
        await asyncio.gather(mapped, two[1].do(identifiers=Identifiers(text=code)))
        waits = two[0].rows("SELECT 1 FROM held")
        assert (two[0].open_alerts() == ["unknown_barcode"]) == bool(waits)
        await two[0].catch_up()
        assert two[0].available() == (n + 1, 0)
    assert two[0].open_alerts() == []


async def test_an_alert_stays_while_something_waits(two: Two) -> None:
    """One process ends the last held scan of a code while the other holds a new one."""
    stranger = Identifiers(text="STRANGER")
    for _ in range(15):
        await two[0].do(identifiers=stranger)
        (number,) = two[0].rows("SELECT MAX(id) FROM event WHERE status = 'held'")[0]
        end = two[0].run(settling.dismiss_held, number, "api:office")
        await asyncio.gather(end, two[1].do(identifiers=stranger))
        assert two[0].open_alerts() == ["unknown_barcode"]
        (number,) = two[0].rows("SELECT MAX(id) FROM event WHERE status = 'held'")[0]
        await two[1].run(settling.dismiss_held, number, "api:office")
        assert two[0].open_alerts() == []


async def test_a_place_that_begins_to_sell_is_summed_up_once(two: Two, tmp_path: Path) -> None:
    """Two processes that both take themselves for the leader: the goods count once."""
    await two[0].do(location="Q-1", quantity=4)
    for kind, on_hand in (("bin", 4), ("quarantine", 0)) * 3:
        two[0].bring(tmp_path, locations=f"Q-1,main,{kind}\n")
        await asyncio.gather(*(each.catch_up() for each in two), two[1].do("ship", quantity=1),
                             two[0].do(quantity=1))  # fmt: skip
        assert two[0].available() == (on_hand, 0)


async def test_a_channel_s_cap_holds(two: Two) -> None:
    """Forty buyers of one channel at two processes get what it may promise."""
    await two[0].do(quantity=100)
    await two[0].run(levels.set_share, Share("main", "VALVE", "web", cap=10))
    answers = await asyncio.gather(*(ask(two[n % 2], f"k{n}", ("VALVE", 1)) for n in range(40)))
    assert sorted(answer.status for answer in answers) == [201] * 10 + [409] * 30


async def test_a_label_and_a_scan_ship_an_order_once(two: Two) -> None:
    """The label is printed at one process while a scan that names the order ships at the other."""
    await two[0].do(quantity=50)
    for n in range(10):
        number = (await ask(two[0], f"k{n}", ("VALVE", 1))).body["id"]
        printed = two[0].run(shipping.ship, number)
        await asyncio.gather(printed, two[1].do("ship", document="order-1"))
    on_hand, reserved = two[0].available()
    assert (on_hand <= 40, reserved) == (True, 0)


async def test_deliveries_are_made_and_noted_beside_each_other(two: Two) -> None:
    """The relay replaces levels that still wait while others are noted, and endpoints go."""
    rng = random.Random(3)
    goods = (Identifiers(sku="VALVE"), Identifiers(sku="HOSE"))
    hooks = [(await two[0].run(endpoints.add, Wish(SHOP), ())).body["id"] for _ in range(6)]

    async def relay() -> None:
        for _ in range(20):
            await two[0].do(identifiers=rng.choice(goods))
            await two[0].do(identifiers=rng.choice(goods))
            await two[0].writer.submit(lambda tx: deliveries.relay(tx.connection, tx.now_us))

    def note(tx: Any) -> None:
        table = schema.delivery
        rows = tx.connection.execute(table.select().where(table.c.state == "waiting")).all()
        some = rng.sample(rows, min(4, len(rows)))
        gone = [
            deliveries.Outcome(r.id, r.webhook, r.key, r.feed_seq, r.attempt, None, "away")
            for r in some
        ]
        deliveries.settle(tx, gone, [0.5] * len(gone))

    async def shop() -> None:
        for n in range(20):
            await two[1].writer.submit(note)
            if n % 5 == 4:
                assert (await two[1].run(endpoints.remove, hooks.pop())).status == 200

    await asyncio.gather(relay(), shop())
    left = two[0].rows("SELECT DISTINCT webhook FROM delivery ORDER BY webhook")
    assert left == [(hook,) for hook in sorted(hooks)]
