"""From MQTT to the board: decode, apply, in the call that hears the message.

Deliberately not one queued message per MQTT message: that costs five times as long for 100,000
retained items, and nothing here ever waits.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from monitor.board import Board
from monitor.config import Config
from wire import codec
from wire.errors import Malformed
from wire.events import Activity, Alert, Availability, CentralState, GatewayState, Signal
from wire.link import Link, Message
from wire.topics import DELIVERY, Address, Channel, Topics

#: Availability comes last: 100,000 retained items must not keep alerts and docks waiting.
_CHANNELS: tuple[Channel, ...] = (
    "central", "state", "alert", "activity", "signals", "availability",
)  # fmt: skip
#: What a channel is called in a JSON line, where it is not by its own name.
_CALLED = {"state": "gateway", "signals": "signal"}

#: Hears (type, fields) of each change.
Listener = Callable[[str, dict[str, Any]], None]


class Feed:
    """Keeps a board true to what the broker says. `run` it; nobody else writes to the board."""

    def __init__(self, config: Config, board: Board, listener: Listener | None = None) -> None:
        self._board = board
        self._site = config.site
        self._topics = Topics(config.topic_root)
        self._listener = listener
        self._link = Link(
            config.broker,
            f"docktally-monitor-{os.urandom(6).hex()}",
            self.hear,
            [
                (self._topics.every(channel, config.site), DELIVERY[channel].qos)
                for channel in _CHANNELS
            ],
            on_state=self._on_state,
        )

    async def run(self) -> None:
        """Connect and stay connected, until cancelled."""
        await self._link.run()

    def hear(self, message: Message) -> None:
        """Apply one message; what cannot be understood is counted and shown."""
        now = time.time()
        try:
            address = self._topics.parse(message.topic)
            news, fields = self._apply(address, message, now)
        except Malformed as error:
            self._board.apply_malformed(f"{message.topic}: {error}", now)
            self._tell("malformed", {"topic": message.topic, "reason": str(error)})
            return
        if news:
            kind = _CALLED.get(address.channel, address.channel)
            self._tell(kind, {**fields, "retained": message.retain})

    def _apply(self, address: Address, message: Message, now: float) -> tuple[bool, dict[str, Any]]:
        board, payload, site, name = self._board, message.payload, address.site, address.name
        match address.channel:
            case "availability" if not payload:
                return board.remove_item(site, name), {"site": site, "sku": name, "closed": True}
            case "availability":
                item = codec.decode(Availability, payload)
                _check((item.site, item.sku), (site, name))
                news = board.apply_availability(item, now, retained=message.retain)
                return news, self._fields(item)
            case "state":
                state = codec.decode(GatewayState, payload) if payload else None
                news = board.apply_gateway(site, name, state, now, retained=message.retain)
                return news, {"site": site, "gateway": name, **self._fields(state)}
            case "central":
                central = codec.decode(CentralState, payload)
                news = board.apply_central(central, now, retained=message.retain)
                return news, self._fields(central)
            case "activity":
                line = codec.decode(Activity, payload)
                return board.apply_activity(site, line, now), {"site": site, **self._fields(line)}
            case "signals":
                signal = codec.decode(Signal, payload)
                news = board.apply_signal(site, name, signal, now)
                return news, {"site": site, "gateway": name, **self._fields(signal)}
            case "alert":
                alert = codec.decode(Alert, payload) if payload else None
                if alert is not None:
                    _check((alert.id,), (name,))
                    if self._site and alert.site not in (None, self._site):
                        return False, {}  # alert topics carry no site to subscribe by
                return board.apply_alert(name, alert, now), {"id": name, **self._fields(alert)}
            case _:
                raise Malformed(f"not something a monitor listens to: {address.channel}")

    def _fields(self, model: BaseModel | None) -> dict[str, Any]:
        if self._listener is None:
            return {}
        return {"closed": True} if model is None else model.model_dump(mode="json")

    def _on_state(self, up: bool, reason: str) -> None:  # noqa: FBT001
        if self._board.apply_link(up, reason, time.time()):
            self._tell("link", {"up": up, "reason": reason})

    def _tell(self, kind: str, fields: dict[str, Any]) -> None:
        if self._listener is not None:
            self._listener(kind, fields)


def _check(said: tuple[str, ...], addressed: tuple[str, ...]) -> None:
    if said != addressed:
        raise Malformed(f"the payload is about {' '.join(said)}, its topic about another")
