"""What every simulated scanner can do, whatever cable it hangs on."""

from typing import Literal, Protocol

#: What a scanner can be told: the three answers to a scan, and "central rejected an earlier one".
Signal = Literal["good", "offline", "refused", "rejected"]

#: The bytes that our scanners turn into beeps; a gateway's configuration names the same.
SIGNALS: dict[int, Signal] = {0x06: "good", 0x11: "offline", 0x15: "refused", 0x12: "rejected"}


class Device(Protocol):
    """A scanner in somebody's hand. `line` counts how often the connection began anew.

    Answers can only belong to scans of the same connection; what was sent before is gone.
    """

    @property
    def line(self) -> int:
        """The number of the present connection."""
        ...

    async def connected(self) -> None:
        """Return once somebody listens at the other end."""
        ...

    async def press(self, data: bytes) -> None:
        """Send bytes now; raise Unavailable when nobody listens."""
        ...

    async def hear(self) -> tuple[int, Signal]:
        """Wait for the next signal and return it with the connection it came by."""
        ...

    def unplug(self) -> None:
        """Pull the plug: the port disappears."""
        ...

    def plug(self) -> None:
        """Put the plug in again: the port is back under its stable name."""
        ...
