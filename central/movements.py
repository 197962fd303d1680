"""What came, left and was corrected in one transaction, told together: not one message a scan.

A message has the movements of one kind at one site, alike ones summed up. Moves inside a house are
none of these: what they change is told as availability.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from json.encoder import encode_basestring as quoted

from sqlalchemy import Connection

from central.alerts import Announcement
from central.catalogue import Catalogue
from central.names import moment
from central.rules import Outside

#: Lines in one message: receivers of webhooks expect less than 20 kB.
LINES_MAX = 100

#: Kind, place in the house, item, lot, reason, reference, reservation.
Line = tuple[str, int, int, str, str, str | None, int | None]


@dataclass
class Movements:
    """The movements of one transaction that cross the border of the house."""

    connection: Connection
    catalogue: Catalogue
    _outside: dict[int, Outside] = field(default_factory=dict)
    _pending: dict[Line, int] = field(default_factory=dict)
    _kept: dict[Line, int] = field(default_factory=dict)

    def add(
        self, ends: tuple[int, int], item: int, lot: str, qty: int, reason: str, ref: str | None,
        res: int | None, *, is_undo: bool,
    ) -> None:  # fmt: skip
        """Note an entry. What takes one back counts against its kind, below zero."""
        if not self._outside:
            self._outside = {self.catalogue.place(self.connection, 0, o): o for o in Outside}
        origin, target = ends
        came, went = self._outside.get(origin), self._outside.get(target)
        outside = came or went
        if outside is None or (came and went):
            return  # inside the house, or nowhere in it
        place = target if came else origin
        if outside is Outside.CUSTOMER:
            kind = "return" if bool(came) is not is_undo else "shipment"
            qty = -qty if is_undo else qty
        else:
            kind = "receipt" if outside is Outside.SUPPLIER else "adjustment"
            qty = qty if came else -qty
        line = (kind, place, item, lot, reason, ref, res)
        self._pending[line] = self._pending.get(line, 0) + qty

    def keep(self) -> None:
        """All so far is written, so a savepoint that fails later does not take it back."""
        for line, qty in self._pending.items():
            self._kept[line] = self._kept.get(line, 0) + qty
        self._pending.clear()

    def abandon(self) -> None:
        """Forget what came since `keep`."""
        self._pending.clear()

    def told(self, now_us: int) -> Iterator[Announcement]:
        """Yield what to tell about all that was kept; called once, before the commit."""
        if not self._kept:
            return
        names = self.catalogue.names
        skus = names.skus(self.connection, (line[2] for line in self._kept))
        places = names.places(self.connection, (line[1] for line in self._kept))
        groups: dict[tuple[str, str], list[str]] = {}
        for (kind, place, item, lot, reason, ref, res), qty in self._kept.items():
            site, code = places[place]
            # Put together by hand: there is one for each item of each message of scans.
            said = f'{{"sku":{quoted(skus[item])},"quantity":{qty},"location":{quoted(code)}'
            if lot:
                said += f',"lot":{quoted(lot)}'
            said += f',"reason":{quoted(reason)}'
            if ref is not None:
                said += f',"ref":{quoted(ref)}'
            if res is not None:
                said += f',"reservation":{res}'
            if qty:
                groups.setdefault((site or "", kind), []).append(said + "}")
        at = moment(now_us)
        for (site, kind), lines in groups.items():
            for start in range(0, len(lines), LINES_MAX):
                part = ",".join(lines[start : start + LINES_MAX])
                body = f'{{"kind":"{kind}","site":{quoted(site)},"as_of":{at},"lines":[{part}]}}'
                yield Announcement("movement", (site, kind, str(start)), body.encode())
