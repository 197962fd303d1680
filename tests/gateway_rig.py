"""A gateway process between pseudo terminals and a broker, and a central that plays fair."""

import os
import select
import subprocess
import sys
import threading
import tty
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import paho.mqtt.client as paho

from neighbours import ROOT, wait_until
from wire import codec
from wire.events import Ack, Batch, CentralState, Event, GatewayState, Payload, Rejected, Signal
from wire.topics import Topics

SITE, GATEWAY = "hall", "dock"
GOOD, OFFLINE, REFUSED, REJECTED = b"\x06", b"\x11", b"\x15", b"\x12"
#: How long a scanner waits for its beep before the test fails.
BEEP_S = 20.0


class Pty:
    """A scanner on a pseudo terminal, behind a link that stays when it is replugged."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.master = -1
        self.plug()

    def plug(self) -> None:
        """Appear, as another device, under the same link."""
        self.master, slave = os.openpty()
        tty.setraw(self.master)
        tty.setraw(slave)
        fresh = self.link.with_suffix(".new")
        fresh.symlink_to(os.ttyname(slave))
        fresh.rename(self.link)
        self._slave = slave

    def unplug(self) -> None:
        """Vanish, and the link first: the system gives the device's number to the next who asks."""
        self.link.unlink()
        os.close(self._slave)
        os.close(self.master)
        self.master = -1

    def send(self, data: bytes) -> None:
        """Write what the scanner read, however long."""
        while data:
            data = data[os.write(self.master, data) :]

    def beep(self, timeout_s: float = BEEP_S) -> bytes:
        """Return the next feedback byte, b"" when none comes."""
        ready, _, _ = select.select([self.master], [], [], timeout_s)
        return os.read(self.master, 1) if ready else b""

    def scan(self, code: bytes) -> bytes:
        """Send a code and return its beep."""
        self.send(code + b"\r")
        return self.beep()


@dataclass
class Process:
    """A gateway process on a configuration of two scanners, `left` and `right`."""

    folder: Path
    port: int
    extra: str = ""
    scanner_extra: str = ""
    head: str = ""
    beeper: str = ""
    name: str = GATEWAY
    running: subprocess.Popen[bytes] | None = None
    _started: int = 0
    left: Pty = field(init=False)
    right: Pty = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.right = Pty(self.folder / "left"), Pty(self.folder / "right")
        self.config = self.folder / "gateway.toml"
        self.write_config()

    def write_config(self) -> None:
        """Write the configuration as the fields have it now."""
        scanners = "".join(
            f"[[scanner]]\nname = '{name}'\nport = '{self.folder / name}'\n{self.scanner_extra}\n"
            '[scanner.feedback]\ngood = "\\u0006"\noffline = "\\u0011"\nrefused = "\\u0015"\n'
            'rejected = "\\u0012"\n'
            for name in ("left", "right")
        )
        self.config.write_text(
            f"site = '{SITE}'\ngateway = '{self.name}'\ndata = 'data'\n{self.head}\n"
            f"[broker]\nport = {self.port}\n"
            f"[outbox]\n{self.extra or 'disk_reserve_bytes = 0'}\n"
            f"[beeper]\n{self.beeper}\n{scanners}"
        )

    def start(self) -> None:
        """Start it and return once it reads both scanners."""
        log = self.folder / "gateway.log"
        before = self._started = len(log.read_text()) if log.exists() else 0
        with log.open("ab") as output:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "gateway", "--config", str(self.config)],
                cwd=ROOT,
                stderr=output,
            )
        for name in ("left", "right"):
            wait_until(
                lambda name=name: f"scanner {name}: reading" in log.read_text()[before:],
                f"the gateway reads {name}",
            )

    def wait_online(self) -> None:
        """Return once it has heard that central is there, so that good means good."""
        wait_until(lambda: "central is online" in self.log()[self._started :], "it is online")

    def log(self) -> str:
        """Return what it wrote to standard error."""
        return (self.folder / "gateway.log").read_text()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            self.running = None

    def stop(self) -> int:
        """End it in an orderly way and return its exit code."""
        assert self.running is not None
        self.running.terminate()
        code = self.running.wait(timeout=20)
        self.running = None
        return code


class Central:
    """Applies batches as the protocol says: in order, once, without holes; then acknowledges."""

    def __init__(self, port: int, *, online: bool = True, topics: Topics | None = None) -> None:
        self.port = port
        self.topics = topics or Topics()
        self.session = uuid4()
        self.applied: dict[UUID, list[Event]] = {}
        self.batches: list[Batch] = []
        self.states: list[GatewayState] = []
        self.signals: list[Signal] = []
        self.reject: dict[bytes, str] = {}
        self.deaf = False
        #: Says on each connection how far it is, as central does.
        self.greets = True
        self._lock = threading.Lock()
        client = self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, client_id=f"central-{uuid4()}"
        )
        client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.reconnect_delay_set(1, 1)
        self.online = online
        client.connect("127.0.0.1", port)
        client.loop_start()

    @property
    def events(self) -> list[Event]:
        """All applied events of all epochs, in order."""
        with self._lock:
            return [event for events in self.applied.values() for event in events]

    def raws(self) -> list[bytes]:
        """Return the bytes of all applied events."""
        return [event.raw for event in self.events]

    @property
    def state(self) -> GatewayState | None:
        """The gateway's newest state."""
        return self.states[-1] if self.states else None

    def tell(self, topic: str, message: Payload, *, retain: bool = False) -> None:
        """Publish something."""
        self.client.publish(topic, codec.encode(message), qos=1, retain=retain)

    def command(self, message: Payload) -> None:
        """Send the gateway a command."""
        self.tell(self.topics.commands(SITE, GATEWAY), message)

    def announce(self, *, online: bool) -> None:
        """Publish the retained state of central."""
        self.online = online
        state = CentralState(
            session=self.session, online=online, since="2026-01-01T00:00:00Z", version="test"
        )
        self.tell(self.topics.central(), state, retain=True)

    def restore(self, epoch: UUID, applied_seq: int) -> None:
        """Be restored from a backup that ends at `applied_seq`."""
        with self._lock:
            del self.applied[epoch][applied_seq:]
            self.session = uuid4()
        self.announce(online=True)
        self._acknowledge(epoch, [])

    def close(self) -> None:
        """Vanish."""
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        channels = ("events", "state", "signals")
        client.subscribe([(self.topics.every(channel), 1) for channel in channels])
        self.announce(online=self.online)
        for epoch in self.applied if self.greets else ():
            self._acknowledge(epoch, [])

    def _on_message(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/state"):
            if message.topic != self.topics.central():
                self.states.append(codec.decode(GatewayState, bytes(message.payload)))
            return
        if message.topic.endswith("/signals"):
            self.signals.append(codec.decode(Signal, bytes(message.payload)))
            return
        if self.deaf:
            return
        batch = codec.decode(Batch, bytes(message.payload))
        rejected = []
        with self._lock:
            self.batches.append(batch)
            known = self.applied.setdefault(batch.epoch, [])
            for event in batch.events:
                if event.seq == len(known) + 1:
                    known.append(event)
                    if event.raw in self.reject:
                        code = self.reject[event.raw]
                        rejected.append(Rejected(seq=event.seq, code=code, message="no"))
                elif event.seq <= len(known):
                    assert known[event.seq - 1].id == event.id, "same identity, other content"
        self._acknowledge(batch.epoch, rejected)

    def _acknowledge(self, epoch: UUID, rejected: Iterable[Rejected]) -> None:
        applied = len(self.applied[epoch])
        ack = Ack(
            epoch=epoch,
            applied_seq=applied,
            expect_seq=applied + 1,
            rejected=tuple(rejected),
            central_session=self.session,
        )
        self.tell(self.topics.ack(SITE, GATEWAY), ack, retain=True)
