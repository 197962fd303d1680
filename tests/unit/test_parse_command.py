"""`docktally parse` as a person and as a program use it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import parse, parse_row

_PROGRAM = "import sys; from gateway.parse import main; sys.exit(main(sys.argv[1:]))"
_ROOT = Path(__file__).parents[2]
_ASKED_WITH = ("raw_hex", "region", "symbology", "framing", "protocol")
#: Right only with what these questions leave out: the wanted symbology, an identifier demanded.
_NEED_MORE = {"gtin-047", "gs1_scan-029"}


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = parse.main(["--today", "2026-06-01", *arguments])
    return code, capsys.readouterr().out


def _stream(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *lines: object
) -> list[dict]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert parse.main(["--today", "2026-06-01"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_person_reads_titles_and_dates(capsys: pytest.CaptureFixture[str]) -> None:
    """The default answer is in words: titles of the AIs, dates and weights written out."""
    code, out = _run(capsys, "(01)09506000134352(10)ABC(17)261130(3103)001500")
    assert code == 0
    assert "(17) USE BY or EXPIRY   261130  = 2026-11-30" in out
    assert "(3103) NET WEIGHT (kg)  001500  = 1.500" in out


@pytest.mark.parametrize(
    "typed",
    [
        "(10)A(1)B(37)5",
        r"]C110A(1)B\x1d375",
        "]C110A(1)B<GS>375",
        "]C110A(1)B<FNC1>375",
    ],
)
def test_separators_can_be_typed(typed: str) -> None:
    """The bracketed form and the escapes are the same bytes."""
    assert parse_row.typed(typed) == b"]C110A(1)B\x1d375"


def test_single_answer_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives the same object as a line of many."""
    code, out = _run(capsys, "--json", "--hex", "5d453035393031323334313233343537")
    assert code == 0
    assert json.loads(out)["gtin14"] == "05901234123457"


def test_unreadable_says_why_and_exits_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A script can tell by the exit code, a person by the sentence."""
    code, out = _run(capsys, "]C10109506000134353")
    assert code == 1
    assert "should be 2" in out
    assert "bad_check_digit" in out


def test_label_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences inside a barcode are shown, not obeyed."""
    for barcode in (r"]C0\x1b[2Jgone", r"]C1\x1b[2J", r"]E0\x1b[2J"):
        _, out = _run(capsys, barcode)
        assert "\x1b" not in out
        assert "x1b" in out


@pytest.mark.parametrize(
    "arguments",
    [["--hex", "5d4"], ["--region", "mars", "1"], ["--today", "tomorrow", "1"], ["--nonsense"]],
)
def test_wrong_use_exits_with_two(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A wrong option is refused with a word on what is right."""
    with pytest.raises(SystemExit) as stopped:
        parse.main(arguments)
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_at_a_terminal_something_must_be_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without arguments at a keyboard the command does not wait in silence."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(SystemExit) as stopped:
        parse.main([])
    assert stopped.value.code == 2
    assert "give a barcode" in capsys.readouterr().err


def test_help_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """A stranger finds the escapes, the input lines and the exit codes."""
    with pytest.raises(SystemExit):
        parse.main(["--help"])
    out = capsys.readouterr().out
    for word in ("<GS>", "raw_hex", "exit code", "(01)", "--today"):
        assert word in out


def test_many_lines_get_one_answer_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Requests are answered in order; a line that is none is answered too, and the next is read."""
    answers = _stream(
        monkeypatch,
        capsys,
        {"id": "a", "raw_hex": b"]C110A\x1d375".hex()},
        "{not json",
        {"raw_hex": "zz"},
        [1],
        {"raw_text": r"]C110A\x1d375"},
        {"raw_text": "04252614", "symbology": "upc_e"},
        {"raw_text": "2311111112345", "region": "Estonia"},
        {"raw_text": "010703206980498810A|37X".replace("X", "5"), "separator": "|"},
        {"raw_text": "10A", "aim": "]C1"},
        {"raw_hex": "04e40400ff14", "protocol": "ssi"},
        {"raw_text": r"5901234123457\r", "framing": "cr"},
        {"raw_text": "1", "region": "mars"},
        "[" * 100_000,
    )
    assert [answer["ok"] for answer in answers] == [True, False, False, False] + [True] * 7 + [
        False,
        False,
    ]
    assert answers[0]["id"] == "a"
    assert answers[0]["ais"] == answers[4]["ais"] == [["10", "A"], ["37", "5"]]
    assert {answers[at]["error_class"] for at in (1, 2, 3, 11, 12)} == {"bad_input"}
    assert answers[5]["gtin14"] == "00042100005264"
    assert (answers[6]["kind"], answers[6]["weight"]) == ("rcn", "1.234")
    assert answers[7]["count"] == 5
    assert answers[8]["lot"] == "A"
    assert answers[9]["msg"] == "START_DECODE"
    assert answers[10]["frames"] == [b"5901234123457".hex()]


def test_every_vector_is_judged_by_its_bytes_alone() -> None:
    """Asked as a program asks, in one process, each row is read or refused as its source says."""
    files = sorted((_ROOT / "tests/data/vectors").glob("*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    asked = [{name: row[name] for name in _ASKED_WITH if row.get(name)} for row in rows]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, "--today", "2026-06-01"],
        cwd=_ROOT,
        input="".join(json.dumps(question) + "\n" for question in asked).encode(),
        capture_output=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = {
        row["id"]
        for row, answer in zip(rows, answers, strict=True)
        if answer["ok"] != row["expect"]["ok"]
    }
    assert wrong == _NEED_MORE


@pytest.mark.parametrize(
    ("raw_hex", "protocol"),
    [
        ("020e" + b"]E05901234123457".hex() + "00" * 46, "hid_pos"),
        ("0000040000000000" + "00" * 8, "hid_kbd"),
    ],
)
def test_a_hid_report_is_known_by_its_form(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raw_hex: str, protocol: str
) -> None:
    """Nobody has to name the protocol of bytes that can be nothing else."""
    (answer,) = _stream(monkeypatch, capsys, {"raw_hex": raw_hex})
    assert (answer["ok"], answer["protocol"]) == (True, protocol)


def test_ambiguous_answer_lists_its_readings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program gets the kinds to choose from and each reading in full."""
    (answer,) = _stream(monkeypatch, capsys, {"raw_text": "12345670"})
    assert answer["kind"] == "ambiguous"
    assert answer["candidates"] == ["gtin", "upc"]
    assert [reading["gtin14"] for reading in answer["readings"]] == [
        "00000012345670",
        "00123456000070",
    ]


def test_endless_line_is_one_bad_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line without an end is answered once and skipped; the next line is read."""
    first, second = _stream(monkeypatch, capsys, "x" * 3_000_000, {"raw_text": "]E05901234123457"})
    assert first["error_class"] == "bad_input"
    assert second["gtin14"] == "05901234123457"


def test_reader_that_leaves_early_is_no_error() -> None:
    """`docktally parse < scans | head -1` ends quietly."""
    request = json.dumps({"raw_text": "]E05901234123457"}).encode() + b"\n"
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["ok"]
    process.stdout.close()
    _, complaint = process.communicate(request * 20_000, timeout=60)
    assert (process.returncode, complaint) == (0, b"")
