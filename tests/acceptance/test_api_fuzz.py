"""The HTTP API against everything its own description allows, and much that it does not."""

import subprocess
import sys
from pathlib import Path

from docktally.children import Child, wait_for_port
from ledgers import new_database
from neighbours import free_port

#: Enough for every operation and every kind of bad value; more belongs into a nightly run.
SECONDS, EXAMPLES = 25, 15


def test_no_request_breaks_central(tmp_path: Path) -> None:
    """Schemathesis finds no request that is answered with a server error."""
    port = free_port()
    command = ["-m", "central", "--database", new_database(tmp_path), "--port", str(port)]
    central = Child("central", [sys.executable, *command, "--broker", f"127.0.0.1:{free_port()}"])
    central.start(tmp_path / "central.log")
    try:
        wait_for_port(central, port)
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"http://127.0.0.1:{port}/openapi.json",
                "--checks=not_a_server_error,response_headers_conformance",
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
        assert central.exit_code() is None, central.last_words()
    finally:
        central.stop()
    log = (tmp_path / "central.log").read_text()
    assert "Traceback" not in log, log[-4_000:]
