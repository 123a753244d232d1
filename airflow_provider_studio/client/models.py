# SPDX-License-Identifier: Apache-2.0
"""Studio's responses as typed models. A key that is not documented as required may be absent: unknown, never zero.

Unknown keys are preserved (`model_extra`), so a backup of a model is a backup of the whole response.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.field_types import Count, Identifier, Seconds, Time, is_text
from airflow_provider_studio.client.plain_text import shorten
from airflow_provider_studio.client.schedule_values import (
    Cron,
    Frequency,
    ScheduleInput,
    UnfaithfulError,
    cron_of,
    values_of,
)

__all__ = [
    "Collection",
    "Cron",
    "DataSource",
    "Frequency",
    "Member",
    "PdfExport",
    "Query",
    "QueryRun",
    "Report",
    "ReportFilter",
    "ReportRun",
    "Resource",
    "RunState",
    "Schedule",
    "ScheduleInput",
    "Subscription",
    "Verification",
]

_LONGEST_SHOWN = 100


class Resource(BaseModel):
    """Any resource of Studio. Its links are in `links`, its forms in `forms`, the rest in attributes."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True, protected_namespaces=())

    links: dict[str, Any] = Field(default_factory=dict, alias="_links", repr=False)
    forms: dict[str, Any] = Field(default_factory=dict, alias="_forms", repr=False)

    @field_validator("*", mode="after")
    @classmethod
    def _check_text(cls, value: object) -> object:
        if isinstance(value, str) and not is_text(value):
            raise ValueError("it has half of a character")
        return value

    @classmethod
    def parse(cls, data: object, *, what: str = "") -> Self:
        """Create the model from decoded JSON.

        :raises StudioResponseError: names the resource and the field that is not as the API promises.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the body"
            raise StudioResponseError(
                f"{what or cls.__name__}: {place} is not as the API promises ({first['msg'].lower()})."
            ) from None

    @classmethod
    def parse_known(cls, data: Mapping[str, Any], *, what: str = "") -> Self:
        """Create the model without the optional values that are not as the API promises: they are unknown.

        :raises StudioResponseError: a required value is missing or invalid.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            invalid = {problem["loc"][0] for problem in error.errors(include_input=False, include_url=False)}
            return cls.parse({name: value for name, value in data.items() if name not in invalid}, what=what)

    def link(self, relation: str) -> str | None:
        """Return the URL of a link relation, or None."""
        entry = self.links.get(relation)
        href = entry.get("href") if isinstance(entry, Mapping) else None
        return href if isinstance(href, str) and is_text(href) else None

    def to_json(self) -> dict[str, Any]:
        """Return the original response: every key under its wire name, and no key that was absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Show only declared fields: unknown keys may hold presigned URLs or signatures."""
        return [(name, getattr(self, name)) for name in ("token", "name", "state") if name in type(self).model_fields]


def _last_part(href: str | None) -> str | None:
    """Return the last segment of a URL's path."""
    return (urlsplit(href).path.rstrip("/").rsplit("/", 1)[-1] or None) if href else None


class Verification(Resource):
    """The response of `/verify`: the workspace that the credentials open."""

    workspace: str
    workspace_token: str | None = None
    api_key_scope: str | None = None


class Collection(Resource):
    """A Collection (`space` in the API). `space_type` is custom, private or community."""

    token: str
    id: Identifier | None = None
    name: str | None = None
    description: str | None = None
    space_type: str | None = None
    state: str | None = None
    restricted: bool | None = None
    default_access_level: str | None = None


class Report(Resource):
    """A Report or a dataset, by `type`.

    `expected_runtime` is in seconds. `last_run_at` is the start of the last run, `last_successfully_run_at` the end of
    the last successful one. `updated_at` also changes without a person; `edited_at` is the last edit by a person.
    `view_count` is a lifetime total.
    """

    token: str
    id: Identifier | None = None
    name: str | None = None
    description: str | None = None
    type: str | None = None
    archived: bool | None = None
    space_token: str | None = None
    account_username: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    edited_at: Time | None = None
    last_run_at: Time | None = None
    last_successfully_run_at: Time | None = None
    last_successful_run_token: str | None = None
    expected_runtime: Seconds | None = None
    view_count: Count | None = None
    runs_count: Count | None = None
    schedules_count: Count | None = None
    query_count: Count | None = None
    chart_count: Count | None = None
    manual_run_disabled: bool | None = None
    is_embedded: bool | None = None
    is_signed: bool | None = None
    public: bool | None = None
    shared: bool | None = None

    @property
    def creator(self) -> str | None:
        """The owner's user name, from the link."""
        return _last_part(self.link("creator"))

    @property
    def web_url(self) -> str | None:
        """The Report's page."""
        return self.link("web")


class RunState(StrEnum):
    """The states of a Report run that the API documents."""

    PENDING = "pending"
    ENQUEUED = "enqueued"
    RUNNING_NOTEBOOK = "running_notebook"
    SUCCEEDED = "succeeded"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether this state is final."""
        return self in _OVER

    @property
    def is_good(self) -> bool:
        """Whether a run in this state has results; `completed` is the final state of Reports with a notebook."""
        return self in {RunState.SUCCEEDED, RunState.COMPLETED}


_OVER = {RunState.SUCCEEDED, RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED}


class ReportRun(Resource):
    """One run of a Report."""

    token: str
    state: str | None = None
    python_state: str | None = None
    parameters: dict[str, Any] | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    completed_at: Time | None = None

    @property
    def is_seen_over(self) -> bool:
        """Whether its state is known and final."""
        return self.state in _OVER

    @property
    def has_unknown_state(self) -> bool:
        """Whether its state is missing, or one that the API does not document."""
        return self.state not in set(RunState)

    @property
    def run_state(self) -> RunState:
        """The state.

        :raises StudioResponseError: a state that the API does not document; its meaning is unknown.
        """
        try:
            return RunState(self.state or "")
        except ValueError:
            known = ", ".join(RunState)
            token, state = shorten(self.token, _LONGEST_SHOWN), shorten(repr(self.state), _LONGEST_SHOWN)
            raise StudioResponseError(f"Report run {token} is in the unknown state {state} (known: {known}).") from None


class PdfExport(Resource):
    """The job that renders the PDF of a Report run."""

    state: str | None = None
    filename: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the PDF can be downloaded; only a finished job links it."""
        return self.state == "completed" or self.link("download") is not None


class QueryRun(Resource):
    """One query of a Report run, with the reason of a failed run."""

    token: str
    id: Identifier | None = None
    state: str | None = None
    query_token: str | None = None
    query_name: str | None = None
    error_code: str | None = None
    error_type: str | None = None
    error_message: str | None = None


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
        return _last_part(self.link("creator"))

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
        return _last_part(self.link("self")) or (key if isinstance(key, str) else None)

    @property
    def schedule(self) -> str | None:
        """The token of its schedule, from the link."""
        return _last_part(self.link("report_schedule"))


class Member(Resource):
    """A member of the workspace, from `/memberships/lite`."""

    username: str | None = None
    name: str | None = None
    email: str | None = None
    state: str | None = None


class ReportFilter(Resource):
    """A filter of a Report."""

    token: str
    name: str | None = None


class Query(Resource):
    """A query of a Report."""

    token: str
    id: Identifier | None = None
    name: str | None = None

    @property
    def creator(self) -> str | None:
        """The user name of its creator, from the link."""
        return _last_part(self.link("creator"))


class DataSource(Resource):
    """A database connection of the workspace. An example of `vendor` is `snowflake`, of `adapter` `jdbc:snowflake`."""

    token: str
    id: Identifier | None = None
    name: str | None = None
    vendor: str | None = None
    adapter: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
