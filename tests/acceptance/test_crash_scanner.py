"""Scanners press at the same time, lose their plug, or send what is no barcode."""

import asyncio
import base64
import random
from collections.abc import Iterator

import pytest

from ears import Ears
from firmware_sim import catalog, truth
from hands import Grab, Hand
from sites import SITE, Site, eventually

pytestmark = pytest.mark.broker
#: Scans on their way to a gateway that does not wait for beeps; a terminal holds some 4 KiB.
AHEAD = 16


def pieces(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Cut bytes as a slow line does."""
    while data:
        size = rng.randrange(1, 9)
        yield data[:size]
        data = data[size:]


async def flat_out(hand: Hand, items: tuple[catalog.Item, ...], scans: int, seed: int) -> None:
    """Scan without waiting for beeps, every code in pieces with the other scanner's in between."""
    rng = random.Random(seed)
    under_way: asyncio.Queue[int] = asyncio.Queue(AHEAD)

    async def listen() -> None:
        for _ in range(scans):
            assert await hand.hear(await under_way.get()) in {"good", "offline"}

    ears = asyncio.create_task(listen())
    for number in range(scans):
        raw, meaning = hand.label(rng.choice(items), lot=f"{hand.name}-{number}")
        await under_way.put(hand.note(raw, meaning))
        for piece in pieces(raw + b"\r", rng):
            await hand.device.press(piece)
            await asyncio.sleep(0)
    await ears


async def test_two_scanners_of_one_gateway_never_mix(site: Site, grab: Grab) -> None:
    """Both flat out at the same time, in pieces: every code is whole, at its dock, in order."""
    site.start()
    hands = await grab("a-1", "a-2")
    items = site.warehouse.catalogue().items
    await asyncio.gather(*(flat_out(hand, items, 300, n) for n, hand in enumerate(hands)))
    site.prove()


async def test_a_plug_pulled_in_mid_code(site: Site, grab: Grab) -> None:
    """Unplugged in mid-code and plugged back, as another device: the rest never becomes goods."""
    site.start()
    (hand,) = await grab("a-1")
    items = site.warehouse.catalogue().items
    rng = random.Random(41)
    for item in items[:8]:
        assert await hand.receive(item) in {"good", "offline"}
        raw, meaning = hand.label(item, lot="TORN")
        hand.note(raw, meaning, cut=True)
        await hand.device.press(raw[: rng.randrange(1, len(raw))])
        await asyncio.sleep(rng.choice((0, 0.02)))  # a plug comes out at any moment
        hand.unplug()
        hand.plug()
        await hand.ready()
        assert await hand.receive(item, lot="WHOLE") in {"good", "offline"}
    pid = site.programs["gate-a"].pid
    site.prove()
    assert site.programs["gate-a"].pid == pid


async def test_bouncing_triggers_and_torn_frames(site: Site) -> None:
    """Frames in pieces, twice within a blink, cut by the plug: each scan counts once."""
    site.start()
    site.people(43, rate=20.0, weather="bouncing")
    await asyncio.to_thread(site.work_on, 400)
    site.prove()
    kinds = [row["kind"] for row in site.api.items("/v1/events")]
    assert kinds.count("repeat") > 3


NOISE = {
    "random bytes": random.Random(5).randbytes(200).translate(None, b"\r\n\x02"),
    "NUL bytes": bytes(40),
    "a NUL in a GTIN": b"]E0401227\x0000013",
    "invalid UTF-8": b"\x84\xfe\xc3(",
    "invalid UTF-8 in a GS1 symbol": b"]C101\xc3(\xa0\xa1\xe2",
    "64 kB without an end": b"A" * 70_000,
}


async def test_noise_is_kept_as_unreadable(site: Site, ears: Ears, grab: Grab) -> None:
    """What is no barcode sounds refused, is kept with its bytes, and spoils no other scan."""
    site.start()
    (hand,) = await grab("b-2")
    items = site.warehouse.catalogue().items
    unreadable = truth.Meaning(outcome="unreadable", kind="unreadable")
    for item, data in zip(items, NOISE.values(), strict=False):
        n = hand.note(data, unreadable, cut=len(data) > 64 * 1024)
        await hand.pour(data + b"\r")
        assert await hand.hear(n) == "refused"
        assert await hand.receive(item) in {"good", "offline"}

    def counted() -> int:
        state = ears.state(SITE, "gate-b")
        return sum(scanner.unreadable for scanner in state.scanners) if state else 0

    await eventually(lambda: counted() == len(NOISE), "the gateway's state counts them")
    site.prove()
    rows = [row for row in site.api.items("/v1/events") if row["kind"] == "unreadable"]
    kept = [base64.b64decode(row["event"]["raw"]) for row in rows]
    assert kept == [data[: 64 * 1024] for data in NOISE.values()]
