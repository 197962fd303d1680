"""What promises must answer, in dicts: it knows nothing of SQL, and predicts each reply.

One item at one site, one channel. Time moves only when told to.
"""

import random
from dataclasses import dataclass, field

TTL_S = 100


@dataclass
class Promise:
    """One reservation: eaches, how many are shipped, its state, and when its hold is over."""

    quantity: int
    state: str
    until_s: int
    done: int = 0

    @property
    def left(self) -> int:
        """What it keeps from others."""
        return self.quantity - self.done if self.state in {"held", "committed"} else 0


@dataclass
class Model:
    """The shop as it should be."""

    on_hand: int = 0
    now_s: int = 0
    promises: dict[str, Promise] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def reserved(self) -> int:
        """Eaches promised and not shipped."""
        return sum(each.left for each in self.promises.values())

    def reserve(self, key: str, quantity: int) -> int:
        """Return the HTTP status."""
        if key in self.asked:
            known = self.promises.get(key)
            return 422 if self.asked[key] != quantity else 409 if known is None else 201
        self.asked[key] = quantity
        if self.on_hand - self.reserved < quantity:
            self.expire()
        if self.on_hand - self.reserved < quantity:
            return 409
        self.promises[key] = Promise(quantity, "held", self.now_s + TTL_S)
        return 201

    def expire(self) -> None:
        """Give back what is over."""
        for each in self.promises.values():
            if each.state == "held" and each.until_s < self.now_s:
                each.state = "expired"

    def turn(self, key: str, action: str) -> int:
        """Commit, release or ship all that is left; return the status."""
        each = self.promises[key]
        if action == "ship":
            if each.state == "done":
                return 200
            if each.state not in {"held", "committed"}:
                return 409
            self.on_hand -= each.left
            each.done, each.state = each.quantity, "done"
            return 200
        starts, end = {"commit": ({"held"}, "committed"),
                       "release": ({"held", "committed"}, "released")}[action]  # fmt: skip
        if each.state in starts:
            each.state = end
        return 200 if each.state == end else 409

    def extend(self, key: str) -> int:
        """Keep a hold longer; return the status."""
        each = self.promises[key]
        if each.state != "held":
            return 409
        each.until_s = self.now_s + TTL_S
        return 200

    def ship_part(self, key: str, quantity: int) -> int:
        """Ship some of it; return the status."""
        each = self.promises[key]
        if each.state not in {"held", "committed"} or quantity > each.left:
            return 409
        each.done += quantity
        each.state = "done" if each.done == each.quantity else "committed"
        self.on_hand -= quantity
        return 200


def steps(rng: random.Random, number: int) -> list[tuple[str, str, int]]:
    """Return what happens: what, under which key, and how many eaches; goods come first."""
    found = [("receive", "", 6)]
    keys: list[str] = []
    for _ in range(number):
        kind = rng.choice(("reserve",) * 4 + ("commit", "release", "ship", "part", "part", "extend",
                           "receive", "damage", "wait", "wait", "expire"))  # fmt: skip
        if kind == "reserve" and (not keys or rng.randrange(6)):
            keys.append(f"k{len(keys)}")  # else a key comes again, with the same or another content
            found.append((kind, keys[-1], rng.randint(1, 4)))
        else:
            recent = keys[-8:]
            found.append((kind, rng.choice(recent) if recent else "", rng.randint(1, 4)))
    return found
