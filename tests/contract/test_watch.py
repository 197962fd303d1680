"""gateway.watch on pseudo terminals: what a scanner sends is shown, explained, and not stored."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway import watch
from gateway.config import Scanner
from gateway.watch import Sight
from gateway_rig import Pty

DEADLINE_S = 20


@asynccontextmanager
async def watching(*scanners: Scanner) -> AsyncIterator[list[Sight]]:
    """Watch until the block ends; give what was seen so far."""
    seen: list[Sight] = []
    task = asyncio.create_task(watch.watch(scanners, seen.append))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])


async def shown(seen: list[Sight], *words: str) -> str:
    """Return the text of the first sight with all these words, once it was seen."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            for sight in seen:
                text = watch.as_text(sight)
                if all(word in text for word in words):
                    assert json.loads(json.dumps(watch.as_json(sight)))
                    return text
            await asyncio.sleep(0.01)


async def test_a_scan_is_shown_with_its_bytes_and_its_meaning(tmp_path: Path) -> None:
    """Hex, text, AIM identifier, GS, and what the barcode means; a GS that is missing is seen."""
    device = Pty(tmp_path / "link")
    async with watching(Scanner(name="s", port=str(device.link))) as seen:
        await shown(seen, "ready")
        device.send(b"]C1010950600013435210AB\x1d3712\r")
        text = await shown(seen, "28 bytes")
        assert "5d 43 31 30 31" in text
        assert "AIM   ]C1" in text
        assert "GS    yes" in text
        assert "09506000134352" in text
        device.send(b"4006381333931\r")
        text = await shown(seen, "13 bytes")
        assert "AIM   none: let the scanner send AIM identifiers" in text
        assert "GS    no" in text
        device.send(b"%DT-C-RECEIVE-X\r")
        await shown(seen, "control label: ", "misread")
    assert watch.as_json(seen[1])["gs"] is True
    assert watch.as_json(seen[1])["gtin14"] == "09506000134352"


async def test_the_scanner_is_answered_or_it_would_stop(tmp_path: Path) -> None:
    """A scanner that waits for ACK gets it, though nothing is stored."""
    device = Pty(tmp_path / "link")
    async with watching(Scanner(name="s", port=str(device.link), ack_nak=True)) as seen:
        await shown(seen, "ready")
        device.send(b"ONE\r")
        assert await asyncio.to_thread(device.beep) == b"\x06"
        await shown(seen, "3 bytes")


async def test_what_is_no_scan_is_shown_too(tmp_path: Path) -> None:
    """A code that breaks off says so; so do a scanner that is not there, and one that comes."""
    device = Pty(tmp_path / "link")
    settings = Scanner(name="s", port=str(device.link), frame_timeout_ms=50)
    absent = Scanner(name="t", port=str(tmp_path / "later"))
    async with watching(settings, absent) as seen:
        await shown(seen, "ready")
        device.send(b"half\x1b[2J")
        text = await shown(seen, "no scan: incomplete")
        assert "\x1b" not in text
        await shown(seen, "not plugged in")
        Pty(Path(absent.port))
        await shown(seen, "later: ready")
        device.unplug()
        await shown(seen, "unplugged")
