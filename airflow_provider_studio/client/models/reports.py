# SPDX-License-Identifier: Apache-2.0
"""Collections, Reports, datasets, their runs and what a run produces."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.field_types import Count, Identifier, Seconds, Time
from airflow_provider_studio.client.models.resource import Resource, last_part
from airflow_provider_studio.client.plain_text import shorten

_LONGEST_SHOWN = 100


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
        return last_part(self.link("creator"))

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


class ReportFilter(Resource):
    """A filter of a Report."""

    token: str
    name: str | None = None


class FormField(Resource):
    """A field of a Report's form. `options` are the choices of a parameter that has some."""

    name: str | None = None
    type: str | None = None
    options: list[Any] | None = None
    value: Any = None


class DatasetField(Resource):
    """A column of a dataset."""

    name: str | None = None
    type: str | None = None
