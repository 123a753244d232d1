# SPDX-License-Identifier: Apache-2.0
"""Carry a plan out: each Report is read again, backed up, acted on, verified and journaled, schedules before archive.

Killed anywhere, the next call goes on: what is journaled as settled stays settled, and an intent without an outcome is
held against the live workspace before anything is done. A stale Report costs 2 requests, one with schedules 4 and 3 for
each of them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Self

from upath import UPath

from airflow_provider_studio.client.api import StudioClient
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioAuthenticationError,
    StudioError,
    StudioNotFoundError,
    StudioResponseError,
)
from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.governance.errors import GuardRailError, StorageError, WrongWorkspaceError
from airflow_provider_studio.governance.inventory import SAME_RUN
from airflow_provider_studio.governance.journal import Event, Journal
from airflow_provider_studio.governance.plan import Action, ActionKind, Baseline, Plan
from airflow_provider_studio.governance.policy import StalenessPolicy
from airflow_provider_studio.governance.storage import utcnow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GuardRails:
    """How much one plan may do at most.

    :param max_actions: actions in the plan.
    :param max_share: share of the snapshot's Reports that the plan touches, above 0 and at most 1.
    :param max_failures_in_a_row: after so many failures nothing more is tried.
    :raises GuardRailError: a value that makes no sense.
    """

    max_actions: int = 100
    max_share: float = 0.05
    max_failures_in_a_row: int = 5

    def __post_init__(self) -> None:
        if not self.max_actions >= 1:
            raise GuardRailError(f"max_actions is {self.max_actions!r}; it must be 1 or more.")
        if not 0 < self.max_share <= 1:
            raise GuardRailError(f"max_share is {self.max_share!r}; it must be above 0 and at most 1 (0.05 is 5 %).")
        if not self.max_failures_in_a_row >= 1:
            raise GuardRailError(f"max_failures_in_a_row is {self.max_failures_in_a_row!r}; it must be 1 or more.")

    @classmethod
    def of(cls, max_actions: int | str, max_share: float | str) -> Self:
        """Return the guard rails that numbers stand for, or the texts that templates make of them."""
        try:
            actions = int(max_actions)
        except ValueError:
            raise GuardRailError(f"max_actions is {max_actions!r}; it must be a whole number.") from None
        try:
            share = float(max_share)
        except ValueError:
            raise GuardRailError(f"max_share is {max_share!r}; it must be a number such as 0.05 for 5 %.") from None
        return cls(max_actions=actions, max_share=share)

    def check(self, plan: Plan) -> None:
        """Refuse a plan that is larger than it may be.

        :raises GuardRailError: says how large it is, what is allowed, and the mend.
        """
        mend = "Look at the plan; if it is right, raise the limit for this run. Nothing was touched."
        if len(plan.actions) > self.max_actions:
            raise GuardRailError(
                f"Plan {plan.plan_id} has {len(plan.actions)} actions; max_actions allows {self.max_actions}. {mend}"
            )
        share = len(plan.reports) / max(1, plan.header.reports_in_snapshot)
        if share > self.max_share:
            raise GuardRailError(
                f"Plan {plan.plan_id} touches {share:.1%} of the workspace's Reports; "
                f"max_share allows {self.max_share:.1%}. {mend}"
            )


@dataclass
class ApplySummary:
    """What came of a plan.

    :param skipped: how many actions were not done, by reason.
    :param already_done: actions that an earlier try had settled.
    :param failures: what went wrong, in words.
    :param stopped: why the rest was not tried, if it was not.
    """

    plan_id: str
    archived: int = 0
    schedules_deleted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    already_done: int = 0
    failures: list[str] = field(default_factory=list)
    stopped: str | None = None
    requests_spent: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return {**vars(self), "skipped": dict(self.skipped), "failed": len(self.failures)}


def apply_plan(
    client: StudioClient,
    plan: Plan,
    storage: UPath,
    *,
    guard_rails: GuardRails | None = None,
    actor: Mapping[str, str],
    now: Callable[[], datetime] = utcnow,
) -> ApplySummary:
    """Carry a plan out, or go on with it.

    :param actor: who acts, for the journal: DAG, run, task, try, approver.
    :raises GuardRailError: the plan is too large; nothing was touched.
    :raises StorageError: the journal cannot be written; nothing was done that it does not tell.
    :raises WrongWorkspaceError: the client opens another workspace.
    """
    if plan.workspace != client.workspace:
        raise WrongWorkspaceError(
            f"Plan {plan.plan_id} is for the workspace {plan.workspace!r}, but the connection opens "
            f"{client.workspace!r}. Use the connection that the plan was made with."
        )
    rails = guard_rails or GuardRails()
    rails.check(plan)
    journal = Journal(storage, plan.workspace, plan.plan_id, actor=actor, now=now)
    journal.check_writable()
    work = _Apply(client.with_priority(Priority.ACT), plan, journal, rails)
    return work.run()


class _Skip(Exception):  # noqa: N818  it is no error: it is the reason to leave a Report alone
    """A reason not to act."""


class _Apply:
    """One apply on its way."""

    def __init__(self, client: StudioClient, plan: Plan, journal: Journal, rails: GuardRails) -> None:
        self._client = client
        self._plan = plan
        self._policy = StalenessPolicy.of(plan.header.policy)
        self._journal = journal
        self._rails = rails
        self._summary = ApplySummary(plan.plan_id)
        self._failures_in_a_row = 0

    def run(self) -> ApplySummary:
        before = self._client.spending.requests
        try:
            for report, actions in groupby(self._plan.actions, key=lambda action: action.report):
                self._report(report, list(actions))
                if self._summary.stopped:
                    break
        finally:
            self._summary.requests_spent = self._client.spending.requests - before
            log.info("Applied plan %s: %s", self._plan.plan_id, self._summary.to_dict())
        return self._summary

    def _report(self, token: str, actions: list[Action]) -> None:
        """Do what is left to do for one Report; whatever goes wrong with it leaves the others alone."""
        pending = [one for one in actions if not self._journal.has(one.action_id, Event.DONE, Event.SKIPPED)]
        self._summary.already_done += len(actions) - len(pending)
        if not pending:
            return
        try:
            live, schedules = self._read_again(token, pending)
            self._still_stale(live, schedules, pending)
        except _Skip as reason:
            self._skip(pending, str(reason))
            return
        except StudioError as error:
            self._fail(pending[0], error)
            return
        self._act(pending, live, schedules)

    def _read_again(self, token: str, pending: Sequence[Action]) -> tuple[Report, dict[str, Schedule]]:
        """Read the Report and, unless it surely has none, its schedules as they are now."""
        try:
            live = self._client.get_report(token)
            has_schedules = live.schedules_count != 0 or len(pending) > 1
            schedules = list(self._client.list_schedules(token)) if has_schedules else []
        except StudioNotFoundError:
            raise _Skip("gone") from None
        return live, {schedule.token: schedule for schedule in schedules}

    def _still_stale(self, live: Report, schedules: Mapping[str, Schedule], pending: Sequence[Action]) -> None:
        """Hold the Report against what the plan saw; what Studio does not tell is no leave to act.

        :raises _Skip: it came alive, or cannot be told to be dead.
        """
        baseline = pending[0].baseline
        begun = any(self._journal.has(action.action_id, Event.INTENT) for action in pending)
        if None in (live.archived, live.view_count, live.edited_at, live.space_token):
            raise _Skip("unknown")
        if live.archived and not begun:
            raise _Skip("already_archived")
        checks = {
            "viewed": live.view_count != baseline.view_count,
            "edited": live.edited_at != baseline.edited_at,
            "moved": live.space_token != baseline.collection,
            "protected": self._policy.protecting_pattern(live.name) is not None,
            "rescheduled": not set(schedules) <= set(baseline.schedules),
            "run": self._ran_since(live, schedules, baseline),
        }
        for reason, came_alive in checks.items():
            if came_alive:
                raise _Skip(reason)

    def _ran_since(self, live: Report, schedules: Mapping[str, Schedule], baseline: Baseline) -> bool:
        """Whether somebody other than a schedule of the plan ran the Report since the snapshot."""
        if live.last_run_at is None or live.last_run_at == baseline.last_run_at:
            return False
        by_schedules = [schedule.last_run_at for schedule in schedules.values()]
        by_schedules += [
            self._backed_up_run(live.token, token) for token in baseline.schedules if token not in schedules
        ]
        return not any(at is not None and abs(at - live.last_run_at) <= SAME_RUN for at in by_schedules)

    def _backed_up_run(self, report: str, schedule: str) -> datetime | None:
        """When a schedule that an earlier try deleted last ran."""
        action_id = f"{ActionKind.DELETE_SCHEDULE.value}-{report}-{schedule}"
        if not self._journal.has(action_id, Event.INTENT):
            return None
        return Schedule.parse(self._journal.read(action_id, Event.INTENT)["backup"]["schedule"]).last_run_at

    def _act(self, pending: Sequence[Action], live: Report, schedules: Mapping[str, Schedule]) -> None:
        schedules_gone = True
        for action in pending:
            try:
                if action.kind is ActionKind.DELETE_SCHEDULE:
                    schedules_gone &= self._delete_schedule(action, schedules.get(action.schedule or ""))
                elif schedules_gone:
                    self._archive(action, live)
                else:
                    self._skip([action], "schedule_kept")
            except StorageError:
                raise
            except StudioError as error:
                schedules_gone = False
                self._fail(action, error)
            if self._summary.stopped:
                return

    def _delete_schedule(self, action: Action, schedule: Schedule | None) -> bool:
        """Back a schedule up and delete it. Returns whether it is gone now."""
        if schedule is None:
            if self._journal.has(action.action_id, Event.INTENT):  # an earlier try was killed after its effect
                self._done(action, resumed=True)
            else:
                self._skip([action], "gone")
            return True
        try:
            values = schedule.machine_values()
        except StudioResponseError as error:
            log.warning("Schedule %s of Report %s is kept: %s", schedule.token, action.report, error)
            self._skip([action], "no_faithful_backup")
            return False
        subscriptions = list(self._client.list_schedule_subscriptions(action.report, schedule.token))
        backup = {
            "schedule": schedule.to_json(),
            "machine_values": values.model_dump(mode="json"),
            "subscriptions": [one.to_json() for one in subscriptions],
        }
        self._journal.write(action, Event.INTENT, backup=backup)
        self._client.delete_schedule(action.report, schedule.token)
        self._done(action)
        return True

    def _archive(self, action: Action, live: Report) -> None:
        if live.archived:  # an earlier try was killed after its effect
            self._done(action, resumed=True)
            return
        self._journal.write(action, Event.INTENT, backup={"report": live.to_json()})
        answer = self._client.archive_report(action.report)
        archived = answer if answer.archived is not None else self._client.get_report(action.report)
        if not archived.archived or archived.schedules_count:
            raise StudioResponseError(
                f"Report {action.report} was to be archived without schedules, but Studio says archived="
                f"{archived.archived}, schedules_count={archived.schedules_count}. Look at it in Studio."
            )
        self._done(action)

    def _done(self, action: Action, *, resumed: bool = False) -> None:
        self._journal.write(action, Event.DONE, resumed=resumed)
        self._failures_in_a_row = 0
        if action.kind is ActionKind.ARCHIVE_REPORT:
            self._summary.archived += 1
        else:
            self._summary.schedules_deleted += 1

    def _skip(self, actions: Sequence[Action], reason: str) -> None:
        for action in actions:
            log.info("%s is skipped: %s", action.action_id, reason)
            self._journal.write(action, Event.SKIPPED, reason=reason)
            self._summary.skipped[reason] += 1

    def _fail(self, action: Action, error: StudioError) -> None:
        status = error.status if isinstance(error, StudioAPIError) else None
        log.warning("%s failed: %s", action.action_id, error)
        self._journal.write(action, Event.FAILED, error=str(error), http_status=status)
        self._summary.failures.append(f"{action.action_id}: {error}")
        self._failures_in_a_row += 1
        if isinstance(error, StudioAuthenticationError):
            self._summary.stopped = "the token is not valid any more"
        elif self._failures_in_a_row >= self._rails.max_failures_in_a_row:
            self._summary.stopped = f"{self._failures_in_a_row} failures in a row"
