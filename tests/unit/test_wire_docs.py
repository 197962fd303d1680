"""The pages in docs/ say what the code does."""

import ast
import importlib
import json
import re
from typing import get_args

import pytest
from pydantic import BaseModel

from central import verify
from neighbours import ROOT
from wire import asyncapi, events
from wire.topics import DEFAULT_ROOT, DELIVERY, Topics

PROGRAMS = ("wire", "gateway", "central", "monitor")
PAGE = (ROOT / "docs" / "wire.md").read_text()
MODELS = {
    model.__name__: model
    for model in vars(events).values()
    if isinstance(model, type)
    and issubclass(model, events.Part)
    and model not in (events.Part, events.Payload)
}


def section(title: str) -> str:
    """Return the text below a heading, up to the next one."""
    found = re.search(rf"^##+ {title}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"docs/wire.md has no section {title}"
    return found[1]


def rows(title: str) -> list[list[str]]:
    """Return the cells of the table in a section, without its two heading lines."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("name", MODELS)
def test_every_field_is_documented(name: str) -> None:
    """No field is missing in docs/wire.md, none is invented, and required is what the code says."""
    fields = {key: field for key, field in MODELS[name].model_fields.items() if key != "v"}
    documented = {cells[0].strip("`"): cells[1] for cells in rows(name)}
    assert list(documented) == list(fields)
    for key, field in fields.items():
        must = field.is_required() or key == "command"  # the command is how it is recognised
        assert documented[key].startswith("yes" if must else "no"), key
        if not must and field.default not in (None, (), "", events.Identifiers()):
            assert json.loads(documented[key][len("no (") : -1]) == field.default


def test_topics_and_delivery_are_documented() -> None:
    """The table of topics is the one that wire.topics builds."""
    placeholders = {"central": (), "alert": ("{id}",), "activity": ("{site}",)}
    told = {cells[0].strip("`"): cells[1:] for cells in rows("Topics")}
    assert set(told) == set(DELIVERY)
    for channel, delivery in DELIVERY.items():
        topic, _, qos, retained, _ = told[channel]
        parts = placeholders.get(channel, ("{site}", "{gateway}"))
        parts = ("{site}", "{sku}") if channel == "availability" else parts
        built = getattr(Topics("ROOT"), channel)(*parts)
        assert topic.strip("`") == built.replace("ROOT", "{root}")
        assert (qos, retained) == (str(delivery.qos), "yes" if delivery.retain else "no")
    assert f"`{{root}}` is `{DEFAULT_ROOT}`" in PAGE


def test_every_kind_is_documented() -> None:
    """Each kind of event says what central posts."""
    assert [cells[0].strip("`") for cells in rows("Kinds")] == list(get_args(events.Kind))


@pytest.mark.parametrize("cells", rows("Limits"), ids=lambda cells: str(cells[1]))
def test_limits_are_those_of_the_code(cells: list[str]) -> None:
    """A number on the page is the constant's value."""
    module, _, constant = cells[1].strip("`").rpartition(".")
    assert int(cells[0]) == getattr(importlib.import_module(module), constant)


def test_the_asyncapi_document_is_up_to_date() -> None:
    """It is generated: after a change of the models it must be generated again."""
    stored = json.loads((ROOT / "docs" / "asyncapi.json").read_text())
    assert stored == asyncapi.document(), (
        "run: .venv/bin/python -m wire.asyncapi > docs/asyncapi.json"
    )


def test_the_asyncapi_document_is_complete() -> None:
    """It has every channel, message and model, and no reference leads nowhere."""
    document = asyncapi.document()
    assert set(document["channels"]) == set(DELIVERY)
    assert set(document["components"]["schemas"]) == set(MODELS)
    payloads = {name for name, model in MODELS.items() if issubclass(model, events.Payload)}
    assert set(document["components"]["messages"]) == payloads
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
    assert len(references) > 30
    for reference in references:
        at = document
        for step in reference.split("/"):
            at = at[step]


def test_its_schemas_ask_for_what_the_models_ask_for() -> None:
    """A field is required there exactly when leaving it out is malformed here."""
    schemas = asyncapi.document()["components"]["schemas"]
    for name, model in MODELS.items():
        assert set(schemas[name].get("required", ())) == _required(model), name


def _required(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if field.is_required()}


def test_every_alert_is_explained() -> None:
    """docs/operations.md says what each alert that central can open means."""
    kinds = set()
    for file in (ROOT / "central").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Concern":
                assert isinstance(node.args[0], ast.Constant), f"{file}:{node.lineno}"
                kinds.add(node.args[0].value)
    explained = re.findall(
        r"^\| `(\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    assert len(kinds) >= 7
    assert kinds <= set(explained)


def test_the_path_of_a_scan_names_real_functions() -> None:
    """Whoever reads docs/architecture.md finds what it names."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    path = page.partition("## The path of a scan")[2].split("```")[1]
    names = re.findall(r"\b([a-z]+(?:_[a-z]+)*)\.([A-Za-z_]+(?:\.[a-z_]+)?)\b", path)
    assert len(names) > 25
    for module, name in names:
        assert any(_has(program, module, name) for program in PROGRAMS), f"{module}.{name}"


def _has(program: str, module: str, name: str) -> bool:
    if not (ROOT / program / f"{module}.py").exists():
        return False
    at = importlib.import_module(f"{program}.{module}")
    for part in name.split("."):
        at = getattr(at, part, None)  # type: ignore[assignment]
    return at is not None


def test_the_table_of_invariants_says_what_is_checked() -> None:
    """V1 to V14 are all there, and "yes" means that `docktally verify` checks it."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    told = dict(re.findall(r"^\| (V\d+) \|.*\| (yes|no)[^|]*\|$", page, re.MULTILINE))
    assert list(told) == [f"V{number}" for number in range(1, 15)]
    checked = {name for name, answer in told.items() if answer == "yes"}
    assert checked == set(verify.NUMBERS)
