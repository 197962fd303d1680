"""The HTTP API against everything its own description allows, and much that it does not."""

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from datetime import date
from pathlib import Path

from central import database, levels
from central.levels import Level, Share
from central.writer import Writer
from docktally.children import Child, wait_for_port
from ledgers import EACH, SELLABLE, Site, ask, new_database
from neighbours import free_port
from wire.events import Identifiers

#: Enough for every operation and every kind of bad value; more belongs into a nightly run.
SECONDS, EXAMPLES = 40, 15
#: What no answer may be: a server's error, another shape or status than described.
CHECKS = (
    "not_a_server_error", "response_headers_conformance", "response_schema_conformance",
    "content_type_conformance", "status_code_conformance",
)  # fmt: skip


async def fill(path: str) -> None:
    """Give a ledger something of everything that can be listed."""
    with (
        database.using(database.open_writer(path)) as engine,
        database.using(database.open_reader(path)) as reader,
    ):
        async with Writer(engine, SELLABLE) as writer:
            site = Site(writer, reader)
            lot = Identifiers(gtin14=EACH, lot="L1", expiry=date(2027, 5, 31))
            await site.do(quantity=9, identifiers=lot)
            await site.do(identifiers=Identifiers(text="nobody knows"))
            for key in "abc":
                await ask(site, key, ("VALVE", 3))
            await site.do("damage", quantity=2, identifiers=lot)
            await site.run(levels.set_level, Level("main", "VALVE", 1, 5))
            await site.run(levels.set_share, Share("main", "VALVE", "web", cap=50))


def test_no_request_breaks_central(tmp_path: Path) -> None:
    """Schemathesis finds no request whose answer is a server error, or not as described."""
    port = free_port()
    path = new_database(tmp_path)
    asyncio.run(fill(path))
    command = ["-m", "central", "--database", path, "--port", str(port)]
    central = Child("central", [sys.executable, *command, "--broker", f"127.0.0.1:{free_port()}"])
    central.start(tmp_path / "central.log")
    try:
        wait_for_port(central, port)
        url = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{url}/openapi.json") as answer:
            operations = sum(map(len, json.load(answer)["paths"].values()))
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"{url}/openapi.json",
                f"--checks={','.join(CHECKS)}",
                "--exclude-path-regex=stream$",  # a stream does not end
                "--phases=examples,coverage,fuzzing",
                f"--max-examples={EXAMPLES}",
                f"--max-time={SECONDS}",
                "--warnings=off",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-1_000:]
        tested = re.search(r"Tested: +(\d+)", done.stdout)
        assert tested, done.stdout[-1_000:]
        assert int(tested[1]) == operations - 1, "all but the stream"
        assert central.exit_code() is None, central.last_words()
    finally:
        central.stop()
    log = (tmp_path / "central.log").read_text()
    assert "Traceback" not in log, log[-4_000:]
