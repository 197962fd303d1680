"""Where the goods of a scan come from and go to, by what is being done. Pure."""

from collections.abc import Callable

from gateway.config import ScanKind
from gateway.station_state import State

#: (location, to_location) of an item scan, or what the operator has to do first.
Places = tuple[str | None, str | None] | str
_FIRST = "scan the location first"


def of(kind: ScanKind, state: State, dock: str) -> Places:
    """Return the places of a scan of this kind at a scanner whose own place is `dock`."""
    return _PLACES[kind](state, dock)


def _sticky(state: State, dock: str) -> Places:
    return state.location or dock, None


def _counted(state: State, _dock: str) -> Places:
    return (state.location, None) if state.location else _FIRST


def _picked(state: State, dock: str) -> Places:
    return (state.location, dock) if state.location else _FIRST


def _put_away(state: State, dock: str) -> Places:
    return (dock, state.location) if state.location else _FIRST


def _moved(state: State, _dock: str) -> Places:
    if state.location is None:
        return "scan the location to move from first"
    if state.to_location is None:
        return "scan the location to move to first"
    return state.location, state.to_location


_PLACES: dict[ScanKind, Callable[[State, str], Places]] = {
    "receive": _sticky,
    "ship": _sticky,
    "return": _sticky,
    "damage": _sticky,
    "count": _counted,
    "pick": _picked,
    "putaway": _put_away,
    "move": _moved,
}
