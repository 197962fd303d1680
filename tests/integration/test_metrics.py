"""GET /metrics: what a Prometheus reads, and what `docktally verify --alert` tells central."""

import json
import re

import httpx
import pytest
from sqlalchemy import text

from central import api, outbox, tokens, verdicts, verify_command
from central.verdicts import Verdict
from ledgers import Site, ask, scan
from wire.events import Identifiers

SAMPLE = re.compile(r'docktally_[a-z_]+(\{[a-z]+="[a-z_]+"\})? -?[0-9.e+]+')


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
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in lines), lines
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


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
        'alerts_open{kind="unknown_barcode"}': 1, "shortages": 1, "deliveries_waiting": 0,
    }.items():  # fmt: skip
        assert said[f"docktally_{name}"] == value, name
    assert said["docktally_outbox_waiting"] > 4
    assert 0 < said["docktally_outbox_oldest_seconds"] < 60
    assert said["docktally_database_bytes"] > 100_000
    while await site.writer.submit(lambda tx: outbox.number(tx.connection)):
        pass
    assert (await figures(http))["docktally_outbox_waiting"] == 0


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
