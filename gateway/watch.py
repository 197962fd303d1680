"""What scanners send, for a person who sets one up: shown as it comes, never stored."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gateway import barcode, feedback, labels, parse_view, ports, profiles
from gateway.config import Scanner
from gateway.dialect import Heard, NoRead, Remark, Say
from gateway.framing import Frame
from gateway.labels import BadLabel, Label
from gateway.port import Chunk, Down, Port, Up
from wire.errors import Unavailable

_GS = 0x1D
_CLOCK = "%H:%M:%S.%f"


@dataclass(frozen=True, slots=True)
class Sight:
    """Something that happened at a scanner: a frame, or a note about the scanner itself."""

    at: datetime
    scanner: Scanner
    seen: Frame | str


async def watch(scanners: Sequence[Scanner], show: Callable[[Sight], None]) -> None:
    """Show what the scanners send until cancelled. The scanner itself believes it was stored."""
    async with asyncio.TaskGroup() as tasks:
        for settings in scanners:
            tasks.create_task(_watch(settings, show))


async def _watch(settings: Scanner, show: Callable[[Sight], None]) -> None:
    def tell(seen: Frame | str) -> None:
        show(Sight(datetime.now().astimezone(), settings, seen))

    try:
        port = ports.open_port(settings)
    except Unavailable as error:
        tell(str(error))
        return
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(port.run())
        await _listen(port, settings, tell)


async def _listen(port: Port, settings: Scanner, tell: Callable[[Frame | str], None]) -> None:
    dialect = profiles.dialect_of(settings)
    while True:
        news = await port.next(settings.quiet_s if dialect.pending else None)
        heard: list[Heard]
        match news:
            case Chunk(data=data):
                heard = dialect.feed(data)
            case None:
                heard = dialect.silence()
            case Up() | Down():
                heard = dialect.cut()
                tell("ready; scan something" if isinstance(news, Up) else news.reason)
        for item in heard:
            match item:
                case Frame():
                    tell(item)
                    await feedback.say(port, dialect.answer("stored"), settings.name)
                case Say(data=data):
                    await feedback.say(port, data, settings.name)
                case NoRead():
                    tell("the trigger was pulled and nothing was read")
                case Remark(text=text):
                    tell(text)
        if isinstance(news, Up):
            await feedback.greet(port, dialect, settings.name)


def as_json(sight: Sight) -> dict[str, object]:
    """Return one object for programs: the bytes as hex, and what `docktally parse` says."""
    shown: dict[str, object] = {
        "at": sight.at.isoformat(),
        "port": sight.scanner.port,
        "source": sight.scanner.source,
    }
    if isinstance(sight.seen, str):
        return {**shown, "note": sight.seen}
    shown |= {"raw_hex": sight.seen.data.hex(), "gs": _GS in sight.seen.data}
    if sight.seen.problem:
        return {**shown, "ok": False, "error_class": sight.seen.problem}
    label = labels.read(sight.seen.data)
    if label is not None:
        return {**shown, "control_label": _label(label)}
    return {**shown, **parse_view.as_json(_parsed(sight, sight.seen))}


def as_text(sight: Sight) -> str:
    """Return some lines for a person, ending in a newline."""
    head = f"{sight.at.strftime(_CLOCK)[:-3]} {sight.scanner.port}"
    if isinstance(sight.seen, str):
        return f"{head}: {parse_view.printable(sight.seen)}\n"
    data = sight.seen.data
    lines = [
        f"{head}: {len(data)} bytes",
        f"  hex   {data.hex(' ')}",
        f"  text  {data.decode('utf-8', 'replace')!a}",
    ]
    if sight.seen.problem:
        lines.append(f"  no scan: {sight.seen.problem.replace('_', ' ')}")
    elif (label := labels.read(data)) is not None:
        lines.append(f"  control label: {_label(label)}")
    else:
        result = _parsed(sight, sight.seen)
        lines.append(f"  AIM   {result.aim or 'none: let the scanner send AIM identifiers'}")
        lines.append(f"  GS    {'yes' if _GS in data else 'no'}")
        lines += [f"  {line}" for line in parse_view.as_text(result, _day(sight)).splitlines()]
    return "\n".join(lines) + "\n"


def _parsed(sight: Sight, frame: Frame) -> barcode.Barcode | barcode.Unreadable:
    settings = sight.scanner
    return barcode.parse(
        frame.data,
        today=_day(sight),
        symbology=settings.symbology,
        region=settings.region,
        separators=settings.separators,
        aim_required=settings.aim_required,
    )


def _day(sight: Sight) -> date:
    return sight.at.date()


def _label(label: Label | BadLabel) -> str:
    return label.message if isinstance(label, BadLabel) else f"{label.type} {label.value}"
