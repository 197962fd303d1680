"""Scanners in a test's own hands, on firmware_sim's pseudo terminals, with the truth journal."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from firmware_sim import catalog, gs1, truth
from firmware_sim.journal import Journal
from firmware_sim.pty_serial import PtyScanner
from firmware_sim.runner import Numbers
from sites import DOCKS, Site, eventually
from wire.errors import Unavailable

#: How long somebody waits for a beep before the test fails.
BEEP_S = 30.0


class Hand:
    """A scanner in the test's own hand: every press and every beep goes to the journal."""

    def __init__(self, site: Site, scanner: str, journal: Journal, numbers: Numbers) -> None:
        self.name, self._site, self._journal, self._numbers = scanner, site, journal, numbers
        self.gateway, self.dock = next(
            (gateway, docks[scanner]) for gateway, docks in DOCKS.items() if scanner in docks
        )
        self.device = PtyScanner(scanner, site.port(scanner))
        self._plugged_at = 0

    async def __aenter__(self) -> Self:
        await self.device.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.device.__aexit__(kind, error, trace)

    async def ready(self) -> None:
        """Return once the gateway that runs now reads the port that is plugged in now."""
        sign = f"scanner {self.name}: reading"
        await eventually(
            lambda: (
                sign in self._site.log(self.gateway)[self._plugged_at :]
                and sign in self._site.said(self.gateway)
            ),
            f"{self.gateway} reads {self.name}",
        )
        await self.device.connected()

    def unplug(self) -> None:
        """Pull the plug."""
        self.device.unplug()

    def plug(self) -> None:
        """Put it back: another terminal under the same link."""
        self._plugged_at = len(self._site.log(self.gateway))
        self.device.plug()

    def note(self, raw: bytes, meaning: truth.Meaning, *, cut: bool = False) -> int:
        """Write down that a trigger is about to be pulled; return the number of the press."""
        n = self._numbers.next()
        self._journal.write(
            truth.Press(n=n, at=_now(), scanner=self.name, raw=raw.hex(), meaning=meaning, cut=cut)
        )
        return n

    async def hear(self, n: int) -> truth.Beep:
        """Wait for the answer to press `n`."""
        while True:
            async with asyncio.timeout(BEEP_S):
                _, signal = await self.device.hear()
            if signal != "rejected":
                self._journal.write(truth.Heard(n=n, at=_now(), beep=signal, after_ms=0.0))
                return signal

    async def scan(self, raw: bytes, meaning: truth.Meaning) -> truth.Beep:
        """Scan one label and return its beep."""
        n = self.note(raw, meaning)
        await self.device.press(raw + gs1.TERMINATOR)
        return await self.hear(n)

    async def receive(self, item: catalog.Item, lot: str = "") -> truth.Beep:
        """Receive one piece of an item; return the beep."""
        return await self.scan(*self.label(item, lot))

    async def receive_until(self, beep: truth.Beep, item: catalog.Item) -> None:
        """Receive pieces, each of a lot of its own, until one of them is answered by `beep`."""
        async with asyncio.timeout(BEEP_S):
            while await self.receive(item, lot=f"N{self._numbers.next()}") != beep:
                await asyncio.sleep(0.01)

    def label(self, item: catalog.Item, lot: str = "") -> tuple[bytes, truth.Meaning]:
        """Return the reading of a label, and what scanning it means."""
        pairs = [("01", gs1.gtin14(item.each)), ("10", lot)]
        raw = gs1.elements("]C1", pairs) if lot else gs1.trade_item(item.each)
        return raw, truth.Meaning(
            outcome="goods", kind="receive", sku=item.sku, lot=lot, eaches=1, target=self.dock
        )

    async def pour(self, data: bytes) -> None:
        """Send more bytes than a terminal takes at once; which ones get lost does not matter."""
        for start in range(0, len(data), 256):
            piece = data[start : start + 256]
            async with asyncio.timeout(BEEP_S):
                while piece:
                    try:
                        await self.device.press(piece)
                        piece = b""
                    except Unavailable:
                        await asyncio.sleep(0.001)


#: Takes scanners in hand, by their names, once their gateways read them.
Grab = Callable[..., Awaitable[list[Hand]]]


def _now() -> datetime:
    return datetime.now(UTC)
