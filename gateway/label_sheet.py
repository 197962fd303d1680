"""`docktally labels`: prints control labels and the separator test, as PDF or SVG."""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reportlab.graphics import renderPDF, renderSVG
from reportlab.graphics.barcode import createBarcodeDrawing
from reportlab.graphics.shapes import Drawing, Group, String
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from gateway import labels, separator_proof
from gateway.labels import COMMANDS, Label, LabelType

_COLUMNS, _ROWS = 2, 7
_MARGIN = 12 * mm
_BAR_HEIGHT = 16 * mm
#: Module width: comfortable for a hand scanner, and the least that an office printer gets right.
_MODULE, _MODULE_MIN = 0.33 * mm, 0.19 * mm
_ORDER = ("RECEIVE", "PUTAWAY", "MOVE", "PICK", "SHIP", "RETURN", "DAMAGE", "COUNT", "UNDO", "END")
assert set(_ORDER) == COMMANDS
_CAPTIONS: dict[LabelType, str] = {
    "command": "{}", "location": "{}", "document": "document {}", "operator": "operator {}",
    "quantity": "x {}",
}  # fmt: skip


#: How reportlab writes the function character that makes a Code 128 a GS1-128 and parts it.
_FNC1 = "\xf1"


@dataclass(frozen=True, slots=True)
class Printed:
    """One label on the sheet: `code` is what its bars say, `text` the same for people."""

    caption: str
    code: str
    text: str


class LabelError(Exception):
    """A label that cannot be printed; the message says what to change."""


def main(argv: list[str]) -> int:
    """Write the sheet that the options ask for; return the exit code."""
    options = _parser().parse_args(argv)
    try:
        wanted = list(_wanted(options))
        files = write(wanted, options.out)
    except (LabelError, OSError, UnicodeDecodeError, csv.Error) as error:
        print(f"docktally labels: {error}", file=sys.stderr)
        return 1
    print(f"{len(wanted)} labels in {', '.join(map(str, files))}; print at 100 %, without scaling")
    return 0


def control(label: Label) -> Printed:
    """Return a control label as it is printed."""
    text = labels.text_of(label)
    return Printed(_CAPTIONS[label.type].format(label.value), text, text)


def separator_test() -> Printed:
    """Return the GS1-128 label that shows whether a scanner sends the separator."""
    elements = separator_proof.ELEMENTS
    return Printed(
        "separator test (GS1)",
        "".join(_FNC1 + ai + value for ai, value in elements),
        "".join(f"({ai}){value}" for ai, value in elements),
    )


def write(wanted: list[Printed], out: Path) -> list[Path]:
    """Write a PDF, or one SVG a page; return the files. LabelError says what is wrong."""
    pages = [_page(part) for part in _parts(wanted, _COLUMNS * _ROWS)]
    if out.suffix.lower() == ".pdf":
        canvas = Canvas(str(out), pagesize=A4)
        canvas.setTitle("Docktally control labels")
        for page in pages:
            renderPDF.draw(page, canvas, 0, 0)
            canvas.showPage()
        canvas.save()
        return [out]
    if out.suffix.lower() != ".svg":
        raise LabelError(f"{out} is neither a .pdf nor a .svg file")
    names = [out] + [out.with_stem(f"{out.stem}-{n}") for n in range(2, len(pages) + 1)]
    for name, page in zip(names, pages, strict=True):
        renderSVG.drawToFile(page, str(name))
    return names


def _page(wanted: list[Printed]) -> Drawing:
    width, height = A4
    page = Drawing(width, height)
    cell_width = (width - 2 * _MARGIN) / _COLUMNS
    cell_height = (height - 2 * _MARGIN) / _ROWS
    for place, label in enumerate(wanted):
        row, column = divmod(place, _COLUMNS)
        cell = _cell(label, cell_width)
        cell.translate(_MARGIN + column * cell_width, height - _MARGIN - (row + 1) * cell_height)
        page.add(cell)
    return page


def _cell(label: Printed, width: float) -> Group:
    """Draw one label: what it does in words, the barcode, and its text for typing."""
    module = _MODULE
    bars = _bars(label.code, module)
    if bars.width > width:
        module *= width / bars.width
        if module < _MODULE_MIN:
            raise LabelError(f"{label.caption!r} is too long to be printed as a readable barcode")
        bars = _bars(label.code, module)
    group = Group(*bars.contents)
    group.translate((width - bars.width) / 2, 8 * mm)
    middle = {"textAnchor": "middle"}
    return Group(
        group,
        String(width / 2, 27 * mm, label.caption, fontName="Helvetica-Bold", fontSize=14, **middle),
        String(width / 2, 3 * mm, label.text, fontName="Courier", fontSize=8, **middle),
    )


def _bars(text: str, module: float) -> Drawing:
    return createBarcodeDrawing(
        "Code128",
        value=text,
        barHeight=_BAR_HEIGHT,
        barWidth=module,
        humanReadable=False,
        quiet=True,
    )


def _wanted(options: argparse.Namespace) -> Iterator[Printed]:
    given: list[tuple[LabelType, Iterable[str]]] = [
        ("location", options.locations),
        ("location", _of_csv(options.locations_csv) if options.locations_csv else ()),
        ("operator", options.operators),
        ("document", options.documents),
        ("quantity", options.quantities),
    ]
    chosen = [(kind, value) for kind, values in given for value in values]
    if options.commands or not (chosen or options.gs_test):
        yield from (control(Label("command", name)) for name in _ORDER)
    for kind, value in chosen:
        label = Label(kind, value)
        check = labels.read(labels.text_of(label).encode("latin-1", "replace"))
        if check != label:
            reason = getattr(check, "message", "use printable ASCII characters")
            raise LabelError(f"{kind} {value!r} makes no label: {reason}")
        yield control(label)
    if options.gs_test:
        yield separator_test()


def _of_csv(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if "code" not in (rows.fieldnames or ()):
            raise LabelError(f"{path}: the first line must name a column code")
        yield from (row["code"].strip() for row in rows if (row["code"] or "").strip())


def _parts(wanted: list[Printed], size: int) -> Iterator[list[Printed]]:
    return (wanted[start : start + size] for start in range(0, len(wanted), size))


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "docktally labels",
        description="Print the barcodes that tell a gateway's scanner what the next scans mean: "
        "commands, locations, operators, documents, quantities. Without a choice: all commands.",
    )
    parser.add_argument("--out", type=Path, required=True, help="the file: .pdf, or .svg per page")
    parser.add_argument("--commands", action="store_true", help="all commands, beside the others")
    parser.add_argument("--locations", type=_list, default=[], metavar="A-01,A-02", help="places")
    parser.add_argument(
        "--locations-csv", type=Path, help="the CSV that `docktally catalog import` reads"
    )
    parser.add_argument("--operators", type=_list, default=[], metavar="MIKA,ELIF", help="badges")
    parser.add_argument("--documents", type=_list, default=[], metavar="PO-1", help="orders, notes")
    parser.add_argument(
        "--quantities", type=_list, default=[], metavar="2,6,12", help="for one scan"
    )
    parser.add_argument(
        "--gs-test",
        action="store_true",
        help="the label that shows whether a scanner sends the GS1 separator",
    )
    return parser
