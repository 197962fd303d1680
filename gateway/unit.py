"""Labels that exist once: a pallet's SSCC, a serial number, a licence plate. Pure.

Scanning the same one again for the same step says nothing new: a person in doubt may.
"""

import json
from dataclasses import dataclass

from gateway.barcode import Barcode
from gateway.decision import DockScan
from gateway.station_state import Moment

#: Longer than any of them may be; what is longer names nothing.
_LENGTH_MAX = 64
#: Keys that are one thing only together with this serial number.
_WITH_SERIAL = (("01", "21"), ("03", "21"), ("8006", "21"), ("8010", "8011"))
#: Asset and document types become single things by the digits behind their check digit.
_TYPES = (("8003", 14), ("253", 13), ("255", 13))


@dataclass(frozen=True, slots=True)
class Unit:
    """What a labelled unit was counted as last; `seq` is None for an event of an older outbox."""

    seq: int | None
    step: str


def name_of(barcode: Barcode) -> str | None:
    """Return the name of the one thing that carries this label; None when there may be many."""
    if barcode.kind not in ("gs1", "gs1_dl", "sscc", "iso15434"):
        return None
    name = _gs1_name(barcode)
    if name is None and (plate := barcode.derived.get("license_plate")):
        name = f"J:{plate}"
    return name if name is not None and len(name) <= _LENGTH_MAX else None


def _gs1_name(barcode: Barcode) -> str | None:
    if barcode.sscc is not None:
        return f"00:{barcode.sscc}"
    ais = dict(barcode.ais)
    if barcode.gtin14 is not None:
        ais.setdefault("01", barcode.gtin14)  # a linear symbol beside its composite component
    for key, serial in _WITH_SERIAL:
        if key in ais and serial in ais:
            return f"{key}:{ais[key]}:{ais[serial]}"
    if "8004" in ais:
        return f"8004:{ais['8004']}"
    for key, digits in _TYPES:
        if len(ais.get(key, "")) > digits:
            return f"{key}:{ais[key]}"
    return None


def step_of(scan: DockScan, session: Moment | None) -> str:
    """Return what is being done with a unit: the same step again is a repeat.

    A count is another step in each session: counted today, it counts again tomorrow.
    """
    when = [session.boot_id, session.at_us] if session and scan.kind == "count" else []
    return json.dumps([scan.kind, scan.location, scan.to_location, *when])
