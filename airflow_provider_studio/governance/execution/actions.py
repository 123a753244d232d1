# SPDX-License-Identifier: Apache-2.0
"""The only module that archives, unarchives or deletes: write the intent with a backup, send the request, verify.

No request is sent before its backup is durable. After a lost response, or an error that may have come after the effect,
the live workspace is checked. A change made by somebody else is not attributed to the plan.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_studio.client.client import SUBSCRIBER_LISTS, StudioClient
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
from airflow_provider_studio.client.schedule_values import is_same_json
from airflow_provider_studio.governance.errors import NoEffectError
from airflow_provider_studio.governance.execution.recheck import LiveReport
from airflow_provider_studio.governance.execution.subscriptions import options_of
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.models import Action, ActionKind
from airflow_provider_studio.governance.plans.scrubbing import scrubbed

log = logging.getLogger(__name__)

ANOTHER_APPLY = "another_apply"
"""Why an action is skipped without an event in the journal: another apply of this plan does it now."""
_NO_EFFECT = (StudioAuthenticationError, StudioForbiddenError, StudioNotFoundError)


@dataclass(frozen=True)
class Outcome:
    """The result of an action.

    :param skipped: the reason, if the action was skipped.
    :param facts: further fields for the journal, if the action was skipped.
    :param warnings: problems that remain after the action.
    """

    before: Any = None
    after: Any = None
    http_status: int | None = None
    skipped: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


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
        try:
            self._client.delete_schedule(action.report, schedule.token)
            status = self._client.last_status
        except StudioNotFoundError:
            if not has_earlier_intent:  # somebody else deleted it after it was read
                return Outcome(skipped="gone", facts={"before": before, "http_status": 404})
            status = 404
        except (StudioAuthenticationError, StudioForbiddenError):
            raise
        except StudioError as error:
            if not self._is_gone(action.report, schedule.token):
                raise
            status = error.status if isinstance(error, StudioAPIError) else None
        if not self._is_gone(action.report, schedule.token):
            raise NoEffectError(
                f"Schedule {schedule.token} of Report {action.report} still exists after Studio accepted its deletion. "
                "Check it in Studio."
            )
        return Outcome(before, {"schedule": None}, status)

    def _backup(self, action: Action, schedule: Schedule, values: ScheduleInput) -> dict[str, Any] | Outcome:
        """Return a backup from which a schedule can be restored, or why it is not deleted.

        :raises StudioError: its subscriptions are unknown, so it must not be deleted.
        """
        try:
            subscriptions = list(self._client.list_schedule_subscriptions(action.report, schedule.token))
        except StudioNotFoundError:
            if not self._is_gone(action.report, schedule.token):
                raise
            return Outcome(skipped=self.attribute_effect(action, "gone"))
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

    def _is_gone(self, report: str, schedule: str) -> bool:
        try:
            self._client.get_schedule(report, schedule)
        except StudioNotFoundError:
            return True
        return False

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
        except StudioNotFoundError:
            return Outcome(skipped="gone", facts={"before": before, "http_status": 404})
        warnings = []
        if archive and report.schedules_count:
            warnings.append(
                f"Report {action.report} is archived but has {report.schedules_count} schedules, which may continue "
                "to fire: somebody added one meanwhile. Check it in Studio."
            )
        after = {"archived": report.archived, "schedules_count": report.schedules_count}
        return Outcome(before, after, status, warnings=tuple(warnings))

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
    """Archive or unarchive a Report; return the Report as Studio returns it afterwards, and the HTTP status.

    After a lost response, or an error that may have come after the effect, the live Report is checked.

    :raises StudioError: the Report is not in the requested state, or its state is unknown.
    """
    send = client.archive_report if archived else client.unarchive_report
    try:
        report = send(token)
        status = client.last_status
        if report.archived is None:
            report = client.get_report(token)
    except _NO_EFFECT:
        raise
    except StudioError as error:
        report = client.get_report(token)
        if report.archived is not archived:
            raise
        status = error.status if isinstance(error, StudioAPIError) else None
    if report.archived is not archived:
        raise NoEffectError(
            f"Report {token} should be {'archived' if archived else 'unarchived'} now, but Studio returns archived="
            f"{report.archived}. Check it in Studio."
        )
    return report, status


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
