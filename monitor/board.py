"""Everything the screen knows: stock, docks, alerts, live scans, and how far it can be trusted.

Pure: no clock, no network, no drawing. Link state, central's state and the age of the data are
three facts. A link generation begins with each connect; what was heard in an older one is kept and
shown, but never as live.
"""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar

from monitor.order_book import OrderBook
from monitor.rate import Rate
from monitor.stock import Stock
from wire.events import (
    Ack,
    Activity,
    Alert,
    Availability,
    CentralState,
    GatewayState,
    Signal,
)

#: Lines of the live feed kept in memory.
ACTIVITY_MAX = 500
#: After a connect, and once central is there, retained alerts are back within this time; one that
#: is not was closed while we could not hear.
SETTLE_S = 10.0
#: Stored rows that come more than this apart are not a load any more.
LOADING_QUIET_S = 1.0
#: A load of fewer rows is over before anybody reads about it.
_LOADING_ROWS_MIN = 2_000

#: live: stock is what central says now. stored: the broker's copy, central not heard yet.
#: stopped: central is offline. lost: no broker.
Trust = Literal["live", "stored", "stopped", "lost"]
State = TypeVar("State", GatewayState, Alert, CentralState)
_URGENCY = {"critical": 0, "warning": 1, "info": 2}


@dataclass(slots=True)
class Heard(Generic[State]):
    """A retained state, when it was heard last, and in which link generation.

    `since` is when it came online or went offline, None unless we were listening as it did.
    """

    state: State
    site: str
    name: str
    at: float
    since: float | None
    generation: int


@dataclass(frozen=True, slots=True)
class LinkState:
    """Whether the broker is connected, in whose words, and since when."""

    up: bool
    reason: str
    since: float


@dataclass(slots=True)
class Load:
    """Stored rows that came since the last connect, from central or the broker."""

    source: Literal["central", "broker"]
    rows: int
    at: float


@dataclass(frozen=True, slots=True)
class Scan:
    """One line of the live feed and the site it came from."""

    site: str
    line: Activity


class Board:
    """What is known at this moment. Every `apply_...` returns whether it was news."""

    def __init__(self, low_limit: int, now: float) -> None:
        self.stock = Stock(low_limit, now)
        self.gateways: dict[tuple[str, str], Heard[GatewayState]] = {}
        self.alerts: dict[str, Heard[Alert]] = {}
        self.unseen_alerts: set[str] = set()
        #: True when somebody should hear that an alert opened.
        self.bell_due = False
        self.orders = OrderBook()
        #: Central's last word to a gateway, of those that are being looked at.
        self.acks: dict[tuple[str, str], Ack] = {}
        self.scans: deque[Scan] = deque(maxlen=ACTIVITY_MAX)
        self.scans_heard = 0
        self.link = LinkState(up=False, reason="connecting", since=now)
        self.central: Heard[CentralState] | None = None
        self.generation = 0
        self.changes = Rate()
        self.malformed = 0
        self.malformed_reason = ""
        self.malformed_at = 0.0
        #: The latest moment central is known to have spoken for; None before the first word.
        self.data_at: float | None = None
        self._load = Load("broker", 0, now)

    @property
    def trust(self) -> Trust:
        """How far the stock on the screen can be trusted now."""
        if not self.link.up:
            return "lost"
        if self.central is None or not self.central_is_heard:
            return "stored"
        return "live" if self.central.state.online else "stopped"

    @property
    def central_is_heard(self) -> bool:
        """True when central's state was heard since the last connect."""
        return self.central is not None and self.central.generation == self.generation

    def row_is_live(self, row: int) -> bool:
        """Return whether a stock row is what central says now."""
        return self.trust == "live" and self.stock.generation[row] == self.generation

    def data_age(self, now: float) -> float | None:
        """Return the seconds since central's last word, None when there was none."""
        return None if self.data_at is None else max(0.0, now - self.data_at)

    def apply_link(self, up: bool, reason: str, now: float) -> bool:  # noqa: FBT001
        """Take the link's own word; a connect begins a new generation."""
        if up:
            self.generation += 1
            self._load = Load("broker", 0, now)
        if up == self.link.up and reason == self.link.reason:
            return False
        since = now if up != self.link.up else self.link.since
        self.link = LinkState(up=up, reason=reason, since=since)
        return True

    def apply_availability(self, item: Availability, now: float, *, retained: bool) -> bool:
        """Take an availability; what the broker stored dates the data, but not as of now."""
        self._date(min(now, item.as_of.timestamp()) if retained else now)
        if retained:
            self._load.rows += 1
            self._load.at = now
        applied = self.stock.apply(item, now, self.generation)
        if applied and not retained:
            self.changes.count(now)
        return applied

    def load_from_central(self, rows: list[Availability], now: float) -> None:
        """Take a page of the stock as central has it at this moment."""
        if self._load.source == "broker":
            self._load = Load("central", 0, now)
        self._load.rows += len(rows)
        self._load.at = now
        self._date(now)
        for item in rows:
            self.stock.apply(item, now, self.generation)

    def loading(self, now: float) -> Load | None:
        """Return how far a large load is; None when none is going on."""
        load = self._load
        is_on = load.rows >= _LOADING_ROWS_MIN and now - load.at < LOADING_QUIET_S
        return load if is_on else None

    def remove_item(self, site: str, sku: str) -> bool:
        """Take an item away whose topic was cleared."""
        return self.stock.remove(site, sku)

    def apply_central(self, state: CentralState, now: float, *, retained: bool) -> bool:
        """Take central's state; the last word of a dead session does not stop a new one."""
        known = self.central
        if (
            not state.online
            and known is not None
            and known.generation == self.generation
            and known.state.online
            and known.state.session != state.session
        ):
            return False
        if not retained and state.online:
            self._date(now)
        stays = known is not None and known.state.online == state.online
        since = known.since if known and stays else None if retained else now
        self.central = Heard(state, "", "", now, since, self.generation)
        return known is None or known.state != state

    def apply_gateway(
        self, site: str, name: str, state: GatewayState | None, now: float, *, retained: bool
    ) -> bool:
        """Take a gateway's state, None when it was taken away; an old session cannot end a new."""
        key = (site, name)
        if state is None:
            return self.gateways.pop(key, None) is not None
        known = self.gateways.get(key)
        if (
            not state.online
            and known is not None
            and known.generation == self.generation
            and known.state.online
            and known.state.session != state.session
        ):
            return False
        if known is not None and not state.online and state.session == known.state.session:
            # A Will was written at connect; what the gateway said later is nearer to the truth.
            state = known.state.model_copy(update={"online": False})
        stays = known is not None and known.state.online == state.online
        since = known.since if known and stays else None if retained else now
        self.gateways[key] = Heard(state, site, name, now, since, self.generation)
        return known is None or known.state != state

    def apply_activity(self, site: str, line: Activity, now: float) -> bool:
        """Take a line of the live feed."""
        self._date(now)
        self.scans.append(Scan(site, line))
        self.scans_heard += 1
        return True

    def apply_signal(self, site: str, gateway: str, signal: Signal, now: float) -> bool:
        """Take what a person was told; only bad news is a line: good scans have one of central.

        Its time is when we heard it: the dock's clock may be wrong.
        """
        if signal.pattern in ("refused", "rejected"):
            line = Activity(
                at=datetime.fromtimestamp(now, UTC),
                outcome="refused",
                kind=signal.pattern,
                gateway=gateway,
                scanner=signal.scanner,
                text=signal.text,
            )
            self.scans.append(Scan(site, line))
            self.scans_heard += 1
        return True

    def apply_alert(
        self, alert_id: str, alert: Alert | None, now: float, *, retained: bool = False
    ) -> bool:
        """Take an alert, None when it was closed.

        The bell is due once for each alert that opened while the screen was there, also for those
        that opened while the link was down.
        """
        if alert is None:
            self.unseen_alerts.discard(alert_id)
            return self.alerts.pop(alert_id, None) is not None
        known = self.alerts.get(alert_id)
        if known is None and alert.acknowledged_by is None:
            self.unseen_alerts.add(alert_id)
            self.bell_due = self.bell_due or not retained or self.generation > 1
        self.alerts[alert_id] = Heard(alert, alert.site or "", alert_id, now, None, self.generation)
        return known is None or known.state != alert

    def apply_ack(self, site: str, name: str, ack: Ack | None) -> bool:
        """Take central's word to a gateway, None when it was cleared."""
        if ack is None:
            return self.acks.pop((site, name), None) is not None
        before = self.acks.get((site, name))
        self.acks[site, name] = ack
        return before != ack

    def take_bell(self) -> bool:
        """Return whether the bell is due, and that it was rung."""
        due, self.bell_due = self.bell_due, False
        return due

    def apply_malformed(self, reason: str, now: float) -> None:
        """Count a message nobody can understand."""
        self.malformed += 1
        self.malformed_at = now
        self.malformed_reason = reason

    def settle(self, now: float) -> None:
        """Drop alerts that were closed while the link was down."""
        central = self.central
        if self.trust != "live" or central is None:
            return
        if now - max(self.link.since, central.since or 0.0) < SETTLE_S:
            return
        for alert_id, alert in list(self.alerts.items()):
            if alert.generation != self.generation:
                self.apply_alert(alert_id, None, now)

    def is_confirmed(self, alert: Heard[Alert]) -> bool:
        """Return whether an alert was heard since the last connect; another may be over."""
        return self.link.up and alert.generation == self.generation

    def urgency(self, alert: Heard[Alert]) -> tuple[bool, int, float, str]:
        """Return what alerts are sorted by: nobody takes care of it, severity, youth."""
        state = alert.state
        taken = state.acknowledged_by is not None
        return taken, _URGENCY[state.severity], -state.opened.timestamp(), alert.name

    def alerts_by_urgency(self) -> list[Heard[Alert]]:
        """Return the open alerts, the most urgent first."""
        return sorted(self.alerts.values(), key=self.urgency)

    def scans_of(self, site: str, sku: str, limit: int) -> list[Scan]:
        """Return the latest lines about an item, the youngest first."""
        found = []
        for scan in reversed(self.scans):
            if scan.line.sku == sku and scan.site == site:
                found.append(scan)
                if len(found) == limit:
                    break
        return found

    def _date(self, at: float) -> None:
        self.data_at = at if self.data_at is None else max(self.data_at, at)
