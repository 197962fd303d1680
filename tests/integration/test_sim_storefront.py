"""The storefront and the check against a small HTTP central."""

import json
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlparse

import pytest

from firmware_sim import orders, storefront
from firmware_sim.central_api import CentralApi
from firmware_sim.oracle import Fact, Posting
from neighbours import ROOT, wait_until
from sim_ledger import Ledger, play
from wire.errors import Unavailable


class LittleCentral:
    """Reservations in memory and the reads of a Ledger, on a real socket."""

    def __init__(self, stock=None, ledger=None):
        self.stock = Counter(stock or {})
        self.reserved = Counter()
        self.ledger = ledger or Ledger()
        self.reservations = {}
        self.answers = {}
        self.failures = 0
        self.oversold = False
        self.lock = threading.Lock()
        central = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                central.read(self)

            def do_POST(self):
                central.write(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self):
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def answer(self, handler, status, body):
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def read(self, handler):
        url = urlparse(handler.path)
        after = int(parse_qs(url.query).get("after", ["0"])[0])
        with self.lock:
            if url.path == "/v1/events":
                rows = self.ledger.event_rows()
                page = {"items": rows[after : after + 50]}
                page["next"] = str(after + 50) if after + 50 < len(rows) else None
            elif url.path == "/v1/stock":
                page = {"items": self.ledger.item_rows() + self._shelf(), "next": None}
            else:
                sku = unquote(url.path.rpartition("/")[2])
                page = {"locations": self.ledger.location_rows(sku)}
        self.answer(handler, 200, page)

    def _shelf(self):
        return [
            {"sku": sku, "site": "main", "on_hand": n, "reserved": self.reserved[sku],
             "safety": 0, "available": n - self.reserved[sku]}
            for sku, n in self.stock.items()
        ]  # fmt: skip

    def write(self, handler):
        length = int(handler.headers["Content-Length"] or 0)
        body = json.loads(handler.rfile.read(length) or "null")
        key = handler.headers["Idempotency-Key"]
        with self.lock:
            if self.failures:
                self.failures -= 1
                if self.failures % 2:
                    return handler.close_connection  # the answer gets lost before anything is done
                self._once(key, handler.path, body)
                self.answer(handler, 503, {"code": "unavailable"})  # done, but nobody is told
                return None
            self.answer(handler, *self._once(key, handler.path, body))
        return None

    def _once(self, key, path, body):
        if key not in self.answers:
            self.answers[key] = self._do(path, body)
        return self.answers[key]

    def _do(self, path, body):
        if path == "/v1/reservations":
            lines = {line["sku"]: line["quantity"] for line in body["lines"]}
            if any(self.stock[sku] - self.reserved[sku] < n for sku, n in lines.items()):
                return 409, {"code": "out_of_stock"}
            self.reserved.update(lines)
            number = len(self.reservations) + 1
            self.reservations[number] = [body["order_ref"], lines, "held"]
            return 201, {"id": number, "state": "held"}
        number, step = int(path.split("/")[3]), path.split("/")[4]
        order = self.reservations[number]
        order[2] = step
        if step != "commit":
            self.reserved.subtract(order[1])
        if step == "ship":
            self.stock.subtract(order[1])
            self.oversold |= min(self.stock.values()) < 0
        return 200, {"id": number, "state": step}


@pytest.fixture
def central():
    """Give a central with a little of three items."""
    running = LittleCentral({"VLV-1": 40, "HOS-2": 25, "GSK-3": 5})
    yield running
    running.close()


def _run(central, tmp_path, until, shoppers=3):
    """Let shoppers order until `until` holds; return the orders of their journal."""
    shop = storefront.Shop(CentralApi(central.url, timeout_s=2.0), "main", "web", rate=40.0)
    journal = tmp_path / "shop.jsonl"
    running = threading.Thread(target=storefront.run, args=(shop, journal, 1, shoppers, 0.0))
    running.start()
    try:
        wait_until(until, "enough was ordered")
    finally:
        shop.stop.set()
        running.join()
    with journal.open() as lines:
        return orders.parse(lines)


def _as_facts(central):
    return [
        Fact(
            "api", "e", number, "api", "ship", "applied", b"", None, n, document=ref,
            postings=(Posting(sku, "", "DOCK-1", "CUSTOMER", n),),
        )
        for number, (ref, lines, state) in central.reservations.items() if state == "ship"
        for sku, n in lines.items()
    ]  # fmt: skip


def test_shoppers_buy_what_is_there_and_the_journal_knows(central, tmp_path):
    """Until the shelves are empty: each order is shipped as the journal says, nothing twice."""
    found = _run(central, tmp_path, lambda: sum(central.stock.values()) < 10)
    states = Counter(order.state for order in found.values())
    assert states["shipped"] > 5
    assert not central.oversold
    assert set(states) <= {"shipped", "released", "refused"}
    assert orders.differences(found, _as_facts(central)) == []
    shipped = Counter(ref for ref, _, state in central.reservations.values() if state == "ship")
    assert set(shipped) == {ref for ref, order in found.items() if order.state == "shipped"}


def test_an_unanswered_request_is_asked_again_under_the_same_key(central, tmp_path):
    """Lost and failed answers neither lose an order nor ship it twice."""
    central.failures = 12
    found = _run(
        central, tmp_path, lambda: not central.failures and sum(central.stock.values()) < 40
    )
    assert orders.differences(found, _as_facts(central)) == []
    assert not central.oversold
    assert len({ref for ref, _, _ in central.reservations.values()}) == len(central.reservations)


def test_a_shop_without_central_waits(tmp_path):
    """No central: no crash, no order, and the API says who is away."""
    central = LittleCentral()
    central.close()
    with pytest.raises(Unavailable, match="does not answer"):
        CentralApi(central.url).get("/v1/stock")
    shop = storefront.Shop(CentralApi(central.url), "main", "web", rate=50.0)
    storefront.run(shop, tmp_path / "shop.jsonl", 1, 2, 0.3)
    assert (tmp_path / "shop.jsonl").read_text() == ""


def _check(central, path, *more):
    return subprocess.run(
        [sys.executable, "-m", "firmware_sim", "check", "--truth", str(path), "--api",
         central.url, *more],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def shift(tmp_path):
    """Give a journal and a central that agree."""
    entries = play(400, 1, ("s1", "s2"))
    path = tmp_path / "truth.jsonl"
    path.write_text("".join(entry.model_dump_json() + "\n" for entry in entries))
    running = LittleCentral(ledger=Ledger.of(entries))
    yield running, path
    running.close()


def test_check_passes_an_honest_central(shift):
    """Page after page over real HTTP: exit code 0 and a verdict for people and programs."""
    central, path = shift
    told = _check(central, path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "EQUAL" in told.stdout
    assert json.loads(_check(central, path, "--json").stdout)["equal"] is True


def test_check_fails_a_central_that_lost_one_scan(shift):
    """Exit code 1, and the scan is named with its bytes."""
    central, path = shift
    at = next(i for i, f in enumerate(central.ledger.facts) if f.postings)
    lost = central.ledger.facts.pop(at)
    told = _check(central, path)
    assert told.returncode == 1
    assert "LOST" in told.stdout
    assert lost.raw.hex() in told.stdout


def test_check_waits_for_a_central_that_is_behind(shift):
    """With --wait the last scan may arrive later."""
    central, path = shift
    late = central.ledger.facts.pop()
    timer = threading.Timer(1.5, central.ledger.facts.append, [late])
    timer.start()
    told = _check(central, path, "--wait", "30")
    timer.join()
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "--truth", "absent.jsonl"], "absent.jsonl"),
        (["shift", "--links", "x", "--names", "a", "--truth", "t", "--catalog", "absent"],
         "docktally sim catalog --out absent"),
        (["shift", "--links", "x", "--names", "", "--truth", "t", "--catalog", "absent"],
         "--names is empty"),
        (["shift", "--scanners", "no.toml", "--truth", "t", "--catalog", "absent"],
         "cannot be read"),
    ],
)  # fmt: skip
def test_mistakes_are_one_clear_sentence(arguments, sentence, tmp_path):
    """Exit code 1 and no traceback."""
    told = subprocess.run(
        [sys.executable, "-m", "firmware_sim", *arguments],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr
