"""The least that scan → stock can cost: two SQLite FULL commits and two MQTT hops, nothing else.

No checks, no protocol. Run as
`floor.py scanner PORT DB TTY` (line from a serial port → commit → publish),
`floor.py ledger PORT DB` (message → commit → retained publish), or
`floor.py dock PORT DB TTY` (line from a serial port, or with TTY "-" from a TCP client on PORT →
commit → ACK).
"""

import queue
import socket
import sqlite3
import sys
import tty

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

SCANS, STOCK = "floor/scans", "floor/stock"


def database(path: str) -> sqlite3.Connection:
    """Open a table for lines, with the commits that a promise needs."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, text BLOB)")
    return connection


def client(port: int) -> paho.Client:
    """Connect to the broker."""
    mqtt = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    mqtt.on_socket_open = lambda _c, _u, sock: sock.setsockopt(6, 1, 1)  # TCP_NODELAY
    mqtt.connect("127.0.0.1", port)
    return mqtt


def scanner(port: int, path: str, device: str) -> None:
    """Read lines for ever."""
    mqtt, rows = client(port), database(path)
    mqtt.loop_start()
    with open(device, "r+b", buffering=0) as serial:  # noqa: PTH123
        tty.setraw(serial.fileno())
        print("ready", flush=True)
        line = b""
        while data := serial.read(1024):
            line += data
            while b"\r" in line:
                code, _, line = line.partition(b"\r")
                rows.execute("INSERT INTO line (text) VALUES (?)", (code,))
                mqtt.publish(SCANS, code, qos=1)


def dock(port: int, path: str, device: str) -> None:
    """Answer lines for ever, without a broker."""
    rows = database(path)
    if device == "-":
        server = socket.create_server(("127.0.0.1", port))
        print("ready", flush=True)
        line_in = line_out = server.accept()[0].makefile("rwb", buffering=0)
    else:
        line_in = line_out = open(device, "r+b", buffering=0)  # noqa: PTH123, SIM115
        tty.setraw(line_in.fileno())
        print("ready", flush=True)
    while code := line_in.readline():
        rows.execute("INSERT INTO line (text) VALUES (?)", (code,))
        line_out.write(b"\x06")


def ledger(port: int, path: str) -> None:
    """Take messages for ever."""
    mqtt, rows = client(port), database(path)
    arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    mqtt.on_message = lambda _c, _u, message: arrived.put(message.payload)
    mqtt.subscribe(SCANS, qos=1)
    mqtt.loop_start()
    print("ready", flush=True)
    while True:
        code = arrived.get()
        rows.execute("INSERT INTO line (text) VALUES (?)", (code,))
        mqtt.publish(STOCK, code, qos=1, retain=True)


if __name__ == "__main__":
    role, at, *rest = sys.argv[1:]
    {"scanner": scanner, "ledger": ledger, "dock": dock}[role](int(at), *rest)
