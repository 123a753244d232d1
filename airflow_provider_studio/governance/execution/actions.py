# SPDX-License-Identifier: Apache-2.0
"""The only module that archives, unarchives or deletes what exists: write the intent with a backup, send, verify.

No request is sent before its backup is durable. The response to a change proves nothing: each result is read from the
live workspace. A 404 does not prove that something is gone, because it may also mean "not permitted". A schedule is
gone if a list of its Report's schedules lacks it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioAuthenticationError,
    StudioBadRequestError,
    StudioError,
    StudioForbiddenError,
    StudioNotFoundError,
    StudioResponseError,
)
from airflow_provider_studio.client.models import Report, Schedule, ScheduleInput, Subscription
from airflow_provider_studio.client.resources.subscriptions import SUBSCRIBER_LISTS
from airflow_provider_studio.client.schedule_values import is_same_json
from airflow_provider_studio.client.visibility import read_until
from airflow_provider_studio.governance.errors import NoEffectError
from airflow_provider_studio.governance.execution.recheck import LiveReport
from airflow_provider_studio.governance.execution.subscriptions import options_of
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.models import Action, ActionKind
from airflow_provider_studio.governance.plans.scrubbing import scrubbed

log = logging.getLogger(__name__)

ANOTHER_APPLY = "another_apply"
"""Why an action is skipped without an event in the journal: another apply of this plan does it now."""
NOT_FOUND = "not_found"
"""Why an action is skipped: the Report does not exist, or the token may not see it."""
_NO_EFFECT = (StudioAuthenticationError, StudioForbiddenError)


@dataclass(frozen=True)
class Outcome:
    """The result of an action.

    :param skipped: the reason, if the action was skipped.
    :param facts: further fields for the journal, if the action was skipped.
    :param warnings: problems that remain after the action.
    :param schedules: the schedules that the Report has after the deletion of one; None if they were not read.
    """

    before: Any = None
    after: Any = None
    http_status: int | None = None
    skipped: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    schedules: frozenset[str] | None = None


class ActionRunner:
    """Executes the actions of a plan and journals each of them."""

    def __init__(self, client: StudioClient, journal: Journal) -> None:
        self._client = client
        self._journal = journal

    def run(self, action: Action, live: LiveReport) -> Outcome:
        """Execute one action.

        :raises StudioError: the action was not done, or its result is unknown.
        :raises StorageError: the intent could not be written; nothing was done.
        """
        if action.kind is not ActionKind.DELETE_SCHEDULE:
            return self._set_archived(action, live.report)
        schedule = live.schedules.get(action.schedule or "")
        if schedule is None:
            return Outcome(skipped=self.attribute_effect(action, "gone"))
        try:
            values = schedule.machine_values()
        except StudioResponseError as error:
            log.warning("Schedule %s of Report %s is kept: %s", schedule.token, action.report, error)
            return Outcome(skipped="no_faithful_backup")
        return self._delete(action, schedule, values)

    @staticmethod
    def has_effect(action: Action, live: LiveReport) -> bool:
        """Whether the workspace is already in the state that the action produces."""
        if action.kind is ActionKind.DELETE_SCHEDULE:
            return action.schedule not in live.schedules
        return live.report.archived is (action.kind is ActionKind.ARCHIVE_REPORT)

    def attribute_effect(self, action: Action, reason: str) -> str:
        """Return ANOTHER_APPLY if another apply of this plan has journaled its intent by now, else the reason."""
        return ANOTHER_APPLY if self._journal.has_by_now(action.action_id, Event.INTENT) else reason

    @staticmethod
    def effect(action: Action) -> dict[str, Any]:
        """The state that an action produces, as the journal stores it."""
        if action.kind is ActionKind.DELETE_SCHEDULE:
            return {"schedule": None}
        return {"archived": action.kind is ActionKind.ARCHIVE_REPORT}

    def _intend(self, action: Action, before: Any, backup: dict[str, Any]) -> bool:
        """Write the intent. Return False if another apply of this plan has just written it."""
        if not self._journal.has(action.action_id, Event.INTENT):
            return self._journal.write(action, Event.INTENT, before=before, backup=backup)
        earlier_backup = self._journal.read(action.action_id, Event.INTENT)["backup"]
        if _restorable(earlier_backup) != _restorable(backup):
            raise StudioResponseError(
                f"Schedule {action.schedule} of Report {action.report} was changed after an earlier try backed it up; "
                "it is kept. Create a new plan."
            )
        self._journal.write(action, Event.RESUMED, before=before)
        return True

    def _delete(self, action: Action, schedule: Schedule, values: ScheduleInput) -> Outcome:
        backup = self._backup(action, schedule, values)
        if isinstance(backup, Outcome):
            return backup
        before = {"schedule": schedule.token, "name": schedule.name, "cron": backup["machine_values"]["cron"]}
        has_earlier_intent = self._journal.has(action.action_id, Event.INTENT)
        if not self._intend(action, before, backup):
            return Outcome(skipped=ANOTHER_APPLY)
        refusal: StudioError | None = None
        try:
            self._client.delete_schedule(action.report, schedule.token)
        except _NO_EFFECT:
            raise
        except StudioError as error:
            refusal = error
        status = _status_of(refusal) if refusal else self._client.last_status
        present = self._schedules_without(action.report, schedule.token)
        if schedule.token in present:
            raise refusal or NoEffectError(
                f"Schedule {schedule.token} of Report {action.report} still exists after Studio accepted its deletion. "
                "Check it in Studio."
            )
        warnings = []
        if isinstance(refusal, StudioNotFoundError) and not has_earlier_intent:
            warnings.append(
                f"Schedule {schedule.token} of Report {action.report} is gone, but Studio's response to its deletion "
                "was 404: somebody else may have deleted it at the same time. An undo of this plan restores it."
            )
        return Outcome(before, {"schedule": None}, status, warnings=tuple(warnings), schedules=present)

    def _schedules_without(self, report: str, schedule: str) -> frozenset[str]:
        """Return the schedules of a Report, when a deleted one is no longer among them or the wait for that is over."""
        return read_until(
            lambda: frozenset(found.token for found in self._client.list_schedules(report)),
            lambda present: schedule not in present,
            sleep=self._client.sleep,
        )

    def _backup(self, action: Action, schedule: Schedule, values: ScheduleInput) -> dict[str, Any] | Outcome:
        """Return a backup from which a schedule can be restored, or why it is not deleted.

        :raises StudioError: its subscriptions are unknown, so it must not be deleted.
        """
        try:
            subscriptions = list(self._client.list_schedule_subscriptions(action.report, schedule.token))
        except StudioNotFoundError:
            present = self._schedules_without(action.report, schedule.token)
            if schedule.token in present:
                raise
            return Outcome(skipped=self.attribute_effect(action, "gone"), schedules=present)
        backup: dict[str, Any] = {"schedule": schedule.to_json(), "machine_values": values.model_dump(mode="json")}
        if not is_same_json(scrubbed(backup["machine_values"]), backup["machine_values"]):
            log.warning(
                "Schedule %s of Report %s is kept: the journal does not store parameters with this name: %s",
                schedule.token,
                action.report,
                ", ".join(values.params),
            )
            return Outcome(skipped="no_faithful_backup")
        return backup | {
            "subscriptions": [self._subscription(subscription, schedule.token) for subscription in subscriptions]
        }

    def _subscription(self, subscription: Subscription, schedule: str) -> dict[str, Any]:
        """Return the backup of a subscription, with its subscribers if they can be read."""
        backup: dict[str, Any] = {"subscription": subscription.to_json(), "subscribers": None}
        try:
            backup["subscribers"] = self._client.list_subscribers(subscription)
        except StudioError as error:
            if not _is_unavailable_to_this_token(error):
                raise
            log.warning("The subscribers of a subscription of schedule %s cannot be read: %s", schedule, error)
            return backup | {"unreadable": str(error)}
        unread = [relation for relation in SUBSCRIBER_LISTS if relation not in backup["subscribers"]]
        return backup | ({"unreadable": f"no link of this workspace: {', '.join(unread)}"} if unread else {})

    def _set_archived(self, action: Action, live: Report) -> Outcome:
        """Archive or unarchive a Report."""
        archive = action.kind is ActionKind.ARCHIVE_REPORT
        before = {
            "archived": live.archived,
            "view_count": live.view_count,
            "edited_at": live.edited_at and live.edited_at.isoformat(),
            "last_run_at": live.last_run_at and live.last_run_at.isoformat(),
        }
        if not self._intend(action, before, {"report": live.to_json(), "filters": self._filters(live)}):
            return Outcome(skipped=ANOTHER_APPLY)
        try:
            report, status = set_archived(self._client, action.report, archived=archive)
        except StudioNotFoundError as error:
            if error.method != "GET":
                raise  # the Report can be read, so this change is not permitted
            return Outcome(skipped=NOT_FOUND, facts={"before": before, "http_status": 404})
        after = {"archived": report.archived, "schedules_count": report.schedules_count}
        return Outcome(before, after, status, warnings=self._new_schedules(report) if archive else ())

    def _new_schedules(self, archived: Report) -> tuple[str, ...]:
        """Return a warning if an archived Report has schedules; its count of them alone proves nothing."""
        if not archived.schedules_count:
            return ()
        try:
            found = [schedule.token for schedule in self._client.list_schedules(archived.token)]
        except StudioError as error:
            return (f"Report {archived.token} is archived, and its schedules cannot be read: {error}",)
        if not found:
            return ()
        warning = (
            f"Report {archived.token} is archived but has schedules, which may continue to fire "
            f"({', '.join(found)}): somebody added one meanwhile. Check it in Studio."
        )
        return (warning,)

    def _filters(self, live: Report) -> list[dict[str, Any]] | None:
        """Return the Report's filters; none if it links to none, None if they cannot be read."""
        if live.link("report_filters") is None:
            return []
        try:
            return [report_filter.to_json() for report_filter in self._client.list_report_filters(live.token)]
        except StudioError as error:
            if not _is_unavailable_to_this_token(error):
                raise
            log.warning("The filters of Report %s cannot be read: %s", live.token, error)
            return None


def set_archived(client: StudioClient, token: str, *, archived: bool) -> tuple[Report, int | None]:
    """Archive or unarchive a Report; return it as an independent read does, and the HTTP status of the change.

    :raises StudioNotFoundError: of the method GET, if neither the change nor the read found the Report.
    :raises StudioError: the Report is not in the requested state, or its state is unknown.
    """
    send = client.archive_report if archived else client.unarchive_report
    refusal: StudioError | None = None
    try:
        send(token)
    except _NO_EFFECT:
        raise
    except StudioError as error:
        refusal = error
    status = _status_of(refusal) if refusal else client.last_status
    try:
        report = read_until(
            lambda: client.get_report(token), lambda report: report.archived is archived, sleep=client.sleep
        )
    except StudioNotFoundError:
        if isinstance(refusal, StudioNotFoundError):
            raise
        raise refusal or NoEffectError(
            f"Studio accepted a change of Report {token}, which cannot be read since. Check it in Studio."
        ) from None
    if report.archived is not archived:
        raise refusal or NoEffectError(
            f"Report {token} should be {'archived' if archived else 'unarchived'} now, but Studio returns archived="
            f"{report.archived}. Check it in Studio."
        )
    return report, status


def _status_of(error: StudioError) -> int | None:
    return error.status if isinstance(error, StudioAPIError) else None


def _restorable(backup: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Return what an undo would create from a backup."""
    delivered = (
        str(sorted(options_of(subscription["subscription"]).items()))
        for subscription in backup.get("subscriptions", ())
    )
    return backup.get("machine_values"), sorted(delivered)


def _is_unavailable_to_this_token(error: StudioError) -> bool:
    """Whether an endpoint is not available to this token, so that a retry cannot help."""
    return isinstance(error, (StudioBadRequestError, StudioForbiddenError, StudioNotFoundError, StudioResponseError))
