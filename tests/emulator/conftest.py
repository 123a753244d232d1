# SPDX-License-Identifier: Apache-2.0
"""Fixtures: an emulator at a fixed time, and raw requests to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.limits import Limits
from tests.emulator.sample import Sample
from tests.hand_clock import Seconds

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Caller:
    """Sends raw requests as one of the emulator's accounts."""

    def __init__(self, emulator: StudioEmulator, kind: str = "workspace") -> None:
        self._root = f"{emulator.url}/api/acme"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = emulator.credentials(kind)

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        address = path if path.startswith("http") else f"{self._root}{path}"
        return self._session.request(method, address, timeout=60, **options)

    def rows(self, path: str, key: str) -> list[dict[str, Any]]:
        return list(self("GET", path).json()["_embedded"][key])

    def newest_run(self, report: str) -> str:
        """Return the token of a Report's newest run."""
        return str(self.rows(f"/reports/{report}/runs", "report_runs")[0]["token"])


@pytest.fixture
def emulator() -> Iterator[StudioEmulator]:
    with StudioEmulator("acme", reports=120, seed=5, now=NOW) as running:
        yield running


@pytest.fixture
def budget_clock(emulator: StudioEmulator) -> Seconds:
    """A manual clock for the emulator's rate limit."""
    clock = Seconds()
    emulator._state.limits = Limits(clock)
    return clock


@pytest.fixture
def ask(emulator: StudioEmulator) -> Caller:
    return Caller(emulator)


@pytest.fixture
def busy(emulator: StudioEmulator, ask: Caller) -> str:
    """A Collection with 65 more Reports."""
    collection = str(ask.rows("/spaces?filter=custom", "spaces")[0]["token"])
    for number in range(65):
        emulator.control.add_report(name=f"Report {number}", collection=collection)
    return collection


@pytest.fixture
def report(emulator: StudioEmulator) -> str:
    """A Report of three queries that people view and run."""
    return emulator.control.add_report(
        name="Revenue",
        created_at=(NOW - timedelta(days=10)).isoformat(),
        edited_at=(NOW - timedelta(days=9)).isoformat(),
        habit={"views_per_day": 2.0, "run_every_days": 3.0},
        query_count=3,
        expected_runtime=1.5,
    )


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Sample, bytes]]:
    with StudioEmulator("acme", reports=60, seed=5, now=NOW, speed=0) as emulator:
        sample = Sample(emulator)
        yield sample, emulator.control.save()


@pytest.fixture
def sample(filled: tuple[Sample, bytes]) -> Sample:
    """One entity of each kind, in its initial state."""
    sample, saved = filled
    sample.emulator.control.restore(saved)
    return sample
