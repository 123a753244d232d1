# SPDX-License-Identifier: Apache-2.0
"""Requests for data that is not in the snapshot: members, owners, Reports that use a dataset, schedules, subscribers.

Data that cannot be read is unknown and proves nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioForbiddenError, StudioNotFoundError, StudioResponseError
from airflow_provider_studio.client.models import Report
from airflow_provider_studio.governance.plans.subscriber_count import count_subscribers
from airflow_provider_studio.governance.snapshots.schema import DATASET, SCHEDULE_COLUMNS, schedule_row

Facts = dict[str, Any]

log = logging.getLogger(__name__)

_MOST_LISTS = 200
"""How many Reports' schedules are listed for one plan; guard rails allow 100 actions by default."""
_UNREADABLE = (StudioForbiddenError, StudioNotFoundError, StudioResponseError)


class Members:
    """The workspace's members, read with one request when they are first needed."""

    def __init__(self, client: StudioClient | None) -> None:
        self._client = client

    @cached_property
    def _emails(self) -> dict[str, str | None] | None:
        """E-mail addresses by user name. Everyone listed is a member: a suspended person may return."""
        if self._client is None:
            return None
        try:
            members = self._client.list_members()
        except _UNREADABLE as error:
            log.warning("The workspace's members cannot be read, so no owner counts as having left: %s", error)
            return None
        return {member.username: member.email for member in members if member.username} or None

    @property
    def usernames(self) -> frozenset[str] | None:
        """Their user names; None if unknown."""
        return None if self._emails is None else frozenset(self._emails)

    def username(self, email: str) -> str | None:
        """Return the user name of the member with an e-mail address, or None if unknown."""
        return next((name for name, other in (self._emails or {}).items() if other == email), None)

    def email(self, username: str | None) -> str | None:
        """Return a member's e-mail address, or None if unknown."""
        return (self._emails or {}).get(username or "")


class OwnerLookup:
    """Finds the owner of a Report whose response has no link to its creator; not every response has one.

    The owner is the member with the e-mail address that Discovery returned, or the creator of all of the Report's
    queries; otherwise it is unknown.
    """

    def __init__(self, client: StudioClient | None, members: Members) -> None:
        self._client = client
        self._members = members
        self._found: dict[str, str | None] = {}

    def __call__(self, report: Mapping[str, Any]) -> str | None:
        """Return the owner's user name, with at most one request for each Report; None if it is unknown."""
        if report["creator"] is not None:
            return str(report["creator"])
        token = report["token"]
        if token not in self._found:
            email = report["creator_email"]
            self._found[token] = (email and self._members.username(email)) or self._creator_of_queries(report)
        return self._found[token]

    def _creator_of_queries(self, report: Mapping[str, Any]) -> str | None:
        if self._client is None or report["query_count"] == 0 or report["type"] == DATASET:
            return None
        try:
            creators = {query.creator for query in self._client.list_queries(report["token"])}
        except _UNREADABLE as error:
            log.warning("The owner of Report %s is unknown, and its queries cannot be read: %s", report["token"], error)
            return None
        return creators.pop() if len(creators) == 1 else None


class SubscriberLookup:
    """Counts the subscribers of Reports, whose number in the snapshot may be missing or weeks old."""

    def __init__(self, client: StudioClient | None) -> None:
        self._client = client
        self._left = _MOST_LISTS
        self._found: dict[str, int | None] = {}

    def __call__(self, report: Mapping[str, Any]) -> int | None:
        """Return the number of subscribers; that of the snapshot where it cannot be read, or was for too many Reports.

        A Report without schedules has none.
        """
        token, listed = report["token"], report["subscribers"]
        if listed or self._client is None or report["schedules_count"] == 0:
            return None if listed is None else int(listed)
        if token not in self._found and self._left > 0:
            self._left -= 1
            self._found[token] = count_subscribers(self._client, token, listed)
        return self._found.get(token, listed)


class FedReportLookup:
    """Finds a live Report that a dataset feeds.

    The list of a dataset's Reports need not say whether they are archived: then the snapshot does, or the Report.

    :param archived: whether the snapshot's Reports are archived, by token; None if unknown.
    """

    def __init__(self, client: StudioClient | None, archived: Mapping[str, bool | None]) -> None:
        self._client = client
        self._archived = archived

    def __call__(self, dataset: str) -> str | None:
        """Return the name of a Report that is known to be live, or None."""
        if self._client is None:
            return None
        try:
            reports = self._client.list_dataset_reports(dataset)
            return next(
                (report.name or report.token for report in reports if self._is_live(self._client, report)), None
            )
        except _UNREADABLE as error:
            log.warning("The Reports of dataset %s cannot be read: %s", dataset, error)
            return None

    def _is_live(self, client: StudioClient, report: Report) -> bool:
        archived = self._archived.get(report.token) if report.archived is None else report.archived
        if archived is None:
            try:
                archived = client.get_report(report.token).archived
            except _UNREADABLE as error:
                log.warning("Whether Report %s is archived cannot be read: %s", report.token, error)
        return archived is False


class ScheduleLookup:
    """Lists the schedules of Reports that count none: a counter alone does not prove that there are none."""

    def __init__(self, client: StudioClient | None, at: datetime) -> None:
        self._client = client
        self._at = at
        self._left = _MOST_LISTS

    def __call__(self, report: str) -> list[Facts]:
        """Return a Report's schedules as facts; none where they cannot be listed, or were for too many Reports."""
        if self._client is None or self._left <= 0:
            return []
        self._left -= 1
        if self._left == 0:
            log.info("The schedules of further Reports are listed when they are archived.")
        try:
            rows = [schedule_row(schedule, report, self._at) for schedule in self._client.list_schedules(report)]
        except _UNREADABLE as error:
            log.warning("The schedules of Report %s cannot be listed: %s", report, error)
            return []
        if rows:
            log.warning("Report %s counts no schedules, and lists %d", report, len(rows))
        return [{**dict.fromkeys(SCHEDULE_COLUMNS), "failures_in_a_row": None, **row} for row in rows]
