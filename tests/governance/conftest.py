# SPDX-License-Identifier: Apache-2.0
"""A small workspace made for governance: dead Reports, living ones, and nights that distinguish them."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.execution.apply import ApplySummary, apply_plan
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.execution.undo import UndoSummary, undo_plan
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.inventory.summary import InventorySummary
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.conftest import client_of, serving
from tests.governance.nights import NOW, ago

ACTOR = {"dag": "test", "run": "1"}
Returned = TypeVar("Returned")
GENEROUS = GuardRails(max_actions=1000, max_share=1.0)


class Governed:
    """An emulated workspace with its storage, and the steps of governance as a night takes them."""

    def __init__(self, emulator: StudioEmulator, storage: UPath) -> None:
        self.emulator, self.storage = emulator, storage
        self.control = emulator.control
        self.client: StudioClient = client_of(emulator)
        self.collection = next(iter(self.client.list_collections())).token
        self.now = NOW
        self._ticks = 0

    def clock(self) -> datetime:
        """Tonight, and a second later at each call."""
        self._ticks += 1
        return self.now + timedelta(seconds=self._ticks)

    def report(self, name: str = "Old", *, schedules: int = 0, **fields: Any) -> str:
        """Add a Report that is dead: two years old, edited a year ago, 5 views long ago."""
        fields = {
            "created_at": ago(730).isoformat(),
            "edited_at": ago(365).isoformat(),
            "extra_views": 5,
            "collection": self.collection,
            "name": name,
            **fields,
        }
        token = self.control.add_report(**fields)
        for number in range(schedules):
            self.control.add_schedule(token, cron={"hour": 6 + number}, params={"number": number})
            self.client.create_subscription(token, {"csv_attachments_enabled": True, "report_links_enabled": False})
        return token

    def night(self, days_ago: float = 0, **options: Any) -> InventorySummary:
        self.control.set_clock(ago(days_ago))
        self.now = max(self.now, ago(days_ago))
        return take_inventory(self.client, self.storage, now=lambda: ago(days_ago), **options)

    def nights(self, *days_ago: float) -> None:
        for days in days_ago:
            self.night(days)

    def plan(self, **policy: Any) -> Plan:
        """Make tonight's plan, as a plan that was made at the same time would be."""
        return make_plan(self.storage, "acme", StalenessPolicy(**policy), client=self.client, now=lambda: self.now)

    def apply(self, plan: Plan, **options: Any) -> ApplySummary:
        options = {"guard_rails": GENEROUS, "actor": ACTOR, "concurrency": 1, "now": self.clock, **options}
        return apply_plan(options.pop("client", self.client), plan, self.storage, **options)

    def undo(self, plan: Plan, **options: Any) -> UndoSummary:
        options = {"actor": ACTOR, "concurrency": 1, "now": self.clock, **options}
        return undo_plan(options.pop("client", self.client), self.storage, plan.plan_id, **options)

    def state(self) -> dict[str, Any]:
        """The truth, without what moves by itself."""
        state = self.control.state()
        return {
            "archived": sorted(token for token, report in state["reports"].items() if report["archived"]),
            "schedules": sorted(
                (
                    schedule["report"],
                    str(schedule["cron"]),
                    str(schedule["params"]),
                    schedule["name"],
                    schedule["timeout"],
                )
                for schedule in state["schedules"].values()
            ),
            "subscriptions": sorted(
                (state["schedules"][subscription["schedule"]]["report"], str(sorted(subscription["options"].items())))
                for subscription in state["subscriptions"].values()
            ),
        }

    def changes(self) -> list[str]:
        """The requests that changed something, as `METHOD path`."""
        requests = self.control.requests_summary()["requests"]
        return [f"{request['method']} {request['path']}" for request in requests if request["method"] != "GET"]


@dataclass
class _Built:
    """What a function left behind: the world, the files of the storage, the time, and what it returned."""

    world: bytes
    files: dict[str, bytes]
    now: datetime
    ticks: int
    returned: Any


def built_once(build: Callable[[Governed], Returned]) -> Callable[[Governed], Returned]:
    """Let a function that fills a workspace do so once for all tests that begin so: its effect is put back into each.

    What it returns must be a value, without the workspace in it.
    """

    @functools.cache
    def built() -> _Built:
        with StudioEmulator("acme", reports=0, now=NOW) as emulator, tempfile.TemporaryDirectory() as folder:
            governed = Governed(emulator, UPath(folder))
            returned = build(governed)
            files = {
                str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
            }
            return _Built(governed.control.save(), files, governed.now, governed._ticks, returned)

    @functools.wraps(build)
    def again(governed: Governed) -> Returned:
        cached = built()
        governed.control.restore(cached.world)
        governed.now, governed._ticks = cached.now, cached.ticks
        for name, content in cached.files.items():
            path = Path(str(governed.storage)) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        governed.control.clear_requests()
        return cached.returned  # type: ignore[no-any-return]

    return again


@pytest.fixture
def governed(storage: UPath, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Governed]:
    """A workspace without Reports; a test adds those that it speaks of."""
    with serving(request, monkeypatch, reports=0, now=NOW) as emulator:
        yield Governed(emulator, storage)
