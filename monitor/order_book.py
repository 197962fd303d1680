"""The open reservations, as central last listed them, and how old that is. Pure."""

from monitor.answers import Reservation, Reservations

#: What a screen keeps; the newest are listed first.
ORDERS_MAX = 2_000


class OrderBook:
    """What is promised. It changes by whole lists, so every list is of one moment."""

    def __init__(self) -> None:
        self.reservations: tuple[Reservation, ...] = ()
        #: When the list was made; None before the first.
        self.at: float | None = None
        #: Why the list is not of now; empty when it is.
        self.problem = ""
        #: True when there are more than ORDERS_MAX.
        self.cut = False
        self.lists = 0

    def take(self, pages: list[Reservations], now: float) -> None:
        """Keep a list that was just made."""
        every = [each for page in pages for each in page.items]
        self.reservations = tuple(every[:ORDERS_MAX])
        self.cut = len(every) > ORDERS_MAX or (bool(pages) and pages[-1].next is not None)
        self.at, self.problem = now, ""
        self.lists += 1

    def fail(self, problem: str) -> None:
        """Note why there is no newer list; what is known stays, growing older."""
        self.problem = problem

    def of(self, site: str, sku: str) -> list[tuple[Reservation, int]]:
        """Return the reservations of an item at a site, and what each still holds of it."""
        found = []
        for each in self.reservations:
            held = sum(line.quantity - line.shipped for line in each.lines if line.sku == sku)
            if each.site == site and held:
                found.append((each, held))
        return found
