"""The three files of a catalogue: two that central imports, one that the simulator reads again."""

import csv
from collections.abc import Iterable
from pathlib import Path

from firmware_sim import catalog
from firmware_sim.setups import SetupError

FILE = "catalogue.json"


def write(catalogue: catalog.Catalogue, folder: Path) -> None:
    """Write items.csv, locations.csv and catalogue.json into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(
        folder / "items.csv", ("sku", "name", "barcode", "each_per"), catalog.item_rows(catalogue)
    )
    _write_csv(folder / "locations.csv", ("code", "site", "kind"), catalog.location_rows(catalogue))
    (folder / FILE).write_text(catalog.to_json(catalogue), encoding="utf-8")


def read(folder: Path) -> catalog.Catalogue:
    """Return the catalogue in `folder`; SetupError says how to make one."""
    try:
        return catalog.from_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        raise SetupError(
            f"{folder / FILE} does not exist; `docktally sim catalog --out {folder}` makes one"
        ) from None
    except (OSError, ValueError) as error:
        raise SetupError(f"{folder / FILE} cannot be used: {error}") from error


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
