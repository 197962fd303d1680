"""gateway.hotplug on a machine laid out in /sys, and on this kernel's own event socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.config import Scanner
from gateway.hotplug import Hotplug, is_about_scanners
from machines import Machine
from wire.events import ScannerState

DEADLINE_S = 20
#: Any device that every kernel has; writing to its uevent makes the kernel tell of it again.
UEVENT = Path("/sys/class/tty/ptmx/uevent")


@dataclass
class Ear:
    """Stands where a reader stands, and counts how often it was told to look."""

    settings: Scanner
    online: bool = False
    looks: int = 0

    def look(self) -> None:
        """Count."""
        self.looks += 1

    def state(self) -> ScannerState:
        """Say whether the device is there."""
        return ScannerState(name="s", source="p", online=self.online)


@dataclass
class Watch:
    """A running Hotplug with its ears."""

    root: Path
    ears: list[Ear]
    told: list[int] = field(default_factory=list)

    def ports(self) -> list[str]:
        """Return the ports of the new scanners."""
        return [new.port for new in self.hotplug.new_scanners]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run until the block ends."""
        self.hotplug = Hotplug(self.ears, lambda: self.told.append(1), self.root)  # type: ignore[arg-type]
        task = asyncio.create_task(self.hotplug.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


def cause_event() -> None:
    """Have the kernel tell everybody about a device."""
    try:
        UEVENT.write_text("change")
    except OSError as error:
        pytest.skip(f"this machine does not let us cause a kernel event: {error}")


async def until(condition: Callable[[], object]) -> None:
    """Return once it is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_new_scanners_come_and_go_without_kernel_events(tmp_path: Path) -> None:
    """In a container that hears nothing, the names under /sys are enough; each change is told."""
    machine = Machine(tmp_path / "m")
    known = Ear(Scanner(name="a", port="usb:05e0:1701:KNOWN"))
    watch = Watch(machine.root, [known])
    async with watch.running():
        await until(lambda: known.looks >= 4)
        before = known.looks
        new = machine.usb("1-1", serial="NEW-7")
        machine.serial("ttyACM0", new)
        machine.serial("ttyACM1", machine.usb("1-2", serial="KNOWN"))
        await until(lambda: watch.ports() == ["usb:05e0:1701:NEW-7"])
        # Again and again, because udev gives the device file to its group a little later.
        await until(lambda: known.looks >= before + 4)
        machine.unplug(new)
        await until(lambda: watch.ports() == [])
        assert len(watch.told) >= 2


async def test_a_kernel_event_makes_lost_readers_look(tmp_path: Path) -> None:
    """The real socket: who has its device is left alone, and who is on the network too."""
    machine = Machine(tmp_path / "m")
    lost, fine = (Ear(Scanner(name=n, port="usb:05e0:1701:X"), online=n == "b") for n in "ab")
    camera = Ear(Scanner(name="c", source="tcp", port="tcp://10.0.0.9:9004"))
    watch = Watch(machine.root, [lost, fine, camera])
    async with watch.running():
        await until(lambda: lost.looks >= 4)  # those of the start are over
        cause_event()
        await until(lambda: lost.looks >= 8)
    assert (fine.looks, camera.looks) == (0, 0)


async def test_another_configuration_is_looked_at_again(tmp_path: Path) -> None:
    """What was adopted is new no longer, without anything being plugged."""
    machine = Machine(tmp_path / "m")
    machine.serial("ttyACM0", machine.usb("1-1", serial="NEW-7"))
    watch = Watch(machine.root, [])
    async with watch.running():
        await until(watch.ports)
        watch.ears.append(Ear(Scanner(name="a", port="usb:05e0:1701:NEW-7")))
        watch.hotplug.look_again()
        await until(lambda: not watch.ports())


@pytest.mark.parametrize(
    ("event", "about"),
    [
        (b"add@/devices/x/tty/ttyUSB0\0ACTION=add\0SUBSYSTEM=tty\0DEVNAME=ttyUSB0\0", True),
        (b"remove@/devices/x/input/input7\0ACTION=remove\0SUBSYSTEM=input\0", True),
        (b"bind@/devices/x/1-1:1.0\0ACTION=bind\0SUBSYSTEM=usb\0", True),
        (b"add@/devices/x\0ACTION=add\0SUBSYSTEM=block\0", False),
        (b"move@/devices/x\0ACTION=move\0SUBSYSTEM=tty\0", False),
        (b"libudev\0\xfe\xed\xca\xfe", False),
        (b"", False),
    ],
)
def test_events_about_scanners(event: bytes, about: bool) -> None:
    """Only what may bring or take a scanner wakes anybody."""
    assert is_about_scanners(event) is about
