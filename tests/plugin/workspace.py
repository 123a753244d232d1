# SPDX-License-Identifier: Apache-2.0
"""A workspace with the history of a season: snapshots, plans, journals and usage records.

The package's own code makes it against the emulator. A second workspace is written by hand, with names that break
pages: HTML scripts, formulas, several writing systems, no name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from upath import UPath

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.execution.apply import GuardRails, apply_plan
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from airflow_provider_studio.hooks.usage import RequestSource, SpendingRecorder

POLICY = StalenessPolicy(unviewed_days=90, unrun_days=90, minimum_age_days=30, protected_names=("*do not archive*",))
NIGHTS_AGO = (*range(132, 30, -6), *range(30, 0, -3), 1)
ODD_WORKSPACE = "odd-names"
ODD_NAMES = {
    "0dd000000001": "<script>document.title='owned'</script>",
    "0dd000000002": '=HYPERLINK("https://example.com","click")',
    "0dd000000003": "@SUM(1+1)*cmd|' /C calc'!A0",
    "0dd000000004": "売上レポート «été» 🚀",
    "0dd000000005": '"><img src=x onerror=alert(1)>',
    "0dd000000006": None,
}
ACTOR = {"dag": "studio_nightly_governance", "run": "scheduled__2026-01-01", "task": "apply", "try": "1"}


def live_through_a_season(
    emulator: StudioEmulator, storage: UPath, nights_ago: Sequence[int] = NIGHTS_AGO, *, carry_out: bool = True
) -> None:
    """Take snapshots and make plans at past times, and apply the newest plan, unless `carry_out` is false."""
    control, present = emulator.control, datetime.now(UTC)
    control.set_rate_limit(enabled=False)
    plan = None
    for days in nights_ago:
        time = present - timedelta(days=days)
        control.set_clock(time)
        with client_at(emulator, storage, time) as client:
            take_inventory(client, storage, now=lambda time=time: time, progress=lambda _sentence: None)
        if days <= 30:
            plan = make_plan(storage, "acme", POLICY, now=lambda time=time: time + timedelta(minutes=4))
            plan.write(storage)
    if carry_out and plan is not None:
        _apply(emulator, storage, plan, present - timedelta(hours=2))
    control.set_clock(present)
    control.clear_requests()


APPROVED = {**ACTOR, "task": "approve", "approver": "ada"}
"""Who approved the plan, by the journal."""


def _apply(emulator: StudioEmulator, storage: UPath, plan: Plan, at: datetime) -> None:
    rails = GuardRails(max_actions=10_000, max_share=1.0)
    answer = Journal(storage, "acme", plan.plan_id, actor=APPROVED, sha256=plan.sha256, now=lambda: at)
    answer.write(PLAN, Event.APPROVED, decision="all")
    with client_at(emulator, storage, at, task="apply") as client:
        apply_plan(client, plan, storage, guard_rails=rails, actor={**ACTOR, "approver": "ada"}, now=lambda: at)


def client_at(emulator: StudioEmulator, storage: UPath, at: datetime, task: str = "inventory") -> StudioClient:
    """Return a client that records its requests as those of a task of the nightly DAG at some time."""
    credentials = Credentials("acme", *emulator.credentials(), emulator.url, TokenKind.WORKSPACE)
    recorder = SpendingRecorder(
        lambda: storage,
        workspace="acme",
        connection="studio_default",
        budget_key=credentials.budget_key,
        source=RequestSource(ACTOR["dag"], ACTOR["run"], task, -1, 1),
        now=lambda: at,
    )
    client = StudioClient(credentials, limiter=RateLimiter.unlimited(), on_sent=recorder.note)
    close = client.close

    def close_and_record() -> None:
        recorder.flush()
        close()

    client.close = close_and_record  # type: ignore[method-assign]
    return client


def write_odd_names(storage: UPath, workspace: str = ODD_WORKSPACE) -> None:
    """Write a snapshot of Reports with names that break pages."""
    with SnapshotStore(storage, workspace).writer(datetime.now(UTC) - timedelta(days=1)) as writer:
        for number, (token, name) in enumerate(ODD_NAMES.items()):
            row = {
                "token": token,
                "name": name,
                "collection": "c0",
                "collection_name": "<b>Bold</b>",
                "creator": "o'brien",
                "archived": False,
                "view_count": number,
                "schedules_count": 0,
                "web_url": "javascript:alert(1)" if number == 0 else f"https://app.mode.com/odd/reports/{token}",
                "created_at": datetime.now(UTC) - timedelta(days=400),
            }
            writer.add("reports", row)
        writer.finish({"workspace": workspace})
