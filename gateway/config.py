"""Configuration of a gateway: a TOML file, every key checked, every mistake one sentence."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from gateway import binding, code_ids, rcn, tcp_address
from gateway.framing import Terminator
from wire.broker import Broker
from wire.events import Name, Pattern
from wire.settings import Section, read
from wire.topics import DEFAULT_ROOT, RESERVED_GATEWAYS, RESERVED_SITES, Root

_MIB = 1024 * 1024
#: An SSI decoder that hears nothing sends again after two seconds; what it began before must be
#: given up by then, or two scans could be taken for one.
_SSI_QUIET_MS = 1_500
_USUAL = (Path("gateway.toml"), Path("/etc/docktally/gateway.toml"))
Source = Literal["serial", "keyboard", "pos", "tcp"]
Profile = Literal[
    "generic", "zebra", "honeywell", "datalogic", "newland", "gm65", "keyence", "cognex"
]
Layout = Literal["us", "gb", "de", "fr", "es", "it"]
Line = Annotated[int, Field(ge=0, le=10_000)]
ScanKind = Literal["receive", "putaway", "move", "pick", "ship", "return", "count", "damage"]
LabelField = Literal["gtin", "sscc", "lot", "serial", "expiry", "count"]


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
    label: tuple[LabelField, ...] = ()
    label_window_ms: int = Field(default=30_000, ge=1_000, le=600_000)
    feedback: Signals = Signals()

    @property
    def quiet_s(self) -> float:
        """How long the beginning of a code may wait for its end."""
        if self.profile == "zebra" and self.source in ("serial", "tcp"):
            return min(self.frame_timeout_ms, _SSI_QUIET_MS) / 1_000
        gap = self.terminator == "gap" or self.source == "keyboard"
        return (self.gap_ms if gap else self.frame_timeout_ms) / 1_000

    @field_validator("port")
    @classmethod
    def _plain_port(cls, port: str) -> str:
        return str(binding.parse(port)) if port.startswith(binding.PREFIX) else port

    @field_validator("prefix", "suffix")
    @classmethod
    def _one_byte_each(cls, text: str) -> str:
        return Signals.bytes_only(text) or ""

    @field_validator("no_read")
    @classmethod
    def _no_read_is_bytes(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(texts):
            raise ValueError("an empty text is nothing that a scanner sends; leave it out")
        return tuple(Signals.bytes_only(text) or "" for text in texts)

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region is not None:
            rcn.region_code(region)
        return region

    @model_validator(mode="after")
    def _port_fits(self) -> "Scanner":
        if self.source == "tcp":
            tcp_address.parse(self.port)
        elif tcp_address.is_one(self.port):
            raise ValueError(f'{self.port!r} is a network scanner: write source = "tcp"')
        elif self.source != "serial" and "://" in self.port:
            raise ValueError(
                f"{self.port!r} is no port of a {self.source} scanner; write its usb: name or a "
                "path below /dev (`docktally scanners` lists them)"
            )
        return self

    @model_validator(mode="after")
    def _letters_known(self) -> "Scanner":
        if self.code_ids and self.profile not in code_ids.BRANDS:
            raise ValueError(
                f"code_ids: the code letters of profile {self.profile!r} are not known, only "
                f"those of {', '.join(code_ids.BRANDS)}; let the scanner send AIM identifiers "
                "instead, and leave code_ids out"
            )
        return self

    @field_validator("label")
    @classmethod
    def _names_goods(cls, label: tuple[LabelField, ...]) -> tuple[LabelField, ...]:
        if label and (len(label) < 2 or len(set(label)) < len(label)):
            raise ValueError("a label of several barcodes has at least two different fields")
        if label and not {"gtin", "sscc"}.intersection(label):
            raise ValueError("no field of this label names goods; add gtin or sscc")
        return label


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


def usual_path() -> Path:
    """Return gateway.toml here, or the service's own where there is none here."""
    return next((path for path in _USUAL if path.exists()), _USUAL[0])


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
    return "://" in port or port.startswith(binding.PREFIX)
