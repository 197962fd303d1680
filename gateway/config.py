"""Configuration of a gateway: a TOML file, every key checked, every mistake one sentence."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from gateway import rcn
from gateway.framing import Terminator
from wire.broker import Broker
from wire.events import Name, Pattern
from wire.settings import Section, read
from wire.topics import DEFAULT_ROOT, RESERVED_GATEWAYS, RESERVED_SITES, Root

_MIB = 1024 * 1024
Source = Literal["serial", "keyboard", "pos", "tcp"]
Profile = Literal[
    "generic", "zebra", "honeywell", "datalogic", "newland", "gm65", "keyence", "cognex"
]
Layout = Literal["us", "gb", "de", "fr", "es", "it"]
Line = Annotated[int, Field(ge=0, le=10_000)]
ScanKind = Literal["receive", "putaway", "move", "pick", "ship", "return", "count", "damage"]


class Signals(Section):
    """Bytes written back to a scanner; None is silence. Characters up to U+00FF, one byte each."""

    good: str | None = None
    offline: str | None = None
    refused: str | None = None
    rejected: str | None = None

    @field_validator("*")
    @classmethod
    def bytes_only(cls, text: str | None) -> str | None:
        """Return the text; raise ValueError when a character of it is not one byte."""
        if text is not None and max(text, default="\0") > "\xff":
            raise ValueError(f"{text!r} has a character above U+00FF, which is not one byte")
        return text

    def bytes_for(self, pattern: Pattern) -> bytes:
        """Return what to write for a pattern, empty for silence; offline defaults to good."""
        text = getattr(self, pattern)
        if text is None and pattern == "offline":
            text = self.good
        return (text or "").encode("latin-1")


class Scanner(Section):
    """One scanner: where it is, how it speaks, what its scans mean by default."""

    name: Name
    source: Source = "serial"
    port: str = Field(min_length=1)
    profile: Profile = "generic"
    baud: int = Field(default=9600, ge=50, le=4_000_000)
    bytesize: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    rtscts: bool = False
    xonxoff: bool = False
    layout: Layout = "us"
    terminator: Terminator = "auto"
    prefix: str = ""
    suffix: str = ""
    ack_nak: bool = False
    code_ids: bool = False
    no_read: tuple[str, ...] = ()
    gap_ms: int = Field(default=100, ge=5, le=10_000)
    frame_timeout_ms: int = Field(default=2_000, ge=50, le=60_000)
    kind: ScanKind = "receive"
    location: Name = "DOCK-1"
    symbology: str | None = None
    region: str | None = None
    separators: tuple[str, ...] = ()
    aim_required: bool = False
    repeat_window_ms: int = Field(default=300, ge=0, le=10_000)
    feedback: Signals = Signals()

    @field_validator("prefix", "suffix")
    @classmethod
    def _one_byte_each(cls, text: str) -> str:
        return Signals.bytes_only(text) or ""

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region is not None:
            rcn.region_code(region)
        return region


class Gpio(Section):
    """Lamps at the pins of a board: the output line that each pattern lights for a moment."""

    chip: Path = Path("/dev/gpiochip0")
    active_low: bool = False
    flash_ms: int = Field(default=300, ge=20, le=3_000)
    good: Line | None = None
    offline: Line | None = None
    refused: Line | None = None
    rejected: Line | None = None

    def line_of(self, pattern: Pattern) -> int | None:
        """Return the line of a pattern, None for none; offline defaults to good."""
        line: int | None = getattr(self, pattern)
        return self.good if line is None and pattern == "offline" else line

    @property
    def lines(self) -> list[int]:
        """All lines that are used, each once."""
        given = (self.good, self.offline, self.refused, self.rejected)
        return sorted({line for line in given if line is not None})


class BeeperSettings(Section):
    """Signals beside the scanner's own: a program, a loudspeaker, lamps."""

    command: tuple[str, ...] = ()
    speaker: bool = False
    gpio: Gpio = Gpio()


class OutboxLimits(Section):
    """How much disk the scans may take. Un-acknowledged scans are never deleted to make room."""

    max_bytes: Annotated[int, Field(ge=64 * 1024)] = 512 * _MIB
    journal_bytes: Annotated[int, Field(ge=0)] = 128 * _MIB
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 32 * _MIB


class Config(Section):
    """What `docktally gateway` needs to know. Relative paths start at the file's own folder."""

    site: Name
    gateway: Name
    data: Path = Path("gateway-data")
    topic_root: Root = DEFAULT_ROOT
    broker: Broker = Broker()
    outbox: OutboxLimits = OutboxLimits()
    beeper: BeeperSettings = BeeperSettings()
    scanner: tuple[Scanner, ...] = Field(default=(), max_length=64)

    @model_validator(mode="after")
    def _names_apart(self) -> "Config":
        if self.site in RESERVED_SITES or self.gateway in RESERVED_GATEWAYS:
            raise ValueError(
                f"site {self.site!r} or gateway {self.gateway!r} has a meaning of its own on the "
                "broker; choose another name"
            )
        for key in ("name", "port"):
            values = [getattr(scanner, key) for scanner in self.scanner]
            twice = {value for value in values if values.count(value) > 1}
            if twice:
                raise ValueError(f"two scanners have the same {key} {min(twice)!r}")
        return self


def load(path: Path) -> Config:
    """Return the configuration in `path`; raise ConfigError with what to change."""
    config = read(Config, path, "deploy/gateway.example.toml is one to start from")
    folder = path.parent.resolve()
    scanners = tuple(
        each
        if _is_address(each.port)
        else each.model_copy(update={"port": str(folder / each.port)})
        for each in config.scanner
    )
    return config.model_copy(
        update={
            "data": (folder / config.data).resolve(),
            "broker": config.broker.beside(folder),
            "scanner": scanners,
        }
    )


def _is_address(port: str) -> bool:
    return "://" in port or port.startswith("usb:")
