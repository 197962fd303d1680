"""The list of devices as others see it: a table for people, JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway import binding
from gateway.config import Scanner
from gateway.finding import Finding
from gateway.sysfs import Device

_HEAD = ("device", "source", "where", "port to configure", "state")


@dataclass(frozen=True, slots=True)
class Row:
    """One device: how to bind it, whose it is, and what is not well about it.

    `held`: the running gateway reads it. `users` are other programs that have it open.
    """

    device: Device
    binding: str
    scanner: Scanner | None
    held: bool
    users: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def state(self) -> str:
        """Return configured as NAME, or new, and who has it."""
        words = f"configured as {self.scanner.name}" if self.scanner else "new"
        if self.held:
            return f"{words}, read by the running gateway"
        return f"{words}, in use" if self.users else words


def as_json(
    rows: Sequence[Row], others: Sequence[Scanner], adapters: Sequence[Finding]
) -> dict[str, object]:
    """Return one object: `devices`, the configured `scanners` that are none of them, and what is
    wrong with USB `adapters` that give no port.
    """
    return {
        "devices": [_device(row) for row in rows],
        "scanners": [
            {
                "name": scanner.name,
                "source": scanner.source,
                "port": scanner.port,
                "plugged_in": _plugged_in(scanner),
            }
            for scanner in others
        ],
        "adapters": [asdict(each) for each in adapters],
    }


def as_text(rows: Sequence[Row], others: Sequence[Scanner], adapters: Sequence[Finding]) -> str:
    """Return a table with what is not well below each device, ending in a newline."""
    table = [_HEAD] + [
        (row.device.label, row.device.source, row.device.path, row.binding, row.state)
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for cells, row in zip(table, [None, *rows], strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(line.rstrip())
        for finding in row.findings if row else ():
            lines += [f"    ! {finding.what}", f"      {finding.fix}"]
    if not rows:
        lines = ["No USB or Bluetooth scanner is plugged in here."]
    for each in others:
        missing = ", not plugged in" if _plugged_in(each) is False else ""
        lines.append(f"{each.name}: {each.source} scanner at {each.port}{missing}")
    for finding in adapters:
        lines += [f"{finding.about}: {finding.what}", f"      {finding.fix}"]
    return "\n".join(lines) + "\n"


def _plugged_in(scanner: Scanner) -> bool | None:
    """Return whether a configured scanner that is no listed device is there; None: who knows."""
    if "://" in scanner.port:
        return None
    return not scanner.port.startswith(binding.PREFIX) and Path(scanner.port).exists()


def _device(row: Row) -> dict[str, object]:
    device = row.device
    return {
        "source": device.source,
        "path": device.path,
        "vid": device.vid,
        "pid": device.pid,
        "manufacturer": device.manufacturer,
        "product": device.product,
        "serial": device.serial,
        "usb_port": device.usb_port,
        "interface": device.interface,
        "port": row.binding,
        "configured_as": row.scanner.name if row.scanner else None,
        "read_by_gateway": row.held,
        "in_use_by": list(row.users),
        "problems": [{"what": each.what, "fix": each.fix} for each in row.findings],
    }
