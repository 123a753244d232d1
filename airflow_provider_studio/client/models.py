# SPDX-License-Identifier: Apache-2.0
"""What Studio's answers hold, typed. Any key but the token may be absent, which means unknown, never zero or false.

Unknown keys are kept (`model_extra`), so that a backup made from a model is a backup of the whole answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from airflow_provider_studio.client.errors import StudioConfigurationError, StudioResponseError

Identifier = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""Numeric ids were JSON numbers until 2024 and decimal strings in 2026; both become text."""


class Resource(BaseModel):
    """Anything that Studio answers with. Iterable links are in `links`, forms in `forms`, the rest in attributes."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True, protected_namespaces=())

    links: dict[str, Any] = Field(default_factory=dict, alias="_links", repr=False)
    forms: dict[str, Any] = Field(default_factory=dict, alias="_forms", repr=False)

    @classmethod
    def parse(cls, data: object, *, what: str = "") -> Self:
        """Make the model from decoded JSON.

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

    def link(self, relation: str) -> str | None:
        """Return the address behind a link relation, or None."""
        entry = self.links.get(relation)
        href = entry.get("href") if isinstance(entry, Mapping) else None
        return href if isinstance(href, str) else None

    def to_json(self) -> dict[str, Any]:
        """Return the answer as it came: every key under its wire name, and no key that was absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Show the declared fields alone: unknown keys may hold presigned addresses or signatures."""
        return [(name, getattr(self, name)) for name in ("token", "name", "state") if name in type(self).model_fields]


def _last_part(href: str | None) -> str | None:
    return href.rstrip("/").rsplit("/", 1)[-1] if href else None


class Verification(Resource):
    """The answer of `/verify`: whose workspace a credential opens."""

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
    """A Report or a dataset (`type` tells).

    `expected_runtime` is in seconds. `last_run_at` is the start of the last run, `last_successfully_run_at` the end of
    the last good one. `updated_at` moves without any human; `edited_at` is the human edit. `view_count` is a total.
    """

    token: str
    id: Identifier | None = None
    name: str | None = None
    description: str | None = None
    type: str | None = None
    archived: bool | None = None
    space_token: str | None = None
    account_username: str | None = None
    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    edited_at: AwareDatetime | None = None
    last_run_at: AwareDatetime | None = None
    last_successfully_run_at: AwareDatetime | None = None
    last_successful_run_token: str | None = None
    expected_runtime: float | None = None
    view_count: int | None = None
    runs_count: int | None = None
    schedules_count: int | None = None
    query_count: int | None = None
    chart_count: int | None = None

    @property
    def creator(self) -> str | None:
        """The owner's user name, which only the link tells."""
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
        """Whether a run in this state will not change any more."""
        return self in _OVER

    @property
    def is_good(self) -> bool:
        """Whether a run in this state has results; `completed` is what Reports with a notebook end as."""
        return self in {RunState.SUCCEEDED, RunState.COMPLETED}


_OVER = {RunState.SUCCEEDED, RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED}


class ReportRun(Resource):
    """One run of a Report."""

    token: str
    state: str | None = None
    python_state: str | None = None
    parameters: dict[str, Any] | None = None
    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None

    @property
    def is_seen_over(self) -> bool:
        """Whether it is over, as far as its state is known."""
        return self.state in _OVER

    @property
    def run_state(self) -> RunState:
        """The state, known by name.

        :raises StudioResponseError: a state that the API does not document; nobody may guess what it means.
        """
        try:
            return RunState(self.state or "")
        except ValueError:
            known = ", ".join(RunState)
            raise StudioResponseError(
                f"Report run {self.token} is in the unknown state {self.state!r} (known: {known})."
            ) from None


class QueryRun(Resource):
    """One query of a Report run; a failed run's reason stands here."""

    token: str
    id: Identifier | None = None
    state: str | None = None
    query_token: str | None = None
    query_name: str | None = None
    error_code: str | None = None
    error_type: str | None = None
    error_message: str | None = None


class Frequency(StrEnum):
    """How often a schedule fires."""

    EVERY_15_MINUTES = "every_15_minutes"
    EVERY_30_MINUTES = "every_30_minutes"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Cron(BaseModel):
    """When a schedule fires, in the machine's values.

    :param time_zone: a name as Rails writes it, such as `Pacific Time (US & Canada)` or `UTC`.
    :param day_of_week: kept as it came: sources disagree on 0-6 and 1-7, and on one day or a list.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    freq: Frequency
    hour: int | None = Field(default=None, ge=0, le=23)
    minute: int | None = Field(default=None, ge=0, le=59)
    time_zone: str | None = None
    day_of_week: Any = None
    day_of_month: int | None = Field(default=None, ge=1, le=31)


class ScheduleInput(BaseModel):
    """What creates or changes a schedule.

    :param timeout: seconds after which Studio gives a run up.
    :param params: parameters of the runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: Cron
    name: str | None = None
    timeout: int | None = Field(default=None, ge=1)
    params: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Make the input from keywords.

        :raises StudioConfigurationError: names the field and what is wrong with it.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise StudioConfigurationError(f"schedule: {place} is {first['input']!r}; {first['msg']}.") from None

    def to_json(self) -> dict[str, Any]:
        """Return the body that the API takes, in the wrapper that live forms use."""
        return {"report_schedule": self.model_dump(mode="json", exclude_none=True)}


class Schedule(Resource):
    """A schedule. `hour` and `minute` are prose in the answer; the machine's values are in `machine_values()`."""

    token: str
    name: str | None = None
    parameters: dict[str, Any] | None = None
    frequency: str | None = None
    time_zone: str | None = None
    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    last_run_at: AwareDatetime | None = None
    last_succeeded_at: AwareDatetime | None = None
    last_scheduled_run: AwareDatetime | None = None
    next_scheduled_run: AwareDatetime | None = None
    retry_state: str | None = None
    timeout: int | None = None
    subscriber_count: int | None = None

    @property
    def creator(self) -> str | None:
        """The user name of who made it, which only the link tells."""
        return _last_part(self.link("creator"))

    def machine_values(self) -> ScheduleInput:
        """Return what would create this schedule again, from `_forms.edit`.

        :raises StudioResponseError: the answer holds no machine values; its prose is no faithful backup.
        """
        try:
            form = self.forms["edit"]["input"]["report_schedule"]
            values = {name: _form_value(form.get(name)) for name in ("cron", "name", "timeout", "params")}
        except (KeyError, TypeError, AttributeError):
            raise StudioResponseError(
                f"Schedule {self.token} came without the machine values in _forms.edit; "
                "it cannot be backed up faithfully."
            ) from None
        try:
            return ScheduleInput.model_validate({name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise StudioResponseError(
                f"Schedule {self.token}: {place} in _forms.edit is {first['input']!r}; {first['msg']}."
            ) from None


def _form_value(field: Any) -> Any:
    """Return what a form would send: each field of a form is `{"type": …, "value": …}`, or a group of such fields."""
    if not isinstance(field, Mapping):
        return field
    if "value" in field:
        return field["value"]
    if "type" in field:
        return None
    return {name: _form_value(part) for name, part in field.items()}


class Subscription(Resource):
    """Who gets the results of a Report or of one schedule, and in which form."""

    token: str
    name: str | None = None
    created_at: datetime | None = None


class Member(Resource):
    """A person of the workspace, as `/memberships/lite` tells."""

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


class DataSource(Resource):
    """A database connection of the workspace. `vendor` is such as `snowflake`, `adapter` such as `jdbc:snowflake`."""

    token: str
    id: Identifier | None = None
    name: str | None = None
    vendor: str | None = None
    adapter: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
