"""The monitor on a pseudo terminal, byte by byte: bell, clipboard, mouse, a broker that is late."""

import asyncio
import base64
import sys
import time

import pytest

from neighbours import ROOT, Mosquitto
from pseudo_terminal import PseudoTerminal, on_a_terminal
from stock_messages import alert, central, item, publish

pytestmark = pytest.mark.broker
STOCK = [item("VALVE-1", name="valve"), item("HOSE-1", available=7, name="hose")]
#: Long enough for what is drawn once a second.
_SECONDS = 2.5


def monitor(mosquitto: Mosquitto) -> list[str]:
    """Return the command."""
    return [sys.executable, "-m", "monitor", "--broker", f"127.0.0.1:{mosquitto.port}"]


def click(terminal: PseudoTerminal, x: int, y: int, words: str) -> None:
    """Press and let go the left button over a cell, counted from 1, until words are drawn."""
    terminal.press(f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m", words)


def test_the_bell_rings_once_for_an_alert_that_opens(mosquitto: Mosquitto) -> None:
    """Not for those that were open before, and not again when one comes again."""
    asyncio.run(publish(mosquitto.port, [central(), alert("a1"), *STOCK]))
    with on_a_terminal(*monitor(mosquitto), folder=str(ROOT)) as terminal:
        terminal.until("alert a1")
        time.sleep(_SECONDS)
        assert terminal.bells == 0
        asyncio.run(publish(mosquitto.port, [alert("a2")]))
        terminal.until("alert a2")
        time.sleep(_SECONDS)
        assert terminal.bells == 1
        again = alert("a2").model_copy(update={"count": 2, "title": "alert a2 again"})
        asyncio.run(publish(mosquitto.port, [again]))
        terminal.until("alert a2 again")
        time.sleep(_SECONDS)
        assert terminal.bells == 1


def test_a_late_broker_is_found_then_mouse_and_clipboard_work(mosquitto: Mosquitto) -> None:
    """The very first connect is refused; a title sorts, a second click turns it round; y copies."""
    mosquitto.stop()
    with on_a_terminal(*monitor(mosquitto), folder=str(ROOT)) as terminal:
        terminal.until("connection refused")
        terminal.until("The screen fills by itself")
        mosquitto.start()
        asyncio.run(publish(mosquitto.port, [central(), *STOCK]))
        terminal.until("VALVE-1")
        terminal.until("● LIVE")
        click(terminal, 66, 4, "Available▲")
        click(terminal, 66, 4, "Available▼")
        click(terminal, 10, 5, "VALVE-1 valve @ ber")
        terminal.press("y", "VALVE-1 copied")
        assert b"\x1b]52;c;" + base64.b64encode(b"VALVE-1") in terminal.raw
