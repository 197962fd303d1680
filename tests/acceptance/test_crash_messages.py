"""Anybody may write anything on the broker: it disturbs nothing, and what is ours is kept."""

import json
import random
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime

import pytest

from ears import Ears
from hands import Grab
from neighbours import wait_until
from sites import SITE, Site, eventually
from wire import codec, ids
from wire.events import Ack, Clock, Event, Identifiers
from wire.topics import Topics

pytestmark = pytest.mark.broker
MALFORMED = {
    "broken JSON": b'{"v":1,"gateway":"gate-a","events":[{',
    "wrong version": b'{"v":99,"online":true}',
    "wrong types": b'{"v":1,"gateway":[],"epoch":7,"events":"none","online":"maybe","id":{}}',
    "not an object": b"[[[[[[1]]]]]]",
    "not UTF-8": b"\xff\xfe\x00\x80",
    "1 MB of zeros": bytes(1_000_000),
    "nothing": b"",
}
TOPICS = Topics()
OUR_TOPICS = (
    TOPICS.events(SITE, "gate-a"),
    TOPICS.ack(SITE, "gate-a"),
    TOPICS.state(SITE, "gate-a"),
    TOPICS.state(SITE, "nobody"),
    TOPICS.commands(SITE, "gate-a"),
    TOPICS.central(),
    TOPICS.availability(SITE, "VLV-0001"),
    TOPICS.activity(SITE),
    TOPICS.alert("nothing"),
    f"{TOPICS.root}/%FF/gate-a/events",
)


def quarantined(site: Site, topic: str) -> set[bytes]:
    """Return the payloads that central keeps of a topic."""
    with closing(sqlite3.connect(site.database)) as connection:
        query = "SELECT payload FROM quarantine WHERE topic = ?"
        return {payload for (payload,) in connection.execute(query, (topic,))}


def shown(site: Site) -> list[dict[str, object]]:
    """Return what the monitor has shown since its start, without the line it is writing."""
    lines = site.said("monitor").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line[0] == "{" and line[-1] == "\n"]


async def test_malformed_messages_disturb_nobody(site: Site, ears: Ears, grab: Grab) -> None:
    """Scans go on whatever is said on each topic, retained or not; central keeps what is its."""
    site.start()
    site.monitor()
    hand, other = await grab("a-1", "b-1")
    items = iter(site.warehouse.catalogue().items)
    await hand.receive_until("good", next(items))
    for topic in OUR_TOPICS:
        for payload in MALFORMED.values():
            ears.say(topic, payload)
        ears.say(topic, MALFORMED["wrong types"], retain=not topic.endswith("/events"))
        for each in (hand, other):
            assert await each.receive(next(items)) in {"good", "offline"}
    kept = {payload[: codec.PAYLOAD_BYTES_MAX] for payload in MALFORMED.values()}
    for topic, expected in {
        TOPICS.events(SITE, "gate-a"): kept,
        TOPICS.state(SITE, "gate-a"): kept - {b""},
        f"{TOPICS.root}/%FF/gate-a/events": kept,
    }.items():
        await eventually(lambda t=topic, e=expected: quarantined(site, t) == e, f"{topic} is kept")
    alerts = {alert["ref"] for alert in site.api.get("/v1/alerts")["items"]}
    assert TOPICS.events(SITE, "gate-a") in alerts
    site.assert_alive()
    # Whoever starts now hears the retained ones first.
    for name in ("central", "gate-a", "monitor"):
        site.kill(name)
        site.start(name)
    await hand.ready()
    await hand.receive_until("good", last := next(items))
    await eventually(
        lambda: any(
            line.get("sku") == last.sku and line["type"] == "availability" for line in shown(site)
        ),
        "the monitor shows the last scan",
    )
    await eventually(
        lambda: ears.newest[TOPICS.alert("nothing")] == b"", "central clears the foreign alert"
    )
    still_open = site.api.get("/v1/alerts")["items"]
    assert TOPICS.events(SITE, "gate-a") in {alert["ref"] for alert in still_open}
    assert [a["title"] for a in still_open if not ears.newest[TOPICS.alert(a["id"])]] == []
    site.prove()


def test_a_poison_event_is_parked(site: Site, ears: Ears) -> None:
    """An event of unknown kind in a batch is rejected by its seq; those behind it are applied."""
    site.start()
    item = site.warehouse.catalogue().items[0]
    rng = random.Random(9)
    event = Event(
        seq=1,
        id=ids.new_id(1, rng),
        kind="receive",
        event_time=datetime.now(UTC),
        clock=Clock(boot_id="boot", monotonic_us=1, synced=True),
        scanner="by-hand",
        location="DOCK-1",
        identifiers=Identifiers(gtin14=item.each.zfill(14)),
        raw=b"]E0" + item.each.encode(),
    )
    events = [
        codec.encode(event.model_copy(update={"seq": seq, "id": ids.new_id(seq, rng)}))
        for seq in range(1, 7)
    ]
    events[2] = events[2].replace(b'"kind":"receive"', b'"kind":"explode"')
    epoch = uuid.uuid4()
    batch = codec.join_batch("by-hand", epoch, uuid.uuid4(), 1, events)
    answer = TOPICS.ack(SITE, "by-hand")
    wait_until(lambda: TOPICS.central() in ears.newest, "central is there")
    ears.say(TOPICS.events(SITE, "by-hand"), batch)
    wait_until(lambda: answer in ears.newest, "central answers")
    ack = codec.decode(Ack, ears.newest[answer])
    assert (ack.epoch, ack.applied_seq, ack.expect_seq) == (epoch, 6, 7)
    assert [(each.seq, each.code) for each in ack.rejected] == [(3, "malformed")]
    rows = list(site.api.items("/v1/events"))
    assert [row["status"] for row in rows] == [*2 * ["applied"], "rejected", *3 * ["applied"]]
    assert rows[2]["event"]["kind"] == "explode"
    (stock,) = site.api.get("/v1/stock/" + item.sku)["locations"]
    assert (stock["location"], stock["quantity"]) == ("DOCK-1", 5)
    site.verify()
    site.assert_alive()
