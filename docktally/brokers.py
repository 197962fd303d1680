"""A broker for a site that has none: mosquitto where it is installed, else the embedded one."""

import shutil
import socket
import sys
from pathlib import Path

from docktally.children import Child, ChildFailed, wait_for_port

#: mosquitto lives outside an ordinary user's PATH on Debian.
_SYSTEM_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
#: rumqttd's default of 20 kB would close the connection on a batch of scans.
_PACKET_BYTES_MAX = 1024 * 1024
_EMBEDDED = """\
# Made by docktally. The embedded broker keeps nothing on disk; the end-to-end acknowledgement
# between gateway and central is what makes that safe.
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "local"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = {payload}
max_inflight_count = 200
dynamic_filters = true
"""


def free_port() -> int:
    """Return a TCP port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_mosquitto() -> str | None:
    """Return the path of the mosquitto program, None when it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SYSTEM_PATH)


def configuration() -> Path:
    """Return our mosquitto.conf, from a checkout or from the installed package."""
    here = Path(__file__).parent
    places = (here / "mosquitto.conf", here.parent / "mosquitto.conf")
    return next(place for place in places if place.exists())


def start(kind: str, folder: Path, port: int) -> Child:
    """Start a broker on 127.0.0.1:`port` and return once it answers.

    `kind` is "mosquitto", "embedded" or "auto"; ChildFailed says what to install when it cannot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = find_mosquitto()
    if kind == "auto":
        kind = "mosquitto" if program else "embedded"
    if kind == "mosquitto":
        if program is None:
            raise ChildFailed(
                "mosquitto is not installed: apt-get install mosquitto, or use --broker embedded"
            )
        child = Child("broker (mosquitto)", [program, "-c", str(_mosquitto_file(folder, port))])
    else:
        child = Child("broker (embedded)", _embedded_command(folder, port))
    child.start(folder / "broker.log")
    wait_for_port(child, port)
    return child


def _mosquitto_file(folder: Path, port: int) -> Path:
    """Write our mosquitto.conf with this port and folder; return its path."""
    data = folder / "mosquitto"
    data.mkdir(exist_ok=True)
    _give_to_mosquitto(data)
    replaced = {
        "listener": f"listener {port} 127.0.0.1",
        "persistence_location": f"persistence_location {data.resolve()}/",
    }
    lines = configuration().read_text(encoding="utf-8").splitlines()
    text = "\n".join(replaced.get(line.split(" ")[0], line) for line in lines) + "\n"
    path = folder / "mosquitto.conf"
    path.write_text(text, encoding="utf-8")
    return path


def _give_to_mosquitto(data: Path) -> None:
    """Let mosquitto, which drops root for its own user, write its folder."""
    try:
        shutil.chown(data, "mosquitto")
    except (LookupError, PermissionError):
        return  # started by an ordinary user it stays that user


def _embedded_command(folder: Path, port: int) -> list[str]:
    path = folder / "embedded.toml"
    path.write_text(_EMBEDDED.format(port=port, payload=_PACKET_BYTES_MAX), encoding="utf-8")
    # Below CRITICAL it writes a line for every packet.
    return [sys.executable, "-m", "iotcore", "--config", str(path), "--log-level", "CRITICAL"]
