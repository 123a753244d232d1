# SPDX-License-Identifier: Apache-2.0
"""The only place that archives, unarchives or deletes: intent with backup, act, verify.

No act without a backup that was durable before it. An answer that was lost, or an error that may have come after the
effect, is held against the live workspace; what somebody else did is not called ours.
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
from airflow_provider_studio.governance.execution.recheck import Live
from airflow_provider_studio.governance.execution.subscriptions import options_of
from airflow_provider_studio.governance.plans.journal import Event, Journal, scrubbed
from airflow_provider_studio.governance.plans.models import Action, ActionKind

log = logging.getLogger(__name__)

ANOTHER_APPLY = "another_apply"
"""Why an action is left alone, unjournaled: another apply of this plan is at it."""
_NO_EFFECT = (StudioAuthenticationError, StudioForbiddenError, StudioNotFoundError)


@dataclass(frozen=True)
class Outcome:
    """What came of an action.

    :param skipped: why it was not done, if it was not.
    :param facts: what the journal keeps of a skipped action.
    :param warnings: what is not as it should be afterwards.
    """

    before: Any = None
    after: Any = None
    http_status: int | None = None
    skipped: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Acts:
    """Acts on a workspace under a journal."""

    def __init__(self, client: StudioClient, journal: Journal) -> None:
        self._client = client
        self._journal = journal

    def do(self, action: Action, live: Live) -> Outcome:
        """Do one action on a Report as it is now.

        :raises StudioError: it was not done, or nobody can tell.
        :raises StorageError: its intent could not be made durable; nothing was done.
        """
        if action.kind is not ActionKind.DELETE_SCHEDULE:
            return self._move(action, live.report)
        schedule = live.schedules.get(action.schedule or "")
        if schedule is None:
            return Outcome(skipped=self.whose_effect(action, "gone"))
        try:
            values = schedule.machine_values()
        except StudioResponseError as error:
            log.warning("Schedule %s of Report %s is kept: %s", schedule.token, action.report, error)
            return Outcome(skipped="no_faithful_backup")
        return self._delete(action, schedule, values)

    @staticmethod
    def has_effect(action: Action, live: Live) -> bool:
        """Whether the workspace is as the action would leave it."""
        if action.kind is ActionKind.DELETE_SCHEDULE:
            return action.schedule not in live.schedules
        return live.report.archived is (action.kind is ActionKind.ARCHIVE_REPORT)

    def whose_effect(self, action: Action, reason: str) -> str:
        """Return whether another apply of this plan did what is done since this one read the journal, or the reason."""
        return ANOTHER_APPLY if self._journal.has_by_now(action.action_id, Event.INTENT) else reason

    @staticmethod
    def effect(action: Action) -> dict[str, Any]:
        """What an action leaves behind, in short."""
        if action.kind is ActionKind.DELETE_SCHEDULE:
            return {"schedule": None}
        return {"archived": action.kind is ActionKind.ARCHIVE_REPORT}

    def _intend(self, action: Action, before: Any, backup: dict[str, Any]) -> bool:
        """Make the intent durable. Returns False if another apply of this plan holds it at this moment."""
        if not self._journal.has(action.action_id, Event.INTENT):
            return self._journal.write(action, Event.INTENT, before=before, backup=backup)
        kept = self._journal.read(action.action_id, Event.INTENT)["backup"]
        if _restorable(kept) != _restorable(backup):
            raise StudioResponseError(
                f"Schedule {action.schedule} of Report {action.report} was changed after an earlier try backed it up; "
                "it is kept. Make a new plan."
            )
        self._journal.write(action, Event.RESUMED, before=before)
        return True

    def _delete(self, action: Action, schedule: Schedule, values: ScheduleInput) -> Outcome:
        backup = self._backup(action, schedule, values)
        if isinstance(backup, Outcome):
            return backup
        before = {"schedule": schedule.token, "name": schedule.name, "cron": backup["machine_values"]["cron"]}
        inherited = self._journal.has(action.action_id, Event.INTENT)
        if not self._intend(action, before, backup):
            return Outcome(skipped=ANOTHER_APPLY)
        try:
            self._client.delete_schedule(action.report, schedule.token)
            status = self._client.last_status
        except StudioNotFoundError:
            if not inherited:  # somebody else deleted it since it was read
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
                f"Schedule {schedule.token} of Report {action.report} is still there after Studio was asked to delete "
                "it. Look at it in Studio."
            )
        return Outcome(before, {"schedule": None}, status)

    def _backup(self, action: Action, schedule: Schedule, values: ScheduleInput) -> dict[str, Any] | Outcome:
        """Return all that brings a schedule back, or why it is not deleted.

        :raises StudioError: its subscriptions are unknown, so it must not be deleted.
        """
        try:
            subscriptions = list(self._client.list_schedule_subscriptions(action.report, schedule.token))
        except StudioNotFoundError:
            if not self._is_gone(action.report, schedule.token):
                raise
            return Outcome(skipped=self.whose_effect(action, "gone"))
        backup: dict[str, Any] = {"schedule": schedule.to_json(), "machine_values": values.model_dump(mode="json")}
        if not is_same_json(scrubbed(backup["machine_values"]), backup["machine_values"]):
            log.warning(
                "Schedule %s of Report %s is kept: the journal keeps no parameter of such a name: %s",
                schedule.token,
                action.report,
                ", ".join(values.params),
            )
            return Outcome(skipped="no_faithful_backup")
        return backup | {"subscriptions": [self._subscription(one, schedule.token) for one in subscriptions]}

    def _is_gone(self, report: str, schedule: str) -> bool:
        try:
            self._client.get_schedule(report, schedule)
        except StudioNotFoundError:
            return True
        return False

    def _subscription(self, one: Subscription, schedule: str) -> dict[str, Any]:
        """Back a subscription up with its subscribers, as far as they can be read."""
        backup: dict[str, Any] = {"subscription": one.to_json(), "subscribers": None}
        try:
            backup["subscribers"] = self._client.list_subscribers(one)
        except StudioError as error:
            if not _is_no_answer_to_this_token(error):
                raise
            log.warning("The subscribers of a subscription of schedule %s cannot be read: %s", schedule, error)
            return backup | {"unreadable": str(error)}
        unread = [relation for relation in SUBSCRIBER_LISTS if relation not in backup["subscribers"]]
        return backup | ({"unreadable": f"no link of this workspace: {', '.join(unread)}"} if unread else {})

    def _move(self, action: Action, live: Report) -> Outcome:
        """Archive a Report, or take it out of the archive."""
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
            answer, status = move(self._client, action.report, archive=archive)
        except StudioNotFoundError:
            return Outcome(skipped="gone", facts={"before": before, "http_status": 404})
        warnings = []
        if archive and answer.schedules_count:
            warnings.append(
                f"Report {action.report} is archived and has {answer.schedules_count} schedules, which may go on "
                "firing: somebody made one meanwhile. Look at it in Studio."
            )
        after = {"archived": answer.archived, "schedules_count": answer.schedules_count}
        return Outcome(before, after, status, warnings=tuple(warnings))

    def _filters(self, live: Report) -> list[dict[str, Any]] | None:
        """The Report's filters, where it says that it has some; None where they cannot be read."""
        if live.link("report_filters") is None:
            return []
        try:
            return [one.to_json() for one in self._client.list_report_filters(live.token)]
        except StudioError as error:
            if not _is_no_answer_to_this_token(error):
                raise
            log.warning("The filters of Report %s cannot be read: %s", live.token, error)
            return None


def move(client: StudioClient, report: str, *, archive: bool) -> tuple[Report, int | None]:
    """Archive a Report, or take it out; return it as Studio tells it afterwards, and the HTTP status.

    An answer that was lost, and an error that may have come after the effect, are held against the live Report.

    :raises StudioError: it is not where it was to be, or nobody can tell.
    """
    send = client.archive_report if archive else client.unarchive_report
    try:
        answer = send(report)
        status = client.last_status
        if answer.archived is None:
            answer = client.get_report(report)
    except _NO_EFFECT:
        raise
    except StudioError as error:
        answer = client.get_report(report)
        if answer.archived is not archive:
            raise
        status = error.status if isinstance(error, StudioAPIError) else None
    if answer.archived is not archive:
        raise NoEffectError(
            f"Report {report} was to be {'archived' if archive else 'unarchived'}, but Studio says archived="
            f"{answer.archived}. Look at it in Studio."
        )
    return answer, status


def _restorable(backup: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Return what an undo would create from a backup."""
    delivered = (str(sorted(options_of(one["subscription"]).items())) for one in backup.get("subscriptions", ()))
    return backup.get("machine_values"), sorted(delivered)


def _is_no_answer_to_this_token(error: StudioError) -> bool:
    """Whether an endpoint has nothing to say to this token, so that asking again cannot help."""
    return isinstance(error, (StudioBadRequestError, StudioForbiddenError, StudioNotFoundError, StudioResponseError))
