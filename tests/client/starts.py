# SPDX-License-Identifier: Apache-2.0
"""Start a Report run as a task's try does, with a durable record in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.run_start import launch
from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import Killed

LINKS = ["newest", "absent", "templated", "purged", "stale"]


class Record:
    """A durable record in memory; can die before or after a write."""

    claims: dict[str, object]

    def __init__(self, kill: str = "", claims: dict[str, object] | None = None) -> None:
        self.written: str | None = None
        self.kill = kill
        self.claims = {} if claims is None else claims

    def read(self) -> dict[str, Any] | None:
        return None if self.written is None else dict(json.loads(self.written))

    def write(self, values: dict[str, Any]) -> None:
        what = "token" if values["run"] else "intent"
        self._die(f"before the {what}" if what == "intent" else "before the token is written")
        self.written = json.dumps(values)
        self._die(f"after the {what}" if what == "intent" else "after the token is written")

    def claim(self, run: str) -> bool:
        return self.claims.setdefault(run, self) is self

    def _die(self, instant: str) -> None:
        if self.kill == instant:
            self.kill = ""
            raise Killed(instant)


def start(client: StudioClient, report: str, record: Record, epoch: int = 0, **parameters: Any) -> str:
    """Start a run as a task's try does."""
    started = launch(client, client.get_report(report), parameters, record, epoch=epoch, sleep=lambda _seconds: None)
    return started.run.token


def runs(emulator: StudioEmulator, report: str) -> list[dict[str, Any]]:
    return list(emulator.control.state()["reports"][report]["runs_started"])


@pytest.fixture
def report(emulator: StudioEmulator) -> str:
    """A Report that ran before, whose next runs take long."""
    return emulator.control.add_report(
        created_at="2024-01-01T00:00:00+00:00", habit={"run_every_days": 30.0}, expected_runtime=600.0
    )


def listed(client: StudioClient, report: str) -> list[dict[str, Any]]:
    return [run.to_json() for run in client.list_report_runs(report)]
