"""The monitor in a browser: behind its token, on this machine only, the same screen."""

import asyncio
import csv
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from browser import ENTER, Browser, chromium
from monitor import __main__ as command
from neighbours import ROOT, Mosquitto, free_port, wait_until
from stock_messages import central, item, publish

pytestmark = pytest.mark.broker
TOKEN = "a-token"


@dataclass
class Served:
    """A served monitor and where it is."""

    port: int
    process: "subprocess.Popen[bytes]"

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return (
                answer.status,
                dict(answer.getheaders()),
                answer.read().decode("utf-8", "replace"),
            )
        finally:
            connection.close()

    def children(self) -> list[str]:
        """Return the processes that it started, and theirs."""
        return _below(self.process.pid)


def _below(pid: int) -> list[str]:
    try:
        mine = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return mine + [each for child in mine for each in _below(int(child))]


@pytest.fixture
def served(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Served]:
    """Give a served monitor that shows three items; its files land in tmp_path."""
    items = [item("VALVE-1", name="valve"), item("VALVE-2", name="valve"), item("HOSE", 1, 0)]
    asyncio.run(publish(mosquitto.port, [central(), *items]))
    port, said = free_port(), tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "monitor", "--serve", str(port)),
                *("--broker", f"127.0.0.1:{mosquitto.port}"),
            ],
            cwd=tmp_path,
            stdout=output,
            env=os.environ | {"PYTHONPATH": str(ROOT), "DOCKTALLY_SERVE_TOKEN": TOKEN},
        )
    wait_until(lambda: f"127.0.0.1:{port}/?token={TOKEN}" in said.read_text(), "it says where")
    served = Served(port, process)
    wait_until(lambda: _answers(served), "it listens")
    yield served
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def _answers(served: Served) -> bool:
    try:
        return served.get("/")[0] == 401
    except OSError:
        return False


def test_nothing_is_served_without_the_token(served: Served) -> None:
    """Not the page, not its files, not the connection; a wrong token, another site: neither."""
    for path in ("/", "/?token=wrong", "/ws", "/static/js/textual.js", "/download/x"):
        assert served.get(path)[0] == 401, path
    assert served.get("/", Cookie="docktally-monitor=wrong")[0] == 401
    status, headers, _ = served.get(f"/?token={TOKEN}")
    assert (status, headers["Location"]) == (302, "/")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    mine = {"Cookie": f"docktally-monitor={TOKEN}"}
    status, headers, page = served.get("/", **mine)
    assert status == 200
    assert "https://" not in page
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert served.get("/ws", **mine, Origin="http://evil.example")[0] == 403
    assert not served.children()


def test_a_real_browser_shows_and_filters_it(served: Served, tmp_path: Path) -> None:
    """Typed into a real page: the filter filters, the export comes down, closing ends the process.

    The screen is drawn on a canvas, so what was exported says what was shown.
    """
    downloads = tmp_path / "browser"
    downloads.mkdir()
    with chromium(downloads) as browser:
        browser.open(f"http://127.0.0.1:{served.port}/?token={TOKEN}")
        wait_until(served.children, "a monitor was started for the page")
        assert browser.run("return location.search") == ""
        everything = ["HOSE", "VALVE-1", "VALVE-2"]
        wait_until(lambda: _exported(browser, downloads, everything), "the page takes keys")
        browser.keys("/valve")
        browser.keys(ENTER)
        valves = ["VALVE-1", "VALVE-2"]
        wait_until(lambda: _exported(browser, downloads, valves), "the filter is on")
        assert len(browser.picture()) > 10_000
        foreign = "return performance.getEntriesByType('resource').map(each => each.name)"
        assert all(f"127.0.0.1:{served.port}/" in name for name in browser.run(foreign))
        browser.open("about:blank")
        wait_until(lambda: not served.children(), "the monitor of the page has ended")


def _exported(browser: Browser, folder: Path, skus: list[str]) -> bool:
    """Press e, and see whether a file with these SKUs came down."""
    browser.keys("e")
    found = []
    for path in folder.glob("*.csv"):
        with path.open(newline="") as file:
            found.append([record["sku"] for record in csv.DictReader(file)])
    return skus in found


def test_what_does_not_go_with_a_browser_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, before anything is opened."""
    assert command.main(["--serve", "--headless"]) == 1
    assert "--serve goes with neither" in capsys.readouterr().err
    assert command.main(["--serve", "--config", "/nowhere.toml"]) == 1
    assert "cannot be read" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["--serve", "0"])
