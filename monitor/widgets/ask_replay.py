"""Asking a gateway to send its journal again."""

from uuid import UUID

from monitor.board import Heard
from monitor.desk import Desk
from monitor.spans import printable
from monitor.widgets.form import Field, Form
from wire.errors import Unavailable
from wire.events import GatewayState, Replay


class AskReplay(Form):
    """From which number on. Central skips what it has, so nothing is counted twice."""

    def __init__(self, desk: Desk, gateway: Heard[GatewayState]) -> None:
        super().__init__(
            desk,
            f"Send the journal of {printable(gateway.name)} again",
            (Field("from_seq", "from number", "1", "the first scan to send"),),
        )
        self._gateway = gateway

    def opened(self) -> None:
        """Listen for central's last word to the gateway: it names the outbox."""
        self.run_worker(self._listen(), exclusive=True, group="acks")

    def on_unmount(self) -> None:
        """Listen no longer."""
        self.desk.feed.ignore_acks(self._gateway.site, self._gateway.name)

    def problem(self, values: dict[str, str]) -> tuple[str, str] | None:
        """The number must be one that the gateway has."""
        newest = self._gateway.state.last_seq
        number = values["from_seq"]
        if not number.isdigit() or not 1 <= int(number) <= max(1, newest):
            return "from_seq", f"Number: from 1 to {newest:,}, the newest scan on its disk."
        if self._epoch is None:
            return "from_seq", (
                "Central has not said anything to this gateway yet, so its outbox is unknown here."
                " Ask again once it has sent a scan."
            )
        return None

    def summary(self, values: dict[str, str]) -> str:
        """Say what will happen."""
        return (
            f"{self._gateway.name} sends all it still has from number {int(values['from_seq']):,}"
            " on again. Central books only what it lacks."
        )

    async def send(self, values: dict[str, str]) -> tuple[bool, str]:
        """Ask the gateway."""
        site, name, epoch = self._gateway.site, self._gateway.name, self._epoch
        if epoch is None:
            return False, "The outbox of this gateway is not known."
        try:
            await self.desk.feed.command(
                site, name, Replay(epoch=epoch, from_seq=int(values["from_seq"]))
            )
        except Unavailable as error:
            return False, f"{name} was not asked: {error}."
        return True, f"{name} was asked to send again from {values['from_seq']}"

    @property
    def _epoch(self) -> UUID | None:
        ack = self.desk.board.acks.get((self._gateway.site, self._gateway.name))
        return None if ack is None else ack.epoch

    async def _listen(self) -> None:
        try:
            await self.desk.feed.watch_acks(self._gateway.site, self._gateway.name)
        except Unavailable as error:
            self.say(f"{error}.", "bad")
