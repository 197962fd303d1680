"""Code lists that element strings refer to: countries, currencies, package types."""

from __future__ import annotations

import pkgutil
from functools import cache


def read_lines(name: str) -> list[str]:
    """The lines of a data file of this package, without comments."""
    data = pkgutil.get_data("gateway", f"data/{name}")
    assert data is not None, f"the installed package lacks data/{name}"
    return [line for line in data.decode().splitlines() if line and not line.startswith("#")]


def _words(name: str) -> list[str]:
    return [word for line in read_lines(name) for word in line.split()]


@cache
def country_numbers() -> frozenset[str]:
    """ISO 3166-1 three-digit codes."""
    return frozenset(word[2:] for word in _words("iso3166.txt"))


@cache
def country_letters() -> frozenset[str]:
    """ISO 3166-1 two-letter codes."""
    return frozenset(word[:2] for word in _words("iso3166.txt"))


@cache
def currencies() -> dict[str, str]:
    """ISO 4217 three-digit code to its letters."""
    return {word[3:]: word[:3] for word in _words("iso4217.txt")}


@cache
def package_types() -> frozenset[str]:
    """Package type codes of AI (7041)."""
    return frozenset(_words("package-types.txt"))
