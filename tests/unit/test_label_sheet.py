"""Printed labels are read back by an independent decoder, from the page as a printer gets it."""

import json
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp

from gateway import label_sheet, labels, separator_proof
from gateway.labels import Label
from neighbours import ROOT

#: Dots per inch of the picture that is decoded; an office printer has twice as many.
DPI = 300


def symbols(pdf: Path) -> list[zxingcpp.Barcode]:
    """Return what zxing reads on every page."""
    found = []
    with pypdfium2.PdfDocument(pdf) as document:
        for page in document:
            picture = page.render(scale=DPI / 72).to_pil()
            found += zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.Code128)
    return found


def decoded(pdf: Path) -> list[str]:
    """Return the texts that zxing reads on every page."""
    return [each.text for each in symbols(pdf)]


def test_the_command_sheet_is_read_back(tmp_path: Path) -> None:
    """Every command once, each as the gateway understands it."""
    out = tmp_path / "sheet.pdf"
    assert label_sheet.main(["--out", str(out)]) == 0
    read = [labels.read(text.encode()) for text in decoded(out)]
    assert all(isinstance(each, Label) and each.type == "command" for each in read)
    assert {each.value for each in read if isinstance(each, Label)} == labels.COMMANDS
    assert len(read) == len(labels.COMMANDS)


def test_the_separator_test_is_read_back_and_passes(tmp_path: Path) -> None:
    """A GS1-128 symbol with FNC1 in front and between, as a good scanner sends it."""
    out = tmp_path / "test.pdf"
    assert label_sheet.main(["--out", str(out), "--gs-test"]) == 0
    (found,) = symbols(out)
    assert found.symbology_identifier == "]C1"
    assert found.text == "(91)DOCKTALLY-GS(92)OK"
    sent = b"]C1" + found.bytes
    assert separator_proof.read(sent, ()) == separator_proof.Result()
    assert separator_proof.read(sent.replace(b"\x1d", b""), ()).problem is not None


def test_every_kind_of_label_over_several_pages(tmp_path: Path) -> None:
    """Locations from the catalogue's CSV, operators, documents and quantities."""
    places = tmp_path / "locations.csv"
    places.write_text("code,site,kind\n" + "".join(f"A-{n:02},main,bin\n" for n in range(20)))
    out = tmp_path / "sheet.pdf"
    options = ["--locations-csv", str(places), "--locations", "DOCK 1, B/7", "--operators", "MIKA"]
    options += ["--documents", "PO-4711", "--quantities", "12,250", "--commands"]
    assert label_sheet.main(["--out", str(out), *options]) == 0
    texts = decoded(out)
    assert len(texts) == len(set(texts)) == 10 + 22 + 4
    golden = json.loads((ROOT / "tests/data/control_labels.json").read_text())
    known = {row["text"] for row in golden if row["value"] in {"MIKA", "PO-4711", "12", "250"}}
    assert known <= set(texts)
    assert labels.read(texts[10].encode()) == Label("location", "DOCK 1")


def test_svg_has_a_file_for_each_page(tmp_path: Path) -> None:
    """The first page has the given name, the next ones are numbered."""
    out = tmp_path / "sheet.svg"
    numbers = ",".join(str(n) for n in range(1, 20))
    assert label_sheet.main(["--out", str(out), "--quantities", numbers]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet-2.svg", "sheet.svg"]
    assert out.read_text().count("%DT-Q-") == 14


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--out", "x.png"], "neither a .pdf nor a .svg"),
        (["--out", "x.pdf", "--quantities", "0"], "quantity '0'"),
        (["--out", "x.pdf", "--locations", "Bär"], "location 'Bär'"),
        (["--out", "x.pdf", "--locations", "A" * 60], "too long"),
        (["--out", "x.pdf", "--locations-csv", "nowhere.csv"], "nowhere.csv"),
        (["--out", "no/such/folder/x.pdf"], "no/such/folder"),
    ],
)
def test_what_cannot_be_printed_is_said(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One sentence, exit code 1, no half-made file."""
    monkeypatch.chdir(tmp_path)
    assert label_sheet.main(options) == 1
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
