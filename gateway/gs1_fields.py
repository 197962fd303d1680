"""Named fields of checked element strings: what the dock, not the label, calls them."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

from gateway import gs1_codes, gs1_date, gtin
from gateway.gs1_message import Parsed

_TEXT = {
    "00": "sscc",
    "01": "gtin14",
    "02": "content_gtin14",
    "03": "mto_gtin14",
    "10": "lot",
    "20": "variant",
    "21": "serial",
    "22": "cpv",
    "235": "tpx",
    "240": "addl_id",
    "241": "customer_part",
    "242": "mto_variant",
    "243": "packaging_component",
    "250": "secondary_serial",
    "251": "source_reference",
    "253": "gdti",
    "254": "gln_extension",
    "255": "gcn",
    "400": "order_number",
    "401": "ginc",
    "402": "gsin",
    "403": "route",
    "410": "ship_to_gln",
    "411": "bill_to_gln",
    "412": "purchase_from_gln",
    "413": "ship_for_gln",
    "414": "loc_gln",
    "415": "pay_to_gln",
    "416": "prod_serv_gln",
    "417": "party_gln",
    "422": "origin_country",
    "8003": "grai",
    "8004": "giai",
    "8006": "itip",
    "8010": "cpid",
    "8011": "cpid_serial",
    "8013": "gmn",
    "8017": "gsrn_provider",
    "8018": "gsrn",
    "8020": "payment_reference",
    "8026": "content_itip",
}
_DATES = {
    "11": "production_date",
    "12": "due_date",
    "13": "packaging_date",
    "15": "best_before",
    "16": "sell_by",
    "17": "expiry",
}
_COUNTS = {"30": "var_count", "37": "count"}
_MEASURES = {
    "310": "net_weight_kg",
    "311": "length_m",
    "315": "net_volume_l",
    "320": "net_weight_lb",
    "330": "gross_weight_kg",
    "340": "gross_weight_lb",
}
# AIs that carry a day and may carry a time after it.
_MOMENTS = frozenset({"4324", "4325", "4326", "7003", "7006", "7011", "8008"})


def derive(elements: Parsed, today: date) -> dict[str, object]:
    """Named fields; of an AI that is there twice (with one value) one field.

    `date`, `datetime`, `decimal` and `currency` are given where only one AI carries such a value.
    """
    fields: dict[str, object] = {}
    days: list[date] = []
    moments: list[datetime] = []
    numbers: list[Decimal] = []
    for identifier, value in elements:
        ai = identifier.ai
        if name := _TEXT.get(ai):
            fields[name] = value
        elif name := _COUNTS.get(ai):
            fields[name] = int(value)
        elif name := _DATES.get(ai):
            day = gs1_date.resolve(value, today)
            fields[f"{name}_yymmdd"] = value
            fields[name] = day
            days.append(day)
        elif len(ai) == 4 and ai[0] == "3":
            number = _number(ai, value, fields)
            numbers.append(number)
            if ai < "3700":
                fields[_MEASURES.get(ai[:3]) or f"measure_{ai[:3]}"] = number
        elif ai in _MOMENTS:
            days.append(gs1_date.resolve(value[:6], today))
            if len(value) > 6:
                moments.append(datetime.combine(days[-1], _time(value[6:])))
    if len(days) == 1:
        fields["date"] = days[0]
    if len(moments) == 1:
        fields["datetime"] = moments[0]
    if len(numbers) == 1:
        fields["decimal"] = numbers[0]
    if "gtin14" in fields and (upc_a := gtin.upc_a_of(str(fields["gtin14"]))):
        fields["upc_a"] = upc_a
    return fields


def _number(ai: str, value: str, fields: dict[str, object]) -> Decimal:
    """The last digit of the AI shifts the decimal point; amounts may name their currency first."""
    if ai[:3] in ("391", "393"):
        fields["currency"] = gs1_codes.currencies()[value[:3]]
        value = value[3:]
    return Decimal(value).scaleb(-int(ai[3]))


def _time(digits: str) -> time:
    hour, minute, second = digits[:2], digits[2:4] or "0", digits[4:6] or "0"
    return time(int(hour), int(minute), int(second))
