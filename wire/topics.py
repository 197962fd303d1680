"""Every topic is built and taken apart here and nowhere else, with QoS and retain beside it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from wire.errors import Malformed
from wire.ids import name_of, segment

DEFAULT_ROOT = "docktally/v1"
#: What may stand before every topic: levels without wildcards, none of them empty or the broker's.
Root = Annotated[str, Field(pattern=r"^[^/+#$][^/+#]*(/[^/+#]+)*$", max_length=200)]
#: First levels with a meaning of their own; a site may not have these names.
RESERVED_SITES = frozenset({"central", "alerts"})
#: Second level with a meaning of its own; a gateway may not have this name.
RESERVED_GATEWAYS = frozenset({"availability", "activity"})

Channel = Literal[
    "events", "ack", "state", "commands", "signals", "central", "availability", "activity", "alert"
]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a message travels."""

    qos: int
    retain: bool


DELIVERY: dict[Channel, Delivery] = {
    "events": Delivery(qos=1, retain=False),
    "ack": Delivery(qos=1, retain=True),
    "state": Delivery(qos=1, retain=True),
    "commands": Delivery(qos=1, retain=False),
    "signals": Delivery(qos=0, retain=False),
    "central": Delivery(qos=1, retain=True),
    "availability": Delivery(qos=1, retain=True),
    "activity": Delivery(qos=0, retain=False),
    "alert": Delivery(qos=1, retain=True),
}


@dataclass(frozen=True, slots=True)
class Address:
    """A topic taken apart. `name` is the gateway, the SKU or the alert id, as the channel says."""

    channel: Channel
    site: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics under one root."""

    root: str = DEFAULT_ROOT

    def events(self, site: str, gateway: str) -> str:
        """Return where a gateway publishes its batches."""
        return self._of_gateway(site, gateway, "events")

    def ack(self, site: str, gateway: str) -> str:
        """Return where central acknowledges a gateway's events."""
        return self._of_gateway(site, gateway, "ack")

    def state(self, site: str, gateway: str) -> str:
        """Return where a gateway keeps its retained state."""
        return self._of_gateway(site, gateway, "state")

    def commands(self, site: str, gateway: str) -> str:
        """Return where a gateway listens for commands."""
        return self._of_gateway(site, gateway, "commands")

    def signals(self, site: str, gateway: str) -> str:
        """Return where a gateway says what it signalled at its scanners."""
        return self._of_gateway(site, gateway, "signals")

    def central(self) -> str:
        """Return where central keeps its retained state."""
        return f"{self.root}/central/state"

    def availability(self, site: str, sku: str) -> str:
        """Return where the retained availability of one item at one site lives."""
        return f"{self.root}/{segment(site)}/availability/{segment(sku)}"

    def activity(self, site: str) -> str:
        """Return the live feed of a site."""
        return f"{self.root}/{segment(site)}/activity"

    def alert(self, alert_id: str) -> str:
        """Return where one open alert is retained."""
        return f"{self.root}/alerts/{segment(alert_id)}"

    def every(self, channel: Channel, site: str | None = None) -> str:
        """Return the subscription filter for a channel, of one site or of all."""
        level = "+" if site is None else segment(site)
        match channel:
            case "central":
                return self.central()
            case "alert":
                return f"{self.root}/alerts/+"
            case "activity":
                return f"{self.root}/{level}/activity"
            case "availability":
                return f"{self.root}/{level}/availability/+"
            case _:
                return f"{self.root}/{level}/+/{channel}"

    def parse(self, topic: str) -> Address:
        """Return what a topic addresses; raise Malformed when it is none of ours."""
        prefix = self.root + "/"
        levels = topic[len(prefix) :].split("/") if topic.startswith(prefix) else []
        match levels:
            case ["central", "state"]:
                return Address("central")
            case ["alerts", alert_id]:
                return Address("alert", name=name_of(alert_id))
            case [site, "activity"]:
                return Address("activity", name_of(site))
            case [site, "availability", sku]:
                return Address("availability", name_of(site), name_of(sku))
            case [site, gateway, ("events" | "ack" | "state" | "commands" | "signals") as channel]:
                return Address(channel, name_of(site), name_of(gateway))
            case _:
                raise Malformed(f"{topic!r} is not a topic of {self.root}")

    def _of_gateway(self, site: str, gateway: str, channel: Channel) -> str:
        return f"{self.root}/{segment(site)}/{segment(gateway)}/{channel}"
