# SPDX-License-Identifier: Apache-2.0
"""Schedules of Reports and datasets, and who gets the results."""

from __future__ import annotations

from typing import Any

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.field_types import Count, Time
from airflow_provider_studio.client.models.resource import Resource, last_part
from airflow_provider_studio.client.schedule_values import Cron, ScheduleInput, UnfaithfulError, cron_of, values_of


class Schedule(Resource):
    """A schedule. `hour` and `minute` are prose in the response; `machine_values()` returns the machine's values."""

    token: str
    name: str | None = None
    parameters: dict[str, Any] | None = None
    frequency: str | None = None
    time_zone: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    last_run_at: Time | None = None
    last_succeeded_at: Time | None = None
    last_scheduled_run: Time | None = None
    next_scheduled_run: Time | None = None
    retry_state: str | None = None
    timeout: Count | None = None
    subscriber_count: Count | None = None

    @property
    def creator(self) -> str | None:
        """The user name of its creator, from the link."""
        return last_part(self.link("creator"))

    def cron(self) -> Cron:
        """Return when it fires, in the machine's values.

        :raises StudioResponseError: the response does not contain them; its prose is not parsed.
        """
        try:
            return cron_of(self.to_json())
        except UnfaithfulError as error:
            raise StudioResponseError(f"Schedule {self.token}: {error}.") from None

    def machine_values(self) -> ScheduleInput:
        """Return the input that would create this schedule again.

        :raises StudioResponseError: the response does not contain it, or contradicts itself.
        """
        try:
            return values_of(self.to_json())
        except UnfaithfulError as error:
            raise StudioResponseError(f"Schedule {self.token} cannot be backed up faithfully: {error}.") from None


class Subscription(Resource):
    """The recipients of the results of a Report or of one schedule, and the format.

    The API describes no token of a subscription: its link to itself names it.
    """

    data_previews_enabled: bool | None = None
    data_tables_enabled: bool | None = None
    csv_attachments_enabled: bool | None = None
    pdf_attachments_enabled: bool | None = None
    report_links_enabled: bool | None = None
    email_subscriber_count: Count | None = None

    @property
    def token(self) -> str | None:
        """Its token in paths: the end of its link to itself; None if the response has none."""
        key = (self.model_extra or {}).get("token")
        return last_part(self.link("self")) or (key if isinstance(key, str) else None)

    @property
    def schedule(self) -> str | None:
        """The token of its schedule, from the link."""
        return last_part(self.link("report_schedule"))
