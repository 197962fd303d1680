"""A storm of stock changes, as a process of its own: python storm.py PORT ITEMS RATE SECONDS.

Puts ITEMS retained items on a broker, says "filled", then RATE changes a second for SECONDS, spread
evenly over all items, and says "done". Ten times a second the name of the first item counts on:
"beacon 0000017". It speaks MQTT 5 by hand: a client library would cost more than what is measured.
"""

import random
import socket
import struct
import sys
import time
import uuid
from datetime import UTC, datetime

SITE, ROOT = "ber", "docktally/v1"
KINDS = ("valve DN25", "hose 10mm", "gasket M8", "sensor 10mm", "bracket M6", "motor DN50")
BEATS_PER_S = 10
_CONNECT = b"\x00\x04MQTT\x05\x02\x00\x3c\x00"
_PACE_S = 0.01
#: Messages that the broker takes before it has acknowledged the first.
_WINDOW = 1_000


def packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT packet."""
    length, left = bytearray(), len(body)
    while True:
        length.append((left & 0x7F) | (0x80 if left > 0x7F else 0))
        left >>= 7
        if not left:
            return bytes([kind]) + bytes(length) + body


def sku(number: int) -> str:
    """Return the SKU of an item."""
    return f"SKU-{number:06d}"


class Storm:
    """The items and what is known of them."""

    def __init__(self, port: int, items: int) -> None:
        self.versions = [0] * items
        self.rng = random.Random(1)
        self.socket = socket.create_connection(("127.0.0.1", port))
        name = uuid.uuid4().hex.encode()
        self.socket.sendall(packet(0x10, _CONNECT + struct.pack("!H", len(name)) + name))
        assert self.socket.recv(64)[0] == 0x20
        self.number, self.waiting, self.rest = 0, 0, b""

    def change(self, number: int, name: str | None = None) -> bytes:
        """Return the next announcement of an item."""
        version = self.versions[number] = self.versions[number] + 1
        available = self.rng.randrange(1_000)
        said = (
            f'{{"v":1,"sku":"{sku(number)}","site":"{SITE}","name":"{name or KINDS[number % 6]}",'
            f'"version":{version},"on_hand":{available + 3},"reserved":3,"safety":0,'
            f'"available":{available},"as_of":"{datetime.now(UTC).isoformat()}","cause":"pick"}}'
        )
        return self.publish(f"{ROOT}/{SITE}/availability/{sku(number)}", said.encode())

    def central(self) -> bytes:
        """Return central's state."""
        since = datetime.now(UTC).isoformat()
        said = f'{{"v":1,"session":"{uuid.UUID(int=1)}","online":true,"since":"{since}",'
        return self.publish(f"{ROOT}/central/state", (said + '"version":"1","lag_ms":3}').encode())

    def publish(self, topic: str, payload: bytes) -> bytes:
        """Return a retained PUBLISH of QoS 1, as central sends."""
        name = topic.encode()
        self.number = self.number % 0xFFFF + 1
        head = struct.pack("!H", len(name)) + name + struct.pack("!H", self.number)
        return packet(0x33, head + b"\x00" + payload)

    def send(self, messages: list[bytes]) -> None:
        """Send messages, and take the acknowledgements of all that is beyond half a window."""
        self.socket.sendall(b"".join(messages))
        self.waiting += len(messages)
        while self.waiting > _WINDOW // 2:
            self.rest += self.socket.recv(65_536)
            while len(self.rest) > 1 and len(self.rest) >= self.rest[1] + 2:
                assert self.rest[0] == 0x40
                self.rest = self.rest[self.rest[1] + 2 :]
                self.waiting -= 1

    def fill(self) -> None:
        """Announce every item once."""
        self.send([self.central()])
        for start in range(0, len(self.versions), _WINDOW // 2):
            some = range(start, min(start + _WINDOW // 2, len(self.versions)))
            self.send([self.change(number) for number in some])

    def blow(self, rate: int, seconds: float) -> None:
        """Change items at a rate."""
        start, sent, beats = time.monotonic(), 0, 0
        while (passed := time.monotonic() - start) < seconds:
            due = int(passed * rate)
            some = (self.rng.randrange(1, len(self.versions)) for _ in range(due - sent))
            out = [self.change(number) for number in some]
            sent = due
            if passed * BEATS_PER_S > beats:
                beats += 1
                out.append(self.change(0, f"beacon {beats:07d}"))
                if beats % BEATS_PER_S == 0:
                    out.append(self.central())
            self.send(out)
            time.sleep(max(0.0, _PACE_S - (time.monotonic() - start - passed)))


def main() -> None:
    """Run it."""
    port, items, rate, seconds = (int(each) for each in sys.argv[1:])
    storm = Storm(port, items)
    storm.fill()
    print("filled", flush=True)
    if rate:
        storm.blow(rate, seconds)
    storm.socket.sendall(packet(0xE0, b""))
    print("done", flush=True)


if __name__ == "__main__":
    main()
