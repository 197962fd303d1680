"""The tests in `guest/` run in the guest, all in one boot; here they only show what came of them.

They are collected on both sides. The guest writes down each test's reports, and this side takes
them for its own.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.guest_session import REPORTS_IN, Dead, GuestSession
from rig.packages import CannotPrepare

_GUEST_TESTS = Path(__file__).parent / "guest"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the guest's tests alone unless asked for: they import what other machines lack."""
    asked = config.option.markexpr == "rig"
    return True if collection_path == _GUEST_TESTS and not asked else None


def pytest_configure(config: pytest.Config) -> None:
    """Be the guest's pytest, or the one that shows its results."""
    reports = os.environ.get(REPORTS_IN)
    config.pluginmanager.register(Writer(config, Path(reports)) if reports else Reader(config))


class Writer:
    """In the guest: writes down how each test went."""

    def __init__(self, config: pytest.Config, reports: Path) -> None:
        self._config, self._reports = config, reports

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a line."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._reports.open("a") as file:
            file.write(json.dumps(data) + "\n")


class Reader:
    """On the host: boots the guest at the first of its tests, and shows each as it ends there."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._guest: GuestSession | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Show an item's reports instead of running it."""
        if _GUEST_TESTS not in item.path.parents:
            return None
        guest = self._guest or self._boot(item.session)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(guest, item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self) -> None:
        """Let the guest go."""
        if self._guest is not None:
            self._guest.end()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what the tests measured."""
        if self._guest is None:
            return
        for report in terminalreporter.getreports("passed"):
            for name, value in report.user_properties:
                terminalreporter.write_line(f"{Path(report.nodeid).name}: {name} {value}")

    def _boot(self, session: pytest.Session) -> GuestSession:
        tests = [item.nodeid for item in session.items if _GUEST_TESTS in item.path.parents]
        try:
            self._guest = GuestSession(tests)
        except CannotPrepare as error:
            pytest.exit(str(error), returncode=1)
        return self._guest

    def _reports(self, guest: GuestSession, item: pytest.Item) -> Iterator[pytest.TestReport]:
        hook = self._config.hook
        try:
            for data in guest.reports_of(item.nodeid):
                yield hook.pytest_report_from_serializable(config=self._config, data=data)
        except Dead as error:
            yield pytest.TestReport(item.nodeid, item.location, {}, "failed", str(error), "call")
