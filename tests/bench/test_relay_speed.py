"""From a change of stock to MQTT, a webhook and the change feed: all three of each change.

Time runs from before the request that changes the stock is sent, so the commit is in it.
"""

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ledgers import new_database, stock_catalogue
from measure import process, show
from neighbours import Mosquitto, answers, free_port, wait_until
from postgres import Postgres

pytestmark = [pytest.mark.bench, pytest.mark.broker]
CHANGES_PER_S, SECONDS = 50, 20
CONFIG = '[webhooks]\nallow_networks = ["127.0.0.0/8"]\n'


class Heard:
    """When each version of the availability arrived somewhere."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def note(self, message: dict[str, Any]) -> None:
        """Take one message about an availability."""
        self.at.setdefault(message["version"], time.perf_counter())


@contextmanager
def mqtt(port: int) -> Iterator[Heard]:
    """Listen to the broker."""
    heard = Heard()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_message = lambda _client, _data, message: heard.note(json.loads(message.payload))
    client.connect("127.0.0.1", port)
    client.subscribe("docktally/v1/main/availability/VALVE", qos=1)
    client.loop_start()
    yield heard
    client.disconnect()
    client.loop_stop()


@contextmanager
def endpoint(api: int) -> Iterator[Heard]:
    """Be a webhook's receiver."""
    heard = Heard()

    class Receiver(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.note(body["data"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    types = ["inventory.availability.changed"]
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", api)) as connection:
        assert ask(connection, "/v1/webhooks", {"url": url, "types": types}) < 300
    yield heard
    server.shutdown()
    server.server_close()


@contextmanager
def feed(api: int) -> Iterator[Heard]:
    """Follow the change feed as Server-Sent Events."""
    heard = Heard()

    def follow() -> None:
        with door.makefile("rb") as lines:
            for line in lines:
                if line.startswith(b"data: ") and b'"on_hand"' in line:
                    heard.note(json.loads(line[6:]))

    with socket.create_connection(("127.0.0.1", api)) as door:
        door.sendall(b"GET /v1/changes/stream HTTP/1.1\r\nHost: central\r\n\r\n")
        reading = threading.Thread(target=follow)
        reading.start()
        yield heard
        door.shutdown(socket.SHUT_RDWR)
        reading.join()


def ask(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> int:
    """Send a request; return the status of its answer."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def receive(connection: http.client.HTTPConnection) -> None:
    """Have one valve more."""
    change = {"site": "main", "location": "DOCK-1", "sku": "VALVE", "quantity": 1}
    assert ask(connection, "/v1/adjustments", {**change, "reason": "received"}) < 300


def measure(mosquitto: Mosquitto, asked: int, leader: int, what: str) -> None:
    """Change the stock through one process and listen; the feed is the same process's."""
    sent: list[float] = []
    with (
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", asked)) as connection,
        mqtt(mosquitto.port) as broker,
        endpoint(leader) as webhook,
        feed(asked) as stream,
    ):
        for _ in range(20):
            receive(connection)
        wait_until(lambda: stream.at and broker.at and webhook.at, "all three hear")
        time.sleep(1)
        before = max(broker.at)
        start = time.perf_counter()
        for number in range(CHANGES_PER_S * SECONDS):
            time.sleep(max(0.0, start + number / CHANGES_PER_S - time.perf_counter()))
            sent.append(time.perf_counter())
            receive(connection)
        newest = before + len(sent)
        wait_until(lambda: all(newest in each.at for each in (broker, webhook, stream)), "the last")
    print(f"\n{what}: {CHANGES_PER_S} changes/s for {SECONDS} s (goal p99 50 ms)")
    for name, each in (("mqtt", broker), ("webhook", webhook), ("feed", stream)):
        # A level that a newer one replaced before it was sent is not missed by anybody.
        delays = [
            (each.at[v] - sent[v - before - 1]) * 1_000
            for v in range(before + 1, newest + 1)
            if v in each.at
        ]
        show(name, delays)
        print(f"           {len(delays)} of {len(sent)} levels, the rest replaced by newer ones")


@contextmanager
def serving(folder: Path, name: str, mosquitto: Mosquitto, log: str) -> Iterator[int]:
    """Run a real central; give its port."""
    port = free_port()
    (folder / "central.toml").write_text(CONFIG)
    command = ["-m", "central", "--config", str(folder / "central.toml"), "--database", name]
    command += ["--broker", f"127.0.0.1:{mosquitto.port}", "--port", str(port)]
    with process(*command, "--log-level", "warning", log=folder / log):
        wait_until(lambda: answers(port), "central answers")
        yield port


def test_one_process_on_sqlite(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """All in one."""
    with serving(tmp_path, new_database(tmp_path), mosquitto, "central.log") as port:
        measure(mosquitto, port, port, "one process, SQLite")


@pytest.mark.postgres
def test_two_processes_on_postgres(tmp_path: Path, mosquitto: Mosquitto, durable: Postgres) -> None:
    """One is asked and has the feed's reader, the other one leads."""
    url = durable.create()
    stock_catalogue(url, tmp_path)
    with ExitStack() as programs:
        leader = programs.enter_context(serving(tmp_path, url, mosquitto, "leader.log"))
        time.sleep(3)
        asked = programs.enter_context(serving(tmp_path, url, mosquitto, "asked.log"))
        time.sleep(3)
        measure(mosquitto, asked, leader, "two processes, PostgreSQL")
