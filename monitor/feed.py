"""From MQTT to the board: decode, apply, in the call that hears the message.

Deliberately not one queued message per MQTT message: that costs five times as long for 100,000
retained items, and nothing here ever waits.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from monitor import snapshot
from monitor.board import Board
from monitor.central_api import CentralApi
from monitor.config import Config
from monitor.recording import Recorder
from wire import codec
from wire.errors import Malformed
from wire.events import (
    Ack,
    Activity,
    Alert,
    Availability,
    CentralState,
    Command,
    GatewayState,
    Signal,
)
from wire.link import Link, Message
from wire.topics import DELIVERY, Address, Channel, Topics

#: Availability is asked for last: 100,000 items must not keep alerts and docks waiting.
_CHANNELS: tuple[Channel, ...] = ("central", "state", "alert", "activity", "signals")
#: Central sends stock with QoS 1; we hear it with 0. Within a connection TCP loses nothing, after
#: one all is loaded anew, and acknowledging 100,000 stored messages takes as long as reading them.
_STOCK_QOS = 0
#: What a channel is called in a JSON line, where it is not by its own name.
_CALLED = {"state": "gateway", "signals": "signal"}

#: Hears (type, fields) of each change.
Listener = Callable[[str, dict[str, Any]], None]


class Feed:
    """Keeps a board true to what the broker says. `run` it; nobody else writes to the board.

    With `api`, the first stock after a connect comes from central when that answers.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        listener: Listener | None = None,
        *,
        api: CentralApi | None = None,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._site = config.site
        self._topics = Topics(config.topic_root)
        self._listener = listener
        self._api, self._recorder, self._clock = api, recorder, clock
        self._link = Link(
            config.broker,
            f"docktally-monitor-{os.urandom(6).hex()}",
            self.hear,
            [
                (self._topics.every(channel, config.site), DELIVERY[channel].qos)
                for channel in _CHANNELS
            ],
            on_connect=self._load_stock,
            on_state=self.hear_link,
        )

    async def run(self) -> None:
        """Connect and stay connected, until cancelled."""
        await self._link.run()

    async def command(self, site: str, gateway: str, command: Command) -> None:
        """Ask a gateway to do something; Unavailable without a broker. It does not answer."""
        await self._link.publish(self._topics.commands(site, gateway), codec.encode(command))

    async def watch_acks(self, site: str, gateway: str) -> None:
        """Hear what central tells a gateway, until `ignore_acks`; Unavailable without a broker."""
        topic = self._topics.ack(site, gateway)
        await self._link.subscribe(topic, DELIVERY["ack"].qos, stored=True)

    def ignore_acks(self, site: str, gateway: str) -> None:
        """Hear it no longer."""
        self._link.unsubscribe(self._topics.ack(site, gateway))
        self._board.apply_ack(site, gateway, None)

    async def _load_stock(self) -> None:
        topic = self._topics.every("availability", self._site)
        if self._api is not None and self._recorder is None:
            await self._link.subscribe(topic, _STOCK_QOS, stored=False)
            if await snapshot.from_central(self._api, self._board, self._site, self._clock):
                return
        await self._link.subscribe(topic, _STOCK_QOS, stored=True)

    def hear(self, message: Message) -> None:
        """Apply one message; what cannot be understood is counted and shown."""
        now = self._clock()
        if self._recorder is not None:
            self._recorder.message(message, now)
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
                news = board.apply_alert(name, alert, now, retained=message.retain)
                return news, {"id": name, **self._fields(alert)}
            case "ack":
                ack = codec.decode(Ack, payload) if payload else None
                return board.apply_ack(site, name, ack), {"site": site, "gateway": name}
            case _:
                raise Malformed(f"not something a monitor listens to: {address.channel}")

    def _fields(self, model: BaseModel | None) -> dict[str, Any]:
        if self._listener is None:
            return {}
        return {"closed": True} if model is None else model.model_dump(mode="json")

    def hear_link(self, up: bool, reason: str) -> None:  # noqa: FBT001
        """Note that the broker connection came or went."""
        now = self._clock()
        if self._recorder is not None:
            self._recorder.link(up, reason, now)
        if self._board.apply_link(up, reason, now):
            self._tell("link", {"up": up, "reason": reason})

    def _tell(self, kind: str, fields: dict[str, Any]) -> None:
        if self._listener is not None:
            self._listener(kind, fields)


def _check(said: tuple[str, ...], addressed: tuple[str, ...]) -> None:
    if said != addressed:
        raise Malformed(f"the payload is about {' '.join(said)}, its topic about another")
