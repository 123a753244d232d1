# SPDX-License-Identifier: Apache-2.0
"""The provider at work on a contrary service; each step is compared with the emulator's state, never with the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.run_start import launch
from airflow_provider_studio.governance.execution.apply import ApplySummary, apply_plan
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.execution.undo import UndoSummary, undo_plan
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.inventory.summary import InventorySummary
from airflow_provider_studio.governance.layout import journal_folder
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.contrary import oracle
from tests.contrary.service import Service, Truth

ACTOR = {"dag": "contrary", "run": "1"}
GENEROUS = GuardRails(max_actions=1000, max_share=1.0)
MOST_REQUESTS = 1500
"""More than any step of a workspace of 70 Reports needs, even with one row a page."""
MOST_SECONDS_WAITED = 900.0
"""The longest that one step may wait: a few pauses of a minute, never an hour."""
Faults = Sequence[dict[str, Any]]


class Provider:
    """The steps of the provider, within bounds; a step that is refused with a clear error returns None.

    :param log: receives a few words about each step.
    """

    def __init__(self, service: Service, storage: UPath, log: Callable[[str], None]) -> None:
        self._service, self._storage, self._log = service, storage, log
        self._inventoried: Truth | None = None
        self.plan: Plan | None = None
        self.before_plan: Truth | None = None
        self.touched: set[str] = set()
        """The Reports that people changed since the plan was made."""

    def _step(self, name: str, work: Callable[[], Any], faults: Faults = ()) -> Any:
        service, waited = self._service, self._service.waited
        service.control.clear_requests()
        for fault in faults:
            service.control.add_fault(**fault)
        result = None
        try:
            result = work()
            self._log(f"{name}: done")
        except StudioError as error:
            oracle.check_refusal(error)
            self._log(f"{name}: {type(error).__name__}{' after a fault' if faults else ''}")
        if faults:
            service.control.clear_faults()
        assert service.waited - waited <= MOST_SECONDS_WAITED, f"{name}: {service.waited - waited} seconds waited"
        assert service.control.requests_sent() <= MOST_REQUESTS, f"{name}: too many requests"
        return result

    @property
    def has_snapshot(self) -> bool:
        return self._inventoried is not None

    def night(self, days: int = 1, faults: Faults = ()) -> InventorySummary | None:
        """Let days pass, and take an inventory that is complete."""
        service = self._service
        service.advance(timedelta(days=days))
        truth = service.truth()
        summary: InventorySummary | None = self._step(
            "inventory",
            lambda: take_inventory(service.client, self._storage, now=service.clock, threads=2, max_shrink=1.0),
            faults,
        )
        if summary is not None:
            oracle.check_snapshot(oracle.Rows.read(summary.path), truth, service.truth())
            self._inventoried = truth
        return summary

    def make_plan(self, policy: StalenessPolicy, faults: Faults = ()) -> Plan | None:
        """Make a plan of Reports that are stale, and change nothing."""
        service = self._service
        service.advance(timedelta(minutes=1))  # a plan of the same second would be the same plan
        before = service.truth()
        plan: Plan | None = self._step(
            "plan",
            lambda: make_plan(self._storage, "acme", policy, client=service.client, now=service.clock),
            faults,
        )
        oracle.check_nothing_else(before, service.truth())
        if plan is not None:
            assert self._inventoried is not None
            oracle.check_plan(plan, self._inventoried)
            self._log("plan with actions" if plan.actions else "plan without actions")
            self.plan, self.before_plan, self.touched = plan, None, set()
        return plan

    def apply(self, concurrency: int = 1, faults: Faults = ()) -> ApplySummary | None:
        """Apply the plan: a backup before each action, nothing outside the plan, and done is what is so."""
        plan, service, before = self.plan, self._service, self._service.truth()
        assert plan is not None
        folder = Path(str(journal_folder(self._storage, "acme", plan.plan_id)))
        earlier = oracle.done_in(folder)
        with oracle.backups_before_actions(folder):
            summary: ApplySummary | None = self._step(
                "apply",
                lambda: apply_plan(
                    service.client,
                    plan,
                    self._storage,
                    guard_rails=GENEROUS,
                    actor=ACTOR,
                    concurrency=concurrency,
                    now=service.clock,
                ),
                faults,
            )
        after = service.truth()
        oracle.check_only_planned(plan, before, after)
        oracle.check_journal(folder, plan, earlier, before, after)
        self.before_plan = self.before_plan or before
        return summary

    def undo(self, faults: Faults = ()) -> UndoSummary | None:
        """Undo the plan: everything is restored, or the summary says what is not."""
        plan, original, service = self.plan, self.before_plan, self._service
        assert plan is not None
        assert original is not None
        before = service.truth()
        summary: UndoSummary | None = self._step(
            "undo",
            lambda: undo_plan(
                service.client, self._storage, plan.plan_id, actor=ACTOR, concurrency=2, now=service.clock
            ),
            faults,
        )
        after = service.truth()
        oracle.check_only_undone(plan, before, after)
        if summary is None or summary.failures or summary.not_tried or summary.stopped:
            self._log("undo: something is not restored")
            return summary
        oracle.check_restored(plan, original, after, self.touched)
        self._log("undo: everything is restored")
        self.plan = self.before_plan = None
        return summary

    def run_report(self, token: str, tries: Sequence[Faults] = ((),)) -> str | None:
        """Start a run in one or more tries of a task, exactly once, and return its token."""
        service, record = self._service, Record()
        self.touched.add(token)
        earlier = len(service.truth().reports[token]["runs_started"])
        report = self._step("read", lambda: service.client.get_report(token))
        if report is None:
            return None
        started = None
        for faults in tries:
            started = self._step(
                "run",
                lambda: launch(service.client, report, {}, record, sleep=service.sleep, now=service.clock),
                faults,
            )
        found = [each["token"] for each in service.truth().reports[token]["runs_started"][earlier:]]
        assert len(found) <= 1, "a run was started twice"
        if started is None:
            return None
        assert found == [started.run.token]
        return str(found[0])


class Record:
    """The durable record of one start."""

    def __init__(self) -> None:
        self._values: dict[str, Any] | None = None

    def read(self) -> dict[str, Any] | None:
        return self._values

    def write(self, values: dict[str, Any]) -> None:
        self._values = dict(values)

    def claim(self, run: str) -> bool:
        return True
