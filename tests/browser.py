"""A headless Chromium, driven over the W3C WebDriver protocol with the standard library."""

import base64
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neighbours import free_port, need, wait_until

#: How WebDriver spells the key.
ENTER = "\ue007"


class Browser:
    """One window."""

    def __init__(self, driver: str, options: list[str], downloads: Path) -> None:
        self._driver = driver
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {
                "args": options,
                "prefs": {"download.default_directory": str(downloads)},
            },
        }
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{answer['sessionId']}"

    def open(self, url: str) -> None:
        """Go to an address and return once its page is loaded."""
        self._ask("POST", self._session + "/url", {"url": url})

    def run(self, script: str) -> Any:
        """Run JavaScript in the page and return what it returns."""
        return self._ask("POST", self._session + "/execute/sync", {"script": script, "args": []})

    def keys(self, text: str) -> None:
        """Press keys one after the other, without a pause."""
        actions = [
            {"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")
        ]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._ask("POST", self._session + "/actions", {"actions": [source]})

    def picture(self) -> bytes:
        """Return what is seen, as PNG."""
        return base64.b64decode(self._ask("GET", self._session + "/screenshot"))

    def close(self) -> None:
        """End the browser."""
        self._ask("DELETE", self._session)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self._driver + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Give a browser of its own; what it downloads lands in `folder`."""
    program = need("chromium", "apt-get install chromium")
    driver = need("chromedriver", "apt-get install chromium-driver")
    port = free_port()
    options = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += ["--window-size=1200,800", f"--user-data-dir={folder / 'profile'}"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")
    with (folder / "driver.log").open("wb") as log:
        process = subprocess.Popen(
            [driver, f"--port={port}"],
            stdout=log,
            stderr=log,
            env={**os.environ, "CHROME": program},
        )
    browser = None
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _ready(url), "the driver listens")
        browser = Browser(url, options, folder)
        yield browser
    finally:
        if browser is not None:
            browser.close()
        process.terminate()
        process.wait()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/status", timeout=5) as answer:
            return bool(json.load(answer)["value"]["ready"])
    except OSError:
        return False
