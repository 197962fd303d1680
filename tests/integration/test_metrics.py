"""GET /metrics: what a Prometheus reads, and what `docktally verify --alert` tells central."""

import asyncio
import json

import httpx
import pytest
from sqlalchemy import text

import exposition
from central import api, deliveries, endpoints, outbox, tokens, verdicts, verify_command
from central.api import timing
from central.channels.pusher import Lag
from central.feed_messages import AVAILABILITY
from central.verdicts import Verdict
from central.writer import Transaction
from ledgers import Site, ask, scan
from wire.events import Identifiers


@pytest.fixture
async def http(site: Site) -> httpx.AsyncClient:
    """Give a client of the real application on a real ledger."""
    app = api.build(site.writer, site.reader, api.Settings("1.2.3"))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://central")


async def figures(http: httpx.AsyncClient) -> dict[str, float]:
    """Return what /metrics says: each sample with its labels."""
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    said = exposition.read(answer.text)
    assert all(name.startswith("docktally_") for name in said.types)
    return said.samples


async def test_the_ledger_in_figures(site: Site, http: httpx.AsyncClient) -> None:
    """Events, promises, what waits to go out, and what a person should look at."""
    await site.do(quantity=5)
    await site.send(scan(1, quantity=5))
    await site.do(identifiers=Identifiers(text="STRANGER"))
    await ask(site, "k", ("VALVE", 4))
    await ask(site, "l", ("VALVE", 4))
    await site.do("damage", quantity=2)
    said = await figures(http)
    for name, value in {
        'events_total{outcome="applied"}': 2, 'events_total{outcome="repeated"}': 1,
        'events_total{outcome="parked"}': 1, "ledger_events": 3, "events_held": 1,
        'reservations{state="held"}': 1, 'reservations{state="rejected"}': 1,
        'alerts_open{kind="unknown_barcode"}': 1, "shortages": 1,
    }.items():  # fmt: skip
        assert said[f"docktally_{name}"] == value, name
    assert said["docktally_outbox_waiting"] > 4
    assert 0 < said["docktally_outbox_oldest_seconds"] < 60
    assert said["docktally_database_bytes"] > 100_000
    while await site.writer.submit(lambda tx: outbox.number(tx.connection)):
        pass
    assert (await figures(http))["docktally_outbox_waiting"] == 0


async def test_what_the_process_did_is_counted(site: Site, http: httpx.AsyncClient) -> None:
    """Messages by their size, commits by what shared them and how long they took."""
    before = await figures(http)
    assert before["docktally_commit_seconds_count"] == 0
    await site.send(*(scan(number) for number in range(1, 6)))
    await site.send(scan(1))
    await asyncio.gather(*(site.do(minute=minute) for minute in range(6, 9)))
    said = await figures(http)
    for name, value in {
        'batch_events_bucket{le="1"}': 4, 'batch_events_bucket{le="4"}': 4,
        'batch_events_bucket{le="8"}': 5, 'batch_events_bucket{le="+Inf"}': 5,
        "batch_events_sum": 9, "batch_events_count": 5, "commit_commands_sum": 5,
        "commit_retries_total": 0,
    }.items():  # fmt: skip
        assert said[f"docktally_{name}"] == value, name
    assert 3 <= said["docktally_commit_commands_count"] <= 5
    assert said["docktally_commit_commands_count"] == said["docktally_commit_seconds_count"]
    assert said["docktally_commit_seconds_sum"] > 0


@pytest.mark.postgres
async def test_a_collision_is_counted(two: tuple[Site, Site]) -> None:
    """A transaction that the server made begin anew is one commit still."""
    site, tries = two[0], []

    def collide(tx: Transaction) -> None:
        tries.append(1)
        if len(tries) < 3:
            tx.connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))

    await site.writer.submit(collide)
    counters = site.writer.counters
    assert (len(tries), counters.retries, sum(counters.commits.counts)) == (3, 2, 1)


async def test_requests_are_timed_by_route(site: Site, http: httpx.AsyncClient) -> None:
    """By the route's template, so that no caller can make a label; a failing one as well."""
    await site.do()
    for path in ("VALVE", "HOSE", "a%2Fb"):
        await http.get(f"/v1/stock/{path}")
    await http.get("/nothing")
    await http.get("/metrics")
    said = await figures(http)
    timed = {name: n for name, n in said.items() if name.startswith("docktally_http_request_sec")}
    assert {name: n for name, n in timed.items() if "_count" in name} == {
        f'docktally_http_request_seconds_count{{route="{route}",status="{status}"}}': count
        for route, status, count in (
            ("/v1/stock/{sku:path}", "2xx", 2), ("/v1/stock/{sku:path}", "4xx", 1),
            ("none", "4xx", 1), ("/metrics", "2xx", 1),
        )
    }  # fmt: skip
    assert all(value > 0 for name, value in timed.items() if "_sum" in name)


async def test_a_bug_is_timed_as_one() -> None:
    """The server answers 500 for us; it counts all the same."""

    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    timings: timing.Timings = {}
    with pytest.raises(ZeroDivisionError):
        await timing.Timing(fails, timings)({"type": "http"}, fails, fails)  # type: ignore[arg-type]
    assert {key: sum(each.counts) for key, each in timings.items()} == {("none", 5): 1}


async def test_each_webhook_and_each_shop_by_itself(site: Site) -> None:
    """How many messages each waits for, and for how long the oldest; values are escaped."""
    lags = {'a "shop"\\': Lag(3, 2.5)}
    app = api.build(site.writer, site.reader, api.Settings("1"), lags=lambda: lags)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as http:
        for types in ([AVAILABILITY], ["scan.unresolved"]):
            wish = endpoints.Wish("https://shop.example/hook", tuple(types), None, "")
            assert (await site.run(endpoints.add, wish, ())).status == 201
        for _ in range(2):
            await site.do()
            await site.writer.submit(lambda tx: deliveries.relay(tx.connection, tx.now_us))
        said = await figures(http)
        with site.writer.engine.begin() as connection:
            connection.execute(text("UPDATE delivery SET created_us = created_us - 60000000"))
        await site.do()
        await site.writer.submit(lambda tx: deliveries.relay(tx.connection, tx.now_us))
        later = await figures(http)
    assert said['docktally_deliveries_waiting{webhook="1"}'] == 1
    assert said['docktally_deliveries_waiting{webhook="2"}'] == 0
    assert 0 <= said['docktally_deliveries_oldest_seconds{webhook="1"}'] < 60
    assert later['docktally_deliveries_waiting{webhook="1"}'] == 1
    assert later['docktally_deliveries_oldest_seconds{webhook="1"}'] >= 60, "a newer level"
    assert later['docktally_deliveries_oldest_seconds{webhook="2"}'] == 0
    assert said['docktally_channel_waiting{channel="a \\"shop\\"\\\\"}'] == 3
    assert said['docktally_channel_oldest_seconds{channel="a \\"shop\\"\\\\"}'] == 2.5


async def test_it_needs_a_token_where_there_are_tokens(site: Site, http: httpx.AsyncClient) -> None:
    """How much is sold is nobody else's business."""
    with site.writer.engine.begin() as connection:
        token = tokens.create(connection, "prometheus", {"stock:read"}, None, 0)
    assert (await http.get("/metrics")).status_code == 401
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await http.get("/metrics", headers=bearer)).status_code == 200


async def test_a_verdict_reaches_people_and_shops(
    site: Site, http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """`docktally verify --alert` opens an alert that names the rows, until the ledger is proven."""
    await site.do()
    command = ["--database", site.database, "--alert", "--json"]
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE avail SET on_hand = 7"))
    assert verify_command.main(command) == 1
    judged = await site.writer.submit(lambda tx: verdicts.judge(tx, None))
    ((title, detail),) = site.rows("SELECT title, detail FROM alert WHERE closed_us IS NULL")
    assert "the ledger is NOT proven" in title
    assert "V4 VALVE at main: on_hand says 7, its sellable places hold 1." in detail
    assert await site.writer.submit(lambda tx: verdicts.judge(tx, judged)) == judged
    assert site.rows("SELECT count FROM alert") == [(1,)]
    assert (await figures(http))['docktally_verify_findings{scope="everything"}'] > 0
    with site.writer.engine.begin() as connection:
        connection.execute(text("UPDATE avail SET on_hand = 1"))
    capsys.readouterr()
    assert verify_command.main(command) == 0
    assert json.loads(capsys.readouterr().out)["proven"] is True
    await site.writer.submit(lambda tx: verdicts.judge(tx, judged))
    assert site.open_alerts() == []
    said = await figures(http)
    assert said['docktally_verify_findings{scope="everything"}'] == 0
    assert said['docktally_verify_failed_total{scope="everything"}'] == 1


async def test_a_look_at_the_news_clears_nobody(site: Site) -> None:
    """What was found by looking at everything stands until everything was looked at again."""

    def verdict(at_us: int, findings: int, *, everything: bool) -> None:
        with site.writer.engine.begin() as connection:
            took_ms = 5 if everything else 0
            verdicts.keep(
                connection, Verdict(at_us * 1_000, took_ms, everything, findings, ("V3 wrong",))
            )

    async def open_alerts() -> list[str]:
        await site.writer.submit(lambda tx: verdicts.judge(tx, None))
        return site.open_alerts()

    verdict(1, 1, everything=False)
    assert await open_alerts() == ["verification_failed"]
    verdict(5, 0, everything=True)  # it had begun before
    assert await open_alerts() == ["verification_failed"]
    verdict(10, 0, everything=True)
    assert await open_alerts() == []
    verdict(20, 1, everything=True)
    verdict(21, 0, everything=False)
    assert await open_alerts() == ["verification_failed"]
    verdict(30, 0, everything=True)
    assert await open_alerts() == []
