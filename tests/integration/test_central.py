"""Central as a real process, against a real broker."""

import json
import queue
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ledgers import NOON, new_database, scan
from neighbours import DEADLINE_S, Mosquitto, free_port, wait_until
from wire.events import Batch, ClockState, GatewayState, Identifiers, OutboxState

pytestmark = pytest.mark.broker


class Central:
    """The process, its HTTP door, and an ear on the broker."""

    def __init__(self, folder: Path, mosquitto: Mosquitto) -> None:
        self.database = new_database(folder)
        self.log = folder / "central.log"
        self.mosquitto = mosquitto
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.heard: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self.ear = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.ear.on_connect = lambda client, *_: client.subscribe("docktally/v1/#", qos=1)
        self.ear.on_message = lambda _c, _u, m: self.heard.put(
            (m.topic.removeprefix("docktally/v1/"), json.loads(m.payload or b"{}"))
        )
        self.ear.reconnect_delay_set(1, 1)
        self.ear.connect("127.0.0.1", mosquitto.port)
        self.ear.loop_start()

    def start(self) -> None:
        """Start it and return once it answers."""
        command = [sys.executable, "-m", "central", "--database", self.database]
        command += ["--broker", f"127.0.0.1:{self.mosquitto.port}", "--port", str(self.port)]
        heard = self.heard.qsize()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        wait_until(self.healthy, "central answers")
        wait_until(lambda: self.is_online(heard), "central hears gateways")

    def is_online(self, since: int) -> bool:
        """True when central has said so after that many messages."""
        said = list(self.heard.queue)[since:]
        return any(topic == "central/state" and body.get("online") for topic, body in said)

    def healthy(self) -> bool:
        """True when the health check is answered."""
        try:
            return bool(self.get("/healthz"))
        except OSError:
            return False

    def get(self, path: str) -> Any:
        """Return the answer to a GET."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.load(answer)

    def wait_for(self, topic: str, **content: object) -> dict[str, Any]:
        """Return the next message on `topic` (or below, with a final /) with this content."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            heard, body = self.heard.get(timeout=DEADLINE_S)
            if heard == topic and content.items() <= body.items():
                return body
        pytest.fail(f"nothing on {topic} with {content} within {DEADLINE_S:.0f} s")

    def publish(self, topic: str, payload: bytes) -> None:
        """Say something as a gateway would."""
        self.ear.publish(f"docktally/v1/{topic}", payload, qos=1).wait_for_publish(10)

    def end(self) -> None:
        """Kill it, whatever its state."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.ear.loop_stop()
        self.ear.disconnect()


def gateway_state(session: uuid.UUID, *, online: bool) -> bytes:
    """Return a gateway's state message."""
    state = GatewayState(
        session=session, online=online, since=NOON, version="1", last_seq=0,
        outbox=OutboxState(pending=0, oldest_age_s=0, capacity_left=1),
        clock=ClockState(synced=True),
    )  # fmt: skip
    return state.model_dump_json(exclude_none=True).encode()


def retained(port: int) -> set[str]:
    """Return the topics that a newcomer finds something on; central's own state comes last."""
    found: queue.Queue[str] = queue.Queue()
    eye = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    eye.on_message = lambda _c, _u, m: found.put(m.topic.removeprefix("docktally/v1/"))
    eye.connect("127.0.0.1", port)
    eye.loop_start()
    for topic in ("alerts/+", "central/state"):
        eye.subscribe(f"docktally/v1/{topic}", qos=1)
    topics = set()
    while "central/state" not in topics:
        topics.add(found.get(timeout=DEADLINE_S))
    eye.disconnect()
    eye.loop_stop()
    return topics


@pytest.fixture
def central(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Central]:
    """Give a running central."""
    central = Central(tmp_path, mosquitto)
    central.start()
    yield central
    central.end()


def batch(epoch: uuid.UUID, *seqs: int, **fields: Any) -> bytes:
    """Return a message of gateway gate."""
    events = tuple(scan(seq, **fields) for seq in seqs)
    message = Batch(
        gateway="gate", epoch=epoch, session=uuid.uuid4(), first_seq=seqs[0], events=events
    )
    return message.model_dump_json(exclude_none=True).encode()


def test_a_scan_becomes_an_answer_stock_and_activity(central: Central) -> None:
    """Commit, then the acknowledgement, the retained availability and a line of the live feed."""
    epoch = uuid.uuid4()
    central.publish("main/gate/events", batch(epoch, 1, 2))
    body = central.wait_for("main/availability/VALVE")
    assert (body["on_hand"], body["available"], body["name"]) == (2, 2, "valve DN25")
    central.publish("main/gate/events", batch(epoch, 1, 2, 3))
    ack = central.wait_for("main/gate/ack", applied_seq=3)
    assert (ack["expect_seq"], ack["epoch"]) == (4, str(epoch))
    central.publish("main/gate/events", batch(epoch, 9))
    assert central.wait_for("main/gate/ack")["expect_seq"] == 4
    assert central.get("/v1/stock/VALVE")["sites"][0]["on_hand"] == 3


def test_everything_is_announced_again_to_a_wiped_broker(central: Central) -> None:
    """Stock, answers, alerts and central's own state come back without anybody's help."""
    epoch = uuid.uuid4()
    central.publish("main/gate/events", batch(epoch, 1))
    central.publish("main/gate/events", batch(epoch, 2, kind="ship", quantity=5))
    first = central.wait_for("main/gate/ack", applied_seq=2)
    central.mosquitto.kill()
    central.mosquitto.wipe()
    central.mosquitto.start()
    seen: dict[str, dict[str, Any]] = {}

    def is_told() -> bool:
        while not central.heard.empty():
            seen.update([central.heard.get()])
        topics = {"main/gate/ack", "main/availability/VALVE", "central/state"}
        return topics <= seen.keys() and any(topic.startswith("alerts/") for topic in seen)

    wait_until(is_told, "all is announced again")
    assert seen["main/gate/ack"]["applied_seq"] == 2
    assert seen["main/gate/ack"]["central_session"] != first["central_session"]
    assert seen["main/availability/VALVE"]["on_hand"] == -4
    assert seen["central/state"]["online"] is True


def test_kill_dash_nine_leaves_the_will_and_loses_nothing(central: Central) -> None:
    """The broker says that central is gone; started again it goes on at its mark."""
    epoch = uuid.uuid4()
    central.publish("main/gate/events", batch(epoch, 1))
    central.wait_for("main/gate/ack", applied_seq=1)
    assert central.process is not None
    central.process.kill()
    central.process.wait()
    assert central.wait_for("central/state", online=False)
    central.start()
    central.wait_for("main/gate/ack", applied_seq=1)
    central.publish("main/gate/events", batch(epoch, 1, 2))
    central.wait_for("main/gate/ack", applied_seq=2)
    assert central.get("/v1/ledger")["position"] == 2


def test_an_orderly_stop_says_offline_and_ends_with_zero(central: Central) -> None:
    """SIGTERM is how systemd stops us."""
    central.wait_for("central/state", online=True)
    assert central.process is not None
    central.process.send_signal(signal.SIGTERM)
    assert central.process.wait(20) == 0
    central.wait_for("central/state", online=False)


def test_one_bad_event_is_parked_between_good_ones(central: Central) -> None:
    """A kind nobody knows is answered as rejected; what comes behind it is applied."""
    message = json.loads(batch(uuid.uuid4(), 1, 2, 3))
    message["events"][1]["kind"] = "teleport"
    central.publish("main/gate/events", json.dumps(message).encode())
    ack = central.wait_for("main/gate/ack", applied_seq=3)
    assert [(r["seq"], r["code"]) for r in ack["rejected"]] == [(2, "malformed")]
    assert "kind" in ack["rejected"][0]["message"]
    assert central.get("/v1/stock/VALVE")["sites"][0]["on_hand"] == 2


def test_an_alert_closed_behind_the_brokers_back_is_cleared(central: Central) -> None:
    """A retained alert that central does not know as open is taken off the broker."""
    body = (
        b'{"v":1,"id":"old","kind":"x","severity":"info","title":"t",'
        b'"opened":"2026-01-01T00:00:00Z"}'
    )
    central.ear.publish("docktally/v1/alerts/old", body, qos=1, retain=True).wait_for_publish(10)
    central.mosquitto.stop()
    central.mosquitto.start()
    wait_until(lambda: "alerts/old" not in retained(central.mosquitto.port), "it is cleared")


def test_a_gateway_that_dies_is_an_alert_and_a_late_will_is_none(central: Central) -> None:
    """The Will of the running session opens it, a new session closes it, an old Will is ignored."""
    old, new = uuid.uuid4(), uuid.uuid4()
    for session, online, is_open in (
        (old, True, 0),
        (old, False, 1),
        (new, True, 0),
        (old, False, 0),
    ):
        central.publish("main/gate/state", gateway_state(session, online=online))
        central.publish("main/gate/events", batch(uuid.uuid4(), 1))  # a commit behind it
        central.wait_for("main/gate/ack", applied_seq=1)
        kinds = [alert["kind"] for alert in central.get("/v1/alerts")["items"]]
        assert kinds.count("gateway_offline") == is_open


def test_a_second_central_on_one_file_is_refused(central: Central) -> None:
    """One sentence, exit code 1; the first one goes on."""
    command = [sys.executable, "-m", "central", "--database", central.database, "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert central.process is not None
    assert f"in use by process {central.process.pid}" in second.stderr
    assert central.healthy()


def test_a_taken_port_is_said(central: Central, tmp_path: Path) -> None:
    """One sentence, exit code 1."""
    command = [sys.executable, "-m", "central", "--database", str(tmp_path / "other.db")]
    command += ["--port", str(central.port)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "docktally central:" in second.stderr
    assert "in use" in second.stderr


def test_an_import_settles_what_was_held_also_after_a_kill(
    central: Central, tmp_path: Path
) -> None:
    """`docktally catalog import` beside a running central: scans, levels and the live feed."""
    stranger = Identifiers(text="NEW-1")
    central.publish("main/gate/events", batch(uuid.uuid4(), *range(1, 301), identifiers=stranger))
    central.wait_for("main/gate/ack", applied_seq=300)
    items = tmp_path / "more.csv"
    items.write_text("sku,name,barcode,each_per,site,safety\nPUMP,pump,NEW-1,2,main,100\n")
    command = [sys.executable, "-m", "docktally", "catalog", "import", "--items", str(items)]
    subprocess.run([*command, "--database", central.database], check=True)
    assert central.process is not None
    central.process.kill()
    central.process.wait()
    central.start()
    central.wait_for("main/availability/PUMP", on_hand=600, safety=100, available=500)
    wait_until(lambda: central.get("/v1/alerts")["items"] == [], "the alert is closed")
