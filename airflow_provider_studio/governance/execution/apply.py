# SPDX-License-Identifier: Apache-2.0
"""Apply a plan: each Report is read again, backed up, changed, verified and journaled, its schedules before the Report.

A retry resumes an apply that was killed at any point: settled actions stay settled, and an intent without a result is
first checked against the live workspace. Concurrent applies of one plan are safe.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioError,
    StudioNotFoundError,
)
from airflow_provider_studio.client.models import Schedule
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.governance import file_names
from airflow_provider_studio.governance.errors import StorageError, WrongWorkspaceError, is_refusal
from airflow_provider_studio.governance.execution.actions import ANOTHER_APPLY, NOT_FOUND, ActionRunner, Outcome
from airflow_provider_studio.governance.execution.concurrency import run_concurrently
from airflow_provider_studio.governance.execution.failures import Failures
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.execution.recheck import LiveReport, reason_to_skip
from airflow_provider_studio.governance.execution.summary_text import apply_in_words
from airflow_provider_studio.governance.layout import plan_path
from airflow_provider_studio.governance.plans.collection_names import CollectionNames
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.models import REFUSED, Action, ActionKind, Rule
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.subscriber_count import count_subscribers, total
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.storage import explained, utcnow
from airflow_provider_studio.governance.text import plain
from airflow_provider_studio.governance.workspace_host import check_host

log = logging.getLogger(__name__)

SCHEDULE_FAILED = "schedule_failed"
"""Why a Report is not archived yet, without an event in the journal: a retry may delete its schedule and archive it."""


@dataclass
class ApplySummary:
    """The result of an apply.

    :param skipped: the number of skipped actions by reason.
    :param already_done: the number of actions that an earlier try had settled.
    :param done: the ids of the actions that were done, by this try or an earlier one.
    :param warnings: problems with actions that were done, in words.
    :param failures: the failures, in words.
    :param refused: the number of actions that Studio refused.
    :param refused_again: the refusals that the plan expects, in words; they are not failures.
    :param retry_helps: whether a retry may succeed with the failed actions.
    :param stopped: why the apply was stopped, if it was.
    """

    plan_id: str
    archived: int = 0
    unarchived: int = 0
    schedules_deleted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    already_done: int = 0
    done: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    refused: int = 0
    refused_again: list[str] = field(default_factory=list)
    retry_helps: bool = False
    stopped: str | None = None
    requests_spent: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary in numbers, as plain JSON."""
        numbers = {name: value for name, value in vars(self).items() if name != "done"}
        return {**numbers, "skipped": dict(self.skipped), "failed": len(self.failures)}


def apply_plan(
    client: StudioClient,
    plan: Plan,
    storage: UPath,
    *,
    guard_rails: GuardRails | None = None,
    limits: DeploymentLimits | None = None,
    signer: Signer = UNSIGNED,
    actor: Mapping[str, str],
    kinds: Collection[ActionKind] = tuple(ActionKind),
    stop: Callable[[], str | None] = lambda: None,
    concurrency: int = 4,
    now: Callable[[], datetime] = utcnow,
) -> ApplySummary:
    """Apply a plan, or resume an apply.

    :param limits: the deployment's limits, which make the guard rails stricter and protect Reports in every plan.
    :param signer: verifies the plan's signature, and signs the events of the journal.
    :param actor: who acts, for the journal: DAG, run, task, try, approver.
    :param kinds: the approved kinds of actions; all others are skipped permanently.
    :param stop: called before each action; returns the reason to stop, or None. An exception stops the apply too.
    :param concurrency: the number of Reports processed concurrently; the actions of one Report run in sequence.
    :raises GuardRailError: the plan is too large or too old; nothing was touched.
    :raises StorageError: the journal cannot be written; nothing was done that is not journaled.
    :raises WrongWorkspaceError: the client opens another workspace.
    """
    if plan.workspace != client.workspace:
        raise WrongWorkspaceError(
            f"Plan {plan.plan_id} is for the workspace {plan.workspace!r}, but the connection opens "
            f"{client.workspace!r}. Use the connection that the plan was created with."
        )
    check_host(client, storage)
    limits = limits or DeploymentLimits()
    rails = (guard_rails or GuardRails()).within(limits)
    rails.check(plan, now())
    _ensure_written(plan, storage, signer)
    plan.check_signature(signer)
    journal = Journal(storage, plan.workspace, plan.plan_id, actor=actor, sha256=plan.sha256, signer=signer, now=now)
    journal.check_writable()
    apply = _Apply(
        client.with_priority(Priority.ACT),
        plan,
        journal,
        rails=rails,
        limits=limits,
        kinds=frozenset(kinds),
        stop=stop,
    )
    return apply.run(concurrency)


def _ensure_written(plan: Plan, storage: UPath, signer: Signer) -> None:
    """Write a plan that is only in memory, because an undo reads it."""
    path = plan_path(storage, plan.workspace, plan.plan_id)
    with explained("read the plan", path):
        is_written = path.exists()
    if not is_written:
        plan.write(storage, signer=signer)


class _Apply:
    """The state of a running apply."""

    def __init__(
        self,
        client: StudioClient,
        plan: Plan,
        journal: Journal,
        *,
        rails: GuardRails,
        limits: DeploymentLimits,
        kinds: frozenset[ActionKind],
        stop: Callable[[], str | None],
    ) -> None:
        self._client = client
        self._plan = plan
        self._policy = StalenessPolicy.of_plan(plan.header.policy) if plan.header.policy else None
        self._limits = limits
        self._collections = CollectionNames(client, limits)
        self._journal = journal
        self._runner = ActionRunner(client, journal)
        self._kinds = kinds
        self._stop = stop
        self._summary = ApplySummary(plan.plan_id)
        self._failures = Failures(
            max_in_a_row=rails.max_failures_in_a_row, max_refused_at_first=rails.max_refused_at_first
        )
        self._lock = threading.Lock()

    def run(self, concurrency: int) -> ApplySummary:
        before = self._client.spending.requests
        reports = [list(actions) for _, actions in groupby(self._plan.actions, key=lambda action: action.report)]
        # Reports that failed in an earlier try come last: they may fail again and stop the apply.
        reports.sort(key=lambda actions: any(self._journal.has(action.action_id, Event.FAILED) for action in actions))
        try:
            run_concurrently(self._report, reports, concurrency)
        finally:
            self._summary.requests_spent = self._client.spending.requests - before
            log.info("Applied plan %s: %s", self._plan.plan_id, apply_in_words(self._summary))
        return self._summary

    def _report(self, actions: list[Action]) -> None:
        """Execute the pending actions on one Report; its errors do not affect other Reports."""
        pending = [action for action in actions if not self._journal.has(action.action_id, Event.DONE, Event.SKIPPED)]
        done = {action.action_id for action in actions if self._journal.has(action.action_id, Event.DONE)}
        with self._lock:
            self._summary.already_done += len(actions) - len(pending)
            self._summary.done |= done
        for action in pending:
            if action.kind not in self._kinds:
                self._skip(action, "not_approved")
        pending = [action for action in pending if action.kind in self._kinds]
        if not pending or self._stopped():
            return
        try:
            live = self._read_again(pending)
        except StudioError as error:
            self._fail(pending[0], error)
        else:
            if live is None:
                for action in pending:
                    self._skip(action, NOT_FOUND, http_status=404)
            else:
                self._act([action for action in pending if not self._settled(action, live)], live)

    def _read_again(self, pending: list[Action]) -> LiveReport | None:
        """Read the Report, and a list of its schedules unless it is only unarchived: its count of them may be wrong.

        Return None if the Report does not exist, or if the token may not see it.

        :raises StudioError: it cannot be read; or it is not found, and an earlier try may have changed it.
        """
        token = pending[0].report
        try:
            report = self._client.get_report(token)
        except StudioNotFoundError:
            if any(self._journal.has(action.action_id, Event.INTENT) for action in pending):
                raise
            return None
        only_unarchives = all(action.kind is ActionKind.UNARCHIVE_REPORT for action in pending)
        schedules = [] if only_unarchives else list(self._client.list_schedules(token))
        return LiveReport(
            report,
            {schedule.token: schedule for schedule in schedules},
            lambda schedule: self._backed_up_run(token, schedule),
            self._collections.of(report.space_token),
            self._subscribers(token, schedules),
        )

    def _subscribers(self, report: str, schedules: Sequence[Schedule]) -> int | None:
        """Return how many people get a Report's results, with a request only if the plan's policy needs the number."""
        if self._policy is None or not self._policy.protected_subscribers:
            return None
        listed = total(schedule.subscriber_count for schedule in schedules)
        return count_subscribers(self._client, report, listed) if schedules and listed is None else listed

    def _backed_up_run(self, report: str, schedule: str) -> datetime | None:
        """Return the last run of a schedule that an earlier try deleted."""
        action_id = file_names.action_id(ActionKind.DELETE_SCHEDULE.value, report, schedule)
        if not self._journal.has(action_id, Event.INTENT):
            return None
        return Schedule.parse(self._journal.read(action_id, Event.INTENT)["backup"]["schedule"]).last_run_at

    def _settled(self, action: Action, live: LiveReport) -> bool:
        """Whether an earlier try did the action and was killed before it wrote the result; write it now."""
        if not self._journal.has(action.action_id, Event.INTENT) or not self._runner.has_effect(action, live):
            return False
        self._done(action, Outcome(after=self._runner.effect(action), http_status=None), resumed=True)
        return True

    def _act(self, pending: list[Action], live: LiveReport) -> None:
        """Execute actions in order; a Report that has a schedule is not archived."""
        schedules, failed = frozenset(live.schedules), False
        reasons = self._reasons(pending, live)
        for action in pending:
            reason = reasons[action.action_id]
            if reason is None and action.kind is ActionKind.ARCHIVE_REPORT and (schedules or failed):
                reason = SCHEDULE_FAILED if failed else "schedule_kept"
            if reason is not None and self._runner.has_effect(action, live):
                reason = self._runner.attribute_effect(action, reason)
            if reason is None and self._stopped():
                return
            outcome = self._try(action, live) if reason is None else Outcome(skipped=reason)
            if outcome is not None and outcome.schedules is not None:
                schedules = outcome.schedules
            if outcome is None:
                failed = True
            elif outcome.skipped is None:
                self._done(action, outcome)
            else:
                self._skip(action, outcome.skipped, **outcome.facts)
                if outcome.skipped == ANOTHER_APPLY:
                    return

    def _reasons(self, pending: list[Action], live: LiveReport) -> dict[str, str | None]:
        """Return why each action must be skipped; the use of one schedule counts for its whole Report."""
        reasons = {action.action_id: reason_to_skip(action, live, self._policy, self._limits) for action in pending}
        stale = [action.action_id for action in pending if action.rule is Rule.STALE]
        alive = next((reason for action_id in stale if (reason := reasons[action_id]) is not None), None)
        return reasons | dict.fromkeys(stale, alive)

    def _try(self, action: Action, live: LiveReport) -> Outcome | None:
        """Execute one action. Return None if it failed."""
        try:
            return self._runner.run(action, live)
        except StorageError:
            raise
        except StudioError as error:
            self._fail(action, error)
            return None

    def _done(self, action: Action, outcome: Outcome, *, resumed: bool = False) -> None:
        first = self._journal.write(
            action,
            Event.DONE,
            before=outcome.before,
            after=outcome.after,
            http_status=outcome.http_status,
            resumed=resumed,
        )
        log.info("%s is done: %s", action.action_id, plain(action.report_name or "untitled"))
        with self._lock:
            self._failures.success()
            self._summary.done.add(action.action_id)
            self._summary.warnings += outcome.warnings
            if not first:  # another apply of this plan journaled it first
                self._summary.already_done += 1
            elif action.kind is ActionKind.ARCHIVE_REPORT:
                self._summary.archived += 1
            elif action.kind is ActionKind.UNARCHIVE_REPORT:
                self._summary.unarchived += 1
            else:
                self._summary.schedules_deleted += 1

    def _skip(self, action: Action, reason: str, **facts: Any) -> None:
        log.info("%s is skipped: %s: %s", action.action_id, reason, plain(action.report_name or "untitled"))
        if reason not in {ANOTHER_APPLY, SCHEDULE_FAILED}:
            self._journal.write(action, Event.SKIPPED, reason=reason, **facts)
        with self._lock:
            self._summary.skipped[reason] += 1

    def _fail(self, action: Action, error: StudioError) -> None:
        status = error.status if isinstance(error, StudioAPIError) else None
        refused = is_refusal(error)
        expected = refused and (REFUSED, status) in {(fact.field, fact.value) for fact in action.evidence}
        log.warning("%s failed: %s", action.action_id, error)
        self._journal.write(action, Event.FAILED, error=str(error), http_status=status, refused=refused)
        with self._lock:
            summary = self._summary
            (summary.refused_again if expected else summary.failures).append(f"{action.action_id}: {error}")
            summary.refused += refused
            summary.retry_helps |= error.retry_helps and not expected
            reason = self._failures.failure(action.report, error, expected=expected)
            if reason is not None:
                self._halt(reason, refused=refused)

    def _stopped(self) -> bool:
        """Whether the apply is stopped; call the stop switch, in one thread at a time."""
        with self._lock:
            if self._summary.stopped is None:
                try:
                    reason = self._stop()
                except Exception as error:
                    # A secrets backend's own text may have more than its type, and the journal is kept.
                    log.warning("The stop switch cannot be read", exc_info=True)
                    reason = f"the stop switch cannot be read ({type(error).__name__})"
                if reason:
                    self._halt(reason)
            return self._summary.stopped is not None

    def _halt(self, reason: str, *, refused: bool = False) -> None:
        """Stop the apply.

        :param refused: whether the reason is that Studio refuses all requests, which does not concern a single Report.
        """
        if self._summary.stopped is None:
            self._summary.stopped = reason
            self._journal.write(PLAN, Event.STOPPED, reason=reason, refused=refused)
