"""The fleet against a real broker and a small central that acknowledges."""

import json
import subprocess
import sys
import threading
import uuid
from collections import defaultdict

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim import fleet
from neighbours import ROOT, wait_until
from sim_ledger import CATALOGUE
from wire import codec
from wire.broker import Broker
from wire.events import Ack, Batch
from wire.topics import Topics

pytestmark = pytest.mark.broker
_TOPICS = Topics()


class LittleCentral:
    """Applies in order, refuses holes, acknowledges; loses the batches that `lose` names."""

    def __init__(self, port, lose=()):
        self.events = defaultdict(list)
        self._lose = set(lose)
        self._seen = 0
        self._subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.on_connect = lambda client, *_: client.subscribe(_TOPICS.every("events"), 1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(20)

    def _on_message(self, client, _data, message):
        batch = codec.decode(Batch, message.payload)
        self._seen += 1
        if self._seen in self._lose:
            return
        mine = self.events[batch.gateway]
        if batch.first_seq <= len(mine) + 1:
            mine += [event for event in batch.events if event.seq > len(mine)]
        ack = Ack(
            epoch=batch.epoch, applied_seq=len(mine), expect_seq=len(mine) + 1,
            central_session=uuid.uuid4(),
        )  # fmt: skip
        address = _TOPICS.parse(message.topic)
        client.publish(_TOPICS.ack(address.site, address.name), codec.encode(ack), 1, retain=True)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def _load(port, **more):
    settings = {"gateways": 3, "rate": 30.0, "seconds": 1.5, "drain_s": 30.0, **more}
    return fleet.Load(Broker(port=port), CATALOGUE, **settings)


def _check(central, figures):
    assert figures["pending"] == 0
    assert sum(map(len, central.events.values())) == figures["acked"] == figures["events"] > 0
    for events in central.events.values():
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert len({event.id for event in events}) == len(events)


def test_everything_arrives_once_and_in_order(mosquitto):
    """Each gateway's events have no hole, no double, and all are acknowledged."""
    central = LittleCentral(mosquitto.port)
    figures = fleet.Fleet(_load(mosquitto.port)).run()
    central.close()
    _check(central, figures)
    assert len(central.events) == 3


def test_what_central_did_not_take_is_sent_again(mosquitto):
    """Lost batches leave holes; the fleet goes back and fills them."""
    central = LittleCentral(mosquitto.port, lose={2, 5, 9, 10})
    figures = fleet.Fleet(_load(mosquitto.port)).run()
    central.close()
    _check(central, figures)
    assert figures["rewinds"] > 0


def test_a_broker_that_dies_and_forgets_loses_nothing(mosquitto):
    """After kill -9 and a wiped disk the fleet reconnects and delivers all of it."""
    central = LittleCentral(mosquitto.port)
    squad = fleet.Fleet(_load(mosquitto.port, seconds=0.0))
    result = {}
    running = threading.Thread(target=lambda: result.update(squad.run()))
    running.start()
    wait_until(lambda: any(map(len, central.events.values())), "events arrive")
    mosquitto.kill()
    mosquitto.wipe()
    mosquitto.start()
    before = sum(map(len, central.events.values()))
    wait_until(lambda: sum(map(len, central.events.values())) > before, "events arrive again")
    squad.stop.set()
    running.join()
    central.close()
    _check(central, result)
    assert result["reconnects"] > 0


def test_the_command_says_what_it_did(mosquitto, tmp_path):
    """`sim fleet` prints its figures as JSON; without a central it fails, for all is pending."""
    (tmp_path / "catalogue.json").write_text(CATALOGUE.model_dump_json())
    command = [
        sys.executable, "-m", "firmware_sim", "fleet", "--broker", f"127.0.0.1:{mosquitto.port}",
        "--catalog", str(tmp_path), "--gateways", "2", "--seconds", "0.5", "--drain", "0.5",
    ]  # fmt: skip
    alone = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert alone.returncode == 1
    assert json.loads(alone.stdout)["pending"] > 0
    central = LittleCentral(mosquitto.port)
    done = subprocess.run([*command, "--drain", "30"], cwd=ROOT, capture_output=True, check=False)
    central.close()
    assert done.returncode == 0
