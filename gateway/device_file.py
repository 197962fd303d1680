"""What drivers of device files share: waiting for bytes, and being stopped at once."""

import os
import select
from typing import Any

from gateway.port import ThreadPort


class DeviceFilePort(ThreadPort):
    """A port on a character device that poll() understands."""

    async def run(self) -> None:
        """Keep the device open until cancelled."""
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            await super().run()
        finally:
            os.close(self._wake)

    def _ready(self, device: int, timeout_s: float | None = None) -> bool:
        """Return True once there is something to read, False after the time or at the stop."""
        poll = select.poll()
        poll.register(device, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        found = poll.poll(None if timeout_s is None else timeout_s * 1_000)
        return any(descriptor == device for descriptor, _ in found)

    def _interrupt(self, device: Any) -> None:
        del device
        os.eventfd_write(self._wake, 1)
