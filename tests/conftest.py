# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests: a separate Airflow home, an emulated workspace over HTTP, a client, a storage root."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.airflow_in_process import SHARED

# Before anything imports Airflow, which reads its home once.
_HOME = tempfile.TemporaryDirectory(prefix="studio-tests-")
for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
if SHARED not in os.environ:
    _SHARED_FOLDER = tempfile.TemporaryDirectory(prefix="studio-tests-shared-")
    os.environ[SHARED] = _SHARED_FOLDER.name
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(_HOME.name) / "dags"),
}
(Path(_HOME.name) / "dags").mkdir()

import pytest  # noqa: E402
from upath import UPath  # noqa: E402

from airflow_provider_studio.client.auth import Credentials, TokenKind  # noqa: E402
from airflow_provider_studio.client.client import StudioClient  # noqa: E402
from airflow_provider_studio.client.ratelimit import RateLimiter  # noqa: E402
from airflow_provider_studio.emulator import StudioEmulator  # noqa: E402
from airflow_provider_studio.hooks import usage  # noqa: E402
from tests.hand_clock import HandClock  # noqa: E402

TOGETHER = {
    "tests/system/test_report_runs.py": "runs",
    "tests/system/test_nightly_governance.py": "nights",
    "tests/system/test_ui.py": "nights",
    "tests/system/test_secrets.py": "nights",
    "tests/system/test_roles.py": "nights",
    "tests/system/test_demo.py": "nights",
    "tests/plugin/": "pages",
    "tests/cli/test_in_an_airflow_home.py": "home",
    "tests/operators/test_approval": "approval",
    "tests/governance/test_hostile_storage.py": "hostile storage",
    "tests/governance/inventory/test_hostile.py": "hostile inventory",
    "tests/governance/planning/": "planning",
    "tests/security/": "security",
    "tests/contrary/test_nights.py": "contrary nights",
    "tests/contrary/test_journeys.py": "journeys",
    "tests/docs/test_tutorial.py": "tutorial",
    "tests/docs/test_site.py": "site",
    "tests/third_party/": "clients",
}
"""Tests that run sequentially in one process, in the order in which they begin; all others, file by file, come later.

Those that wait for an Airflow and those that take longest come first.
"""

_LOW_PRIORITY = 5

# A recorder that outlives its test would write into the storage of the test that runs a minute later.
usage.INTERVAL_SECONDS = 24 * 3600.0

# Each run has the same examples, so that tests are deterministic; `--hypothesis-profile=full` has more of them, and
# `nightly` has others in each run.
with contextlib.suppress(ImportError):  # not installed in `make matrix`
    from hypothesis import HealthCheck, settings

    _same = {"derandomize": True, "database": None, "deadline": None, "print_blob": True}
    settings.register_profile("quick", max_examples=10, suppress_health_check=[HealthCheck.too_slow], **_same)
    settings.register_profile("full", settings.get_profile("quick"), max_examples=30)
    settings.register_profile("nightly", settings.get_profile("quick"), max_examples=1000, derandomize=False)
    settings.load_profile("quick")

FIXTURES = Path(os.environ.get("STUDIO_REAL_BODIES", Path(__file__).parents[2] / "shared" / "fixtures"))
"""Real and documented bodies, which may not be published; `tests/emulator/real_keys.py` has their keys and types."""

needs_real_bodies = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"SKIPPED LOUDLY: there are no real bodies in {FIXTURES} to compare with"
)


def slow(*values: Any) -> list[Any]:
    """Return parameters that only `make test-all` runs, because `make test` has similar ones.

    :param values: a tuple is the values of several parameters.
    """
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow) for value in values
    ]


over_http_and_https = pytest.mark.parametrize("emulator", ["http", "https"], indirect=True)
"""For tests of broken connections: over TLS they break in more ways, and at other times."""


@contextmanager
def serving(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> Iterator[StudioEmulator]:
    """Run an emulator with the fixture's parameter as its scheme (`http` by default), and trust its authority."""
    with StudioEmulator("acme", tls=getattr(request, "param", "http") == "https", **options) as running:
        if running.ca_file is not None:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        yield running


@pytest.fixture
def emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StudioEmulator]:
    """A small workspace without a rate limit."""
    with serving(request, monkeypatch, reports=40, seed=7) as running:
        yield running


@pytest.fixture
def storage(tmp_path: Path) -> UPath:
    return UPath(tmp_path / "studio")


@pytest.fixture
def client(emulator: StudioEmulator) -> Iterator[StudioClient]:
    """A client with a Workspace token that does not wait."""
    with client_of(emulator) as client:
        yield client


@pytest.fixture
def clock(studio_emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that advances immediately when code waits; `studio_emulator` uses it too."""
    clock = HandClock(studio_emulator)
    clock.install(monkeypatch)
    return clock


@pytest.fixture
def sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the transport's retries, so that each request is sent once."""
    monkeypatch.setattr("airflow_provider_studio.client.retry_policy.RetryPolicy.is_enough", lambda _self, _state: True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order tests by their group in `TOGETHER`, so that others run while these wait."""
    groups = list(dict.fromkeys(TOGETHER.values()))
    place = {group: number for number, group in enumerate(groups)}
    items.sort(key=lambda item: place.get(_group(item.nodeid), len(place)))


def _group(test: str) -> str:
    """Return the group of a test: one of `TOGETHER`, or its file."""
    return next((group for path, group in TOGETHER.items() if test.startswith(path)), test.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, run the tests of each group in one process, which builds their fixtures once.

    xdist's own mark adds a suffix to test names, which breaks pytest 9.2.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    config.option.loadscopereorder = False  # `pytest_collection_modifyitems` has ordered the tests
    return Groups(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give way to the tests that wait for an Airflow, which fails if it gets too little of the processor.

    A process cannot raise its priority again, but its tests of an Airflow came first.
    """
    if "PYTEST_XDIST_WORKER" in os.environ and item.get_closest_marker("system") is None:
        os.nice(max(0, _LOW_PRIORITY - os.nice(0)))


class Killed(BaseException):
    """Simulates a killed process: nothing catches it."""


def client_of(emulator: StudioEmulator, kind: str = "workspace", **options: Any) -> StudioClient:
    """Return a client of an emulator that waits neither for permits nor between attempts."""
    declared = options.pop("declared", TokenKind(kind))
    token, secret = emulator.credentials(kind)
    credentials = Credentials(options.pop("workspace", emulator.workspace), token, secret, emulator.url, declared)
    options = {"limiter": RateLimiter.unlimited(), "sleep": lambda _seconds: None, **options}
    return StudioClient(credentials, **options)
