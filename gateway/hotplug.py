"""Notices what is plugged in: waits for the kernel's events, and looks once a second besides.

The kernel tells every program on a netlink socket that a device came or went. In a container the
socket may be refused, or stay silent; so the names under /sys are compared once a second too.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway import devices, sysfs
from gateway.config import Scanner
from gateway.reader import Reader
from wire.events import NewScanner

log = logging.getLogger(__name__)

_KOBJECT_UEVENT, _KERNEL_GROUP = 15, 1  # linux/netlink.h; group 2 is udev's own
_POLL_S = 1.0
#: udev gives a new device file to its group a moment after the kernel made it.
_LOOKS_S = (0.0, 0.1, 0.3, 1.0)
#: The kernel's own limit is 2,048 bytes of variables and a path.
_EVENT_BYTES_MAX = 8 * 1024
_EVENTS_PER_TURN = 64
_ACTIONS = {b"add", b"remove", b"change", b"bind"}
_SUBSYSTEMS = {b"tty", b"input", b"hidraw", b"usb"}


class Hotplug:
    """Has readers without a device look again, and lists the scanners that nobody configured.

    `changed` hears that `new_scanners` is another.
    """

    def __init__(
        self, readers: Iterable[Reader], changed: Callable[[], None], root: Path = sysfs.ROOT
    ) -> None:
        self._readers, self._changed, self._root = readers, changed, root
        self._wake = asyncio.Event()
        self.new_scanners: tuple[NewScanner, ...] = ()

    def look_again(self) -> None:
        """Something is different: a device, or the configuration."""
        self._wake.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        with _kernel_events(self.look_again):
            loop = asyncio.get_running_loop()
            names: frozenset[tuple[str, int]] | None = None
            looks: list[float] = []
            while True:
                fresh = sysfs.names(self._root)
                if self._wake.is_set() or fresh != names:
                    self._wake.clear()
                    names = fresh
                    looks = [loop.time() + after_s for after_s in _LOOKS_S]
                if looks and loop.time() >= looks[0]:
                    looks.pop(0)
                    await self._look()
                wait_s = min(_POLL_S, looks[0] - loop.time()) if looks else _POLL_S
                await _wait(self._wake, wait_s)

    async def _look(self) -> None:
        for reader in self._readers:
            if reader.settings.source != "tcp" and not reader.state().online:
                reader.look()
        scanners = [reader.settings for reader in self._readers]
        new_scanners = await asyncio.to_thread(_unnamed, self._root, scanners)
        if new_scanners != self.new_scanners:
            for new in set(new_scanners) - set(self.new_scanners):
                log.info("new %s scanner %s: %s", new.source, new.product, new.port)
            self.new_scanners = new_scanners
            self._changed()


def _unnamed(root: Path, scanners: Sequence[Scanner]) -> tuple[NewScanner, ...]:
    return devices.new_scanners(sysfs.devices(root), scanners)


def is_about_scanners(event: bytes) -> bool:
    """Return whether a kernel event tells that something a scanner may be came, went or changed.

    An event is `ACTION@path`, then `KEY=value`, each ended by NUL.
    """
    head, *fields = event.split(b"\0")
    return head.partition(b"@")[0] in _ACTIONS and any(
        b"SUBSYSTEM=" + name in fields for name in _SUBSYSTEMS
    )


@contextmanager
def _kernel_events(heard: Callable[[], None]) -> Iterator[None]:
    """Call `heard` for each event about scanners; for none where the system refuses them."""
    loop = asyncio.get_running_loop()
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    with contextlib.ExitStack() as stack:
        try:
            listening = stack.enter_context(socket.socket(socket.AF_NETLINK, kind, _KOBJECT_UEVENT))
            listening.bind((0, _KERNEL_GROUP))
        except OSError as error:
            log.info("no kernel events (%s); looking for devices once a second", error.strerror)
        else:
            loop.add_reader(listening, _read, listening, heard)
            stack.callback(loop.remove_reader, listening)
        yield


def _read(listening: socket.socket, heard: Callable[[], None]) -> None:
    for _ in range(_EVENTS_PER_TURN):
        try:
            event = listening.recv(_EVENT_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:  # ENOBUFS: too many at once, some of them about scanners
            heard()
            return
        if is_about_scanners(event):
            heard()


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
