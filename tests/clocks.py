"""The clocks of a machine that a test may set, for the border of gateway.clock."""

from dataclasses import dataclass

from gateway.clock import Reading

#: 2026-11-23 12:00 UTC, and what a board without a battery believes at its boot.
NOON_US = 1_795_435_200_000_000
BOARD_BIRTH_US = 1_000_000
SECOND_US, HOUR_US = 1_000_000, 3_600_000_000


@dataclass
class Machine:
    """A board that has just booted in the past and knows it."""

    wall_us: int = BOARD_BIRTH_US
    uptime_us: int = 5 * SECOND_US
    synced: bool = False

    def read(self) -> Reading:
        """Return what its clocks say."""
        return Reading(self.wall_us, self.uptime_us, self.synced)

    def wait(self, us: int) -> None:
        """Let time pass."""
        self.wall_us += us
        self.uptime_us += us

    def step(self, us: int, *, synced: bool) -> None:
        """Set the wall clock forward or back."""
        self.wall_us += us
        self.synced = synced
