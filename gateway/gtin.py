"""Trade item numbers: GTIN-8/12/13/14 in one form, UPC-E, SSCC, ISBN and ISSN."""

from __future__ import annotations

from gateway.reading import Misread, Reading

_ZERO = ord("0")


def is_number(text: str) -> bool:
    """ASCII digits only: `str.isdigit` alone also takes superscripts and other scripts."""
    return text.isascii() and text.isdigit()


def check_sum(digits: str) -> int:
    """Modulo-10 sum with weights 1 and 3 from the right; 0 means the check digit is right."""
    codes = digits.encode("ascii")
    threes = len(codes) // 2
    weighted = 3 * sum(codes[-2::-2]) + sum(codes[::-2])
    return (weighted - _ZERO * (2 * threes + len(codes))) % 10


def check_digit(body: str) -> str:
    """The digit that completes `body`."""
    return str(-check_sum(body + "0") % 10)


def require(digits: str, lengths: tuple[int, ...], what: str, *, over: str = "bad_length") -> str:
    """`digits` itself if it is a number of one of `lengths` with the right check digit.

    `over` is the error class for more digits than any of them.
    """
    if not digits:
        raise Misread("empty_value", f"the barcode is empty where {what} should be")
    if not is_number(digits):
        raise Misread("non_digit", f"{what} has digits only, this one is {digits[:40]!r}")
    if len(digits) not in lengths:
        error_class = over if len(digits) > max(lengths) else "bad_length"
        raise Misread(error_class, _length_sentence(digits, lengths, what))
    if check_sum(digits):
        raise Misread(
            "bad_check_digit",
            f"the last digit of {digits} should be {check_digit(digits[:-1])}",
        )
    return digits


def _length_sentence(digits: str, lengths: tuple[int, ...], what: str) -> str:
    wanted = " or ".join(map(str, lengths))
    return f"{what} has {wanted} digits, this one has {len(digits)}"


def upc_a_of(gtin14: str) -> str | None:
    """The 12 digits under the bars of a UPC-A, when the item has one."""
    return gtin14[2:] if gtin14.startswith("00") and gtin14[2:6] != "0000" else None


def trade_item(digits: str) -> Reading:
    """A checked GTIN of any length as a reading, zero-filled to 14 digits."""
    gtin14 = digits.zfill(14)
    fields: dict[str, object] = {"gtin14": gtin14}
    if upc_a := upc_a_of(gtin14):
        fields["upc_a"] = upc_a
    if gtin14.startswith(("0978", "0979")):
        fields["isbn13"] = gtin14[1:]
    elif gtin14.startswith("0977"):
        fields["issn"] = gtin14[4:11]
    return Reading("gtin", fields=fields)


def with_add_on(text: str, what: str) -> tuple[str, str]:
    """Split "number add-on" as printed beside a magazine; the add-on has 2 or 5 digits."""
    number, _, add_on = text.partition(" ")
    if add_on and not is_number(add_on):
        raise Misread("non_digit", f"the add-on of {what} has digits only")
    if len(add_on) not in (0, 2, 5):
        raise Misread("bad_length", f"the add-on of {what} has 2 or 5 digits, not {len(add_on)}")
    return number, add_on


def expand_upc_e(eight: str) -> str:
    """UPC-A of the eight digits of a UPC-E (number system, six digits, check digit)."""
    system, body, check = eight[0], eight[1:7], eight[7]
    last = body[5]
    if last in "012":
        middle = body[:2] + last + "0000" + body[2:5]
    elif last == "3":
        middle = body[:3] + "00000" + body[3:5]
    elif last == "4":
        middle = body[:4] + "00000" + body[4]
    else:
        middle = body[:5] + "0000" + last
    return system + middle + check


def compress_upc_a(upc_a: str) -> str | None:
    """UPC-E of a UPC-A, or None: most numbers have no short form."""
    if upc_a[0] not in "01":
        return None
    maker, item = upc_a[1:6], upc_a[6:11]
    if maker[2:] in ("000", "100", "200") and item.startswith("00"):
        body = maker[:2] + item[2:] + maker[2]
    elif maker[3:] == "00" and item.startswith("000"):
        body = maker[:3] + item[3:] + "3"
    elif maker[4] == "0" and item.startswith("0000"):
        body = maker[:4] + item[4] + "4"
    elif item.startswith("0000") and item[4] in "56789":
        body = maker + item[4]
    else:
        return None
    return upc_a[0] + body + upc_a[11]


def upc_e(text: str, *, kind: str = "upc_e") -> Reading:
    """A UPC-E as its seven or eight digits, or the UPC-A (11 or 12 digits) that it stands for.

    Six digits (neither number system nor check digit) are taken for `kind` "upc" alone, where
    the device is known to send them.
    """
    number, add_on = with_add_on(text, "a UPC-E")
    lengths = (7, 8, 11, 12) if kind == "upc_e" else (6, 7, 8, 12)
    if not is_number(number):
        raise Misread("non_digit", f"a UPC has digits only, this one is {number[:40]!r}")
    if len(number) not in lengths:
        raise Misread("bad_length", _length_sentence(number, lengths, "a UPC"))
    if len(number) == 6:
        number = "0" + number
    if len(number) < 11 and number[0] not in "01":
        raise Misread("bad_number_system", f"a UPC-E starts with 0 or 1, this one with {number[0]}")
    if len(number) == 7:
        number += check_digit(expand_upc_e(number + "0")[:11])
    upc_a = expand_upc_e(number) if len(number) == 8 else number
    if len(upc_a) == 11:
        upc_a += check_digit(upc_a)
    require(upc_a, (12,), "a UPC-A")
    short = compress_upc_a(upc_a)
    if short is None and kind == "upc_e":
        raise Misread("bad_format", f"{upc_a} has no UPC-E form")
    reading = trade_item(upc_a)
    reading.kind = kind
    reading.fields["upc_a"] = upc_a
    if short is not None:
        reading.fields["upc_e"] = short
    if add_on:
        reading.fields["addon"] = add_on
    return reading


def sscc(digits: str) -> Reading:
    """A serial shipping container code without its AI."""
    return Reading("sscc", fields={"sscc": require(digits, (18,), "an SSCC")})


def isbn(text: str) -> Reading:
    """An ISBN as printed, ten or thirteen digits, with or without hyphens and add-on."""
    number, add_on = with_add_on(text, "an ISBN")
    hyphens = {10: 0, 13: 3 if "-" in number else 0, 17: 4}.get(len(number))
    if hyphens is None:
        raise Misread("bad_length", f"an ISBN has 10 or 13 digits, this is {number[:40]!r}")
    if number.count("-") != hyphens:
        raise Misread("non_digit", f"the hyphens of {number!r} are not those of an ISBN")
    digits = number.replace("-", "")
    if len(digits) == 10:
        digits = "978" + _mod_11(digits, "an ISBN-10")
        digits += check_digit(digits)
    if not digits.startswith(("978", "979")):
        raise Misread("bad_format", f"an ISBN starts with 978 or 979, this one with {digits[:3]}")
    return _add_on(trade_item(require(digits, (13,), "an ISBN-13")), add_on)


def issn(text: str) -> Reading:
    """An ISSN as printed (0000-0000), with a sequence variant and add-on, or as its EAN-13."""
    number, _, rest = text.partition(" ")
    if len(number) == 13:
        return _add_on(trade_item(require(number, (13,), "an ISSN's EAN-13")), rest)
    digits = number[:4] + number[5:] if number[4:5] == "-" else number
    if len(digits) != 8:
        raise Misread("bad_length", f"an ISSN has 8 characters, this one has {len(digits)}")
    variant, _, add_on = rest.partition(" ")
    if variant and not is_number(variant):
        raise Misread("non_digit", "the sequence variant of an ISSN has digits only")
    if len(variant) not in (0, 2):
        raise Misread("bad_length", "the sequence variant of an ISSN has 2 digits")
    add_on = with_add_on(f"0 {add_on}", "an ISSN")[1]
    body = "977" + _mod_11(digits, "an ISSN") + (variant or "00")
    return _add_on(trade_item(body + check_digit(body)), add_on)


def _mod_11(digits: str, what: str) -> str:
    """Check the modulo-11 character (X is ten) and leave it off."""
    body, check = digits[:-1], digits[-1]
    if not is_number(body) or check not in "0123456789X":
        raise Misread("non_digit", f"{what} has digits and perhaps a last X")
    weighted = sum((len(digits) - at) * int(digit) for at, digit in enumerate(body))
    expected = "0123456789X"[-weighted % 11]
    if check != expected:
        raise Misread("bad_check_digit", f"the last character of {digits} should be {expected}")
    return body


def _add_on(reading: Reading, add_on: str) -> Reading:
    if add_on:
        reading.fields["addon"] = add_on
    return reading
