# SPDX-License-Identifier: Apache-2.0
"""pytest fixtures for tests of your DAGs with a Studio workspace that is emulated on localhost.

pytest loads them automatically if this package is installed; they need the extra `testing`. Airflow and other heavy
packages are not imported before a test uses a fixture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_studio.extras import needs_extra

with needs_extra("testing", "The module of pytest fixtures"):
    import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_studio.emulator import EmulatorControl, StudioEmulator

__all__ = [
    "StudioTestCollection",
    "StudioTestReport",
    "StudioTestWorkspace",
    "assert_archived",
    "assert_not_archived",
    "assert_run_started",
    "assert_schedule_deleted",
    "assert_schedule_kept",
    "requests_sent",
]

_MARKER = """\
studio(workspace="acme", reports=0, seed=7, rate_limit=False, now=None, speed=1.0, token="workspace", \
conn_id="studio_default"): options of studio_emulator and studio_connection for this test
"""
_EMULATOR_OPTIONS = {"workspace", "reports", "seed", "rate_limit", "now", "speed"}
_CONNECTION_OPTIONS = {"token", "conn_id"}
_UNLIMITED = 1_000_000
Frequency = Literal["every_15_minutes", "every_30_minutes", "hourly", "daily", "weekly", "monthly"]
Outcome = Literal["succeeded", "completed", "failed", "cancelled"]


class StudioTestReport:
    """One Report of an emulated workspace.

    :param token: its token, as operators expect it.
    :param name: its name.
    """

    def __init__(self, workspace: StudioTestWorkspace, token: str, name: str) -> None:
        self.token, self.name = token, name
        self._workspace = workspace

    def __str__(self) -> str:
        return self.token

    def __repr__(self) -> str:
        return f"<Report {self.name!r} {self.token}>"

    @property
    def truth(self) -> dict[str, Any]:
        """The actual state of the Report, without the API and its limit: `archived`, `view_count`, `schedules`, …

        :raises AssertionError: it was deleted.
        """
        found = self._workspace.control.state()["reports"].get(self.token)
        if found is None:
            raise AssertionError(f"{self!r} does not exist any more")
        return dict(found)

    @property
    def schedules(self) -> list[str]:
        """The tokens of its schedules, oldest first."""
        return list(self.truth["schedules"])

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The runs that were started over the API, oldest first: `token`, `state`, `parameters`."""
        return list(self.truth["runs_started"])

    def viewed(self, *, per_day: float, until_days_ago: float = 0) -> StudioTestReport:
        """Add regular views from its creation until `until_days_ago` days ago."""
        until = self._workspace.ago(until_days_ago).isoformat() if until_days_ago else None
        self._workspace.control.change_report(self.token, habit={"views_per_day": per_day, "until": until})
        return self

    def viewed_now(self, times: int = 1) -> StudioTestReport:
        """Add views at the current time."""
        self._workspace.control.view(self.token, times)
        return self

    def scheduled(
        self,
        freq: Frequency = "daily",
        at: str = "06:00",
        time_zone: str = "UTC",
        *,
        name: str = "Untitled schedule",
        parameters: dict[str, Any] | None = None,
        day_of_week: str | None = None,
        day_of_month: int | None = None,
    ) -> StudioTestReport:
        """Add a schedule that fires since its creation.

        :param at: the time of day, `HH:MM`.
        :param time_zone: Studio's name of the time zone, such as `Pacific Time (US & Canada)`.
        :param day_of_week: for a weekly schedule, `0` (Sunday) to `6`, several separated by commas.
        """
        hour, _, minute = at.partition(":")
        if not (hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60):
            raise ValueError(f"at={at!r} is not a time of day; write it as HH:MM, such as '06:00'")
        cron: dict[str, Any] = {"freq": freq, "hour": int(hour), "minute": int(minute), "time_zone": time_zone}
        cron |= {"day_of_week": day_of_week, "day_of_month": day_of_month}
        self._workspace.control.add_schedule(self.token, cron=cron, params=parameters or {}, name=name)
        return self

    def next_run(self, outcome: Outcome = "succeeded", seconds: float = 0.1) -> StudioTestReport:
        """Set the outcome and the duration of its next run."""
        self._workspace.control.change_report(self.token, next_outcome=outcome, next_runtime_seconds=seconds)
        return self


class StudioTestCollection:
    """One Collection of an emulated workspace.

    :param token: its token.
    """

    def __init__(self, workspace: StudioTestWorkspace, token: str) -> None:
        self.token = token
        self._workspace = workspace

    def report(self, name: str, **fields: Any) -> StudioTestReport:
        """Create a Report in it; see `StudioTestWorkspace.report` for its fields."""
        return self._workspace.report(name, collection=self, **fields)


class StudioTestWorkspace:
    """An emulated workspace that a test can fill and inspect.

    :param emulator: the running emulator.
    """

    def __init__(self, emulator: StudioEmulator) -> None:
        self.emulator = emulator

    @property
    def control(self) -> EmulatorControl:
        """The emulator's control: faults, limits, quirks, and everything else without a method here."""
        return self.emulator.control

    def ago(self, days: float) -> datetime:
        """Return the workspace's time this number of days ago."""
        return self.control.clock() - timedelta(days=days)

    def days_pass(self, days: float) -> None:
        """Advance the workspace's time: views grow, schedules fire."""
        self.control.advance(timedelta(days=days))

    def collection(self, name: str, *, restricted: bool = False) -> StudioTestCollection:
        """Create a Collection."""
        return StudioTestCollection(self, self.control.add_collection(name, restricted=restricted))

    def report(
        self,
        name: str,
        *,
        collection: StudioTestCollection | None = None,
        created_days_ago: float = 365,
        edited_days_ago: float | None = None,
        parameters: dict[str, list[str]] | None = None,
        queries: int = 1,
        runtime_seconds: float = 0.1,
        archived: bool = False,
        dataset: bool = False,
    ) -> StudioTestReport:
        """Create a Report without views and schedules.

        :param collection: its Collection; by default one that everybody may see.
        :param edited_days_ago: when a person last changed it; by default when it was created.
        :param parameters: the choices of each parameter, or an empty list if any text is valid.
        :param runtime_seconds: how long its runs take.
        :param dataset: create a dataset instead.
        """
        edited = created_days_ago if edited_days_ago is None else edited_days_ago
        fields: dict[str, Any] = {
            "name": name,
            "created_at": self.ago(created_days_ago).isoformat(),
            "edited_at": self.ago(edited).isoformat(),
            "form": parameters or {},
            "query_count": queries,
            "expected_runtime": runtime_seconds,
            "type": "DatasetReport" if dataset else "Report",
        }
        if collection is not None:
            fields["collection"] = collection.token
        if archived:
            fields["archived_at"] = self.ago(0).isoformat()
        return StudioTestReport(self, self.control.add_report(**fields), name)

    def find(self, name: str) -> StudioTestReport:
        """Return the Report with this name.

        :raises AssertionError: no Report, or more than one, has this name.
        """
        found = [token for token, report in self.control.state()["reports"].items() if report["name"] == name]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} Reports are named {name!r}")
        return StudioTestReport(self, found[0], name)

    def take_snapshot(self, days_ago: float) -> None:
        """Take an inventory as of this number of days ago, into the storage of `studio_connection`.

        View counts are totals: only a snapshot that is 90 days old proves that a Report had no views for 90 days.
        """
        from airflow_provider_studio import settings
        from airflow_provider_studio.client.auth import Credentials
        from airflow_provider_studio.client.client import StudioClient
        from airflow_provider_studio.client.ratelimit import RateLimiter
        from airflow_provider_studio.governance.inventory.inventory import take_inventory

        present, past = self.control.clock(), self.ago(days_ago)
        token, secret = self.emulator.credentials()
        credentials = Credentials(self.emulator.workspace, token, secret, self.emulator.url)
        self.control.set_clock(past)
        with StudioClient(credentials, limiter=RateLimiter.unlimited()) as client:
            take_inventory(client, settings.storage(), now=lambda: past)
        self.control.set_clock(present)
        self.control.clear_requests()


def assert_archived(*reports: StudioTestReport) -> None:
    """Fail unless each Report is archived."""
    for report in reports:
        if not report.truth["archived"]:
            raise AssertionError(f"{report!r} is not archived")


def assert_not_archived(*reports: StudioTestReport) -> None:
    """Fail if a Report is archived."""
    for report in reports:
        if report.truth["archived"]:
            raise AssertionError(f"{report!r} is archived")


def assert_schedule_deleted(*reports: StudioTestReport) -> None:
    """Fail if a Report has a schedule."""
    for report in reports:
        if report.schedules:
            raise AssertionError(f"{report!r} still has {len(report.schedules)} schedules: {report.schedules}")


def assert_schedule_kept(*reports: StudioTestReport) -> None:
    """Fail if a Report has no schedule."""
    for report in reports:
        if not report.schedules:
            raise AssertionError(f"{report!r} has no schedule")


def assert_run_started(
    report: StudioTestReport, *, times: int = 1, parameters: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Fail unless a Report was run this many times over the API, with these parameters if not None; return the runs."""
    runs = report.runs
    if len(runs) != times:
        raise AssertionError(f"{report!r} was run {len(runs)} times, not {times}")
    for run in runs:
        if parameters is not None and run["parameters"] != parameters:
            raise AssertionError(f"{report!r} was run with {run['parameters']}, not with {parameters}")
    return runs


def requests_sent(workspace: StudioTestWorkspace) -> int:
    """Return the number of API requests so far; requests of this module's helpers are not counted."""
    return workspace.control.requests_sent()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


def _options(request: pytest.FixtureRequest, names: set[str]) -> dict[str, Any]:
    marker = request.node.get_closest_marker("studio")
    options = dict(marker.kwargs) if marker else {}
    unknown = options.keys() - _EMULATOR_OPTIONS - _CONNECTION_OPTIONS
    if unknown or (marker and marker.args):
        known = ", ".join(sorted(_EMULATOR_OPTIONS | _CONNECTION_OPTIONS))
        raise pytest.UsageError(f"@pytest.mark.studio takes the keywords {known}, not {sorted(unknown) or marker.args}")
    return {name: value for name, value in options.items() if name in names}


@pytest.fixture
def studio_emulator(request: pytest.FixtureRequest) -> Iterator[StudioEmulator]:
    """An emulated workspace; `@pytest.mark.studio(…)` sets its options. By default empty and without a rate limit."""
    try:
        from airflow_provider_studio.emulator import StudioEmulator
    except ImportError as error:
        raise pytest.UsageError(f"{error.name} is missing: pip install 'airflow-provider-studio[testing]'") from None
    with StudioEmulator(**{"reports": 0, **_options(request, _EMULATOR_OPTIONS)}) as running:
        yield running


@pytest.fixture
def studio_workspace(studio_emulator: StudioEmulator) -> StudioTestWorkspace:
    """The emulated workspace, to fill and inspect."""
    return StudioTestWorkspace(studio_emulator)


@pytest.fixture
def studio_connection(
    request: pytest.FixtureRequest,
    studio_emulator: StudioEmulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> str:
    """The id of an Airflow connection to the emulator during a test, with a separate storage and request budget."""
    options = _options(request, _CONNECTION_OPTIONS)
    conn_id, kind = options.get("conn_id", "studio_default"), options.get("token", "workspace")
    token, secret = studio_emulator.credentials(kind)
    extra: dict[str, Any] = {"credential_kind": kind}
    if not _options(request, {"rate_limit"}).get("rate_limit"):
        extra |= {"rate_limit_requests": _UNLIMITED, "rate_limit_seconds": 1}
    connection = {
        "conn_type": "studio",
        "host": studio_emulator.url,
        "schema": studio_emulator.workspace,
        "login": token,
        "password": secret,
        "extra": extra,
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}/studio")
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", f"sqlite:///{tmp_path}/ratelimit.db")
    return str(conn_id)
