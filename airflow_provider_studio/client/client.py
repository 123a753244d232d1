# SPDX-License-Identifier: Apache-2.0
"""StudioClient: one method per endpoint of the Studio REST API, typed in and out.

Each method raises the errors of `client.errors`; listings are lazy iterators that send one request per page. Paths and
bodies follow the vendor's API description and what client authors report about live responses. Here are the methods for
Collections, Reports and schedules; `resources` has the others, `base` what all share.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import Operation, check_identifier, require
from airflow_provider_studio.client.completeness import ListingProgress
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.identity import check_parent
from airflow_provider_studio.client.pagination import Page, pages
from airflow_provider_studio.client.requests_by_path import RequestsByPath
from airflow_provider_studio.client.resources.audit_log import AuditLog
from airflow_provider_studio.client.resources.data_sources import DataSources
from airflow_provider_studio.client.resources.datasets import Datasets
from airflow_provider_studio.client.resources.definitions import Definitions
from airflow_provider_studio.client.resources.people import People
from airflow_provider_studio.client.resources.purges import Purges
from airflow_provider_studio.client.resources.queries import Queries
from airflow_provider_studio.client.resources.subscriptions import Subscriptions

__all__ = ["StudioClient"]

log = logging.getLogger(__name__)

CollectionFilter = Literal["custom", "all"]
ListingKind = Literal["reports", "datasets"]
_LONGEST_REPORT_NAME = 64


class StudioClient(
    Queries, DataSources, Datasets, Subscriptions, People, Definitions, AuditLog, Purges, RequestsByPath
):
    """The API of one workspace, with the rights of one token.

    :param credentials: workspace, token, secret and host.
    :param limiter: the budget that all users of this token share.
    :param timeout_seconds: how long to wait between two bytes of a response; a whole response may take twice that.
    :param retries: how often a request is repeated, and after which waits.
    :param priority: the order in which waiting callers get permits.
    :param sleep: the function that waits between attempts, and for effects to become visible (`visibility`).
    :param on_sent: a function that is called after each send.
    :param permissions: returns what is permitted beside the token's rights; called when it matters.
    """

    # Collections

    def list_collections(
        self,
        filter: CollectionFilter = "custom",  # noqa: A002
        *,
        report_doubt: Callable[[str], None] = log.warning,
    ) -> Iterator[models.Collection]:
        """List Collections; a value that is not as the API promises is unknown.

        `custom` leaves other members' personal ones out; `all` includes them.

        A filter is always sent: without one, the response to a Workspace token was once an empty list, and an unknown
        filter is ignored silently, so a caller must look at `space_type`, too.

        :param report_doubt: receives a sentence if Collections may be missing.
        """
        if filter not in ("custom", "all"):
            raise StudioConfigurationError(f"collection filter is {filter!r}; it must be 'custom' or 'all'.")
        path = f"/api/{self.workspace}/spaces"
        rows = self._rows(path, "spaces", {"filter": filter}, tokens=True, report_doubt=report_doubt)
        return (models.Collection.parse_known(row, what=f"GET {path}, {row['token']}") for row in rows)

    def get_collection(self, collection: str) -> models.Collection:
        """Read one Collection."""
        path, what = self._collection(collection), f"Collection {collection}"
        return self._read(models.Collection, path, what=what, token=collection)

    def list_collection_reports(self, collection: str) -> Iterator[models.Report]:
        """List a Collection's Reports, including archived ones (`archived`)."""
        return self._list(f"{self._collection(collection)}/reports", "reports", models.Report)

    def collection_pages(self, collection: str, kind: ListingKind, *, progress: ListingProgress) -> Iterator[Page]:
        """List a Collection's Reports or datasets by whole pages, for a crawl with checkpoints.

        :param progress: what its pages have shown so far; it continues there.
        """
        path = f"{self._collection(collection)}/{kind}"
        return pages(
            lambda page: self._get_page(path, {"page": page}), "reports", what=f"GET {path}", progress=progress
        )

    def create_collection(self, name: str, description: str | None = None) -> models.Collection:
        """Create a Collection."""
        if not name:
            raise StudioConfigurationError("name is empty; a Collection needs one.")
        body = {"space": {"name": name, "description": description or ""}}
        with self._as_its_member_may("create a Collection"):
            response = self._send("POST", f"/api/{self.workspace}/spaces", body)
        return models.Collection.parse(response, what="the new Collection")

    def update_collection(
        self, collection: str, *, name: str | None = None, description: str | None = None
    ) -> models.Collection:
        """Change a Collection's name or description. The documentation says POST; the live service accepts PATCH."""
        changes = {key: value for key, value in {"name": name, "description": description}.items() if value is not None}
        if not changes:
            raise StudioConfigurationError("Nothing to update: give a name or a description.")
        path = self._collection(collection)
        with self._as_its_member_may(f"change the Collection {collection}"):
            return self._change(
                models.Collection, path, {"space": changes}, what=f"Collection {collection}", token=collection
            )

    # Reports

    def get_report(self, report: str) -> models.Report:
        """Read one Report."""
        return self._read(models.Report, self._report(report), what=f"Report {report}", token=report)

    def update_report(
        self,
        report: str,
        *,
        name: str | None = None,
        description: str | None = None,
        collection: str | None = None,
    ) -> models.Report:
        """Change a Report's name (at most 64 characters), its description, or the Collection it is in."""
        if name is not None and not 1 <= len(name) <= _LONGEST_REPORT_NAME:
            raise StudioConfigurationError(
                f"name has {len(name)} characters; a Report's name has 1 to {_LONGEST_REPORT_NAME}."
            )
        values = {
            "name": name,
            "description": description,
            "space_token": None if collection is None else check_identifier("collection", collection),
        }
        changes = {key: value for key, value in values.items() if value is not None}
        if not changes:
            raise StudioConfigurationError("Nothing to update: give a name, a description or a collection.")
        path = self._report(report)
        with self._as_its_member_may(f"change the Report {report}"):
            return self._change(models.Report, path, {"report": changes}, what=f"Report {report}", token=report)

    def archive_report(self, report: str) -> models.Report:
        """Archive a Report; `unarchive_report` reverses it."""
        path = f"{self._report(report)}/archive"
        return self._change(models.Report, path, what=f"Report {report}", token=report)

    def unarchive_report(self, report: str) -> models.Report:
        """Unarchive a Report."""
        path = f"{self._report(report)}/unarchive"
        return self._change(models.Report, path, what=f"Report {report}", token=report)

    def sync_report_to_github(self, report: str, message: str) -> None:
        """Commit a Report's queries to the repository that the workspace is connected to.

        The API's description lacks this endpoint: another client sends it, and what it returns is unknown. It may be
        repeated, which commits the same content. `last_successful_sync_at` of the Report shows its effect.
        """
        if not message:
            raise StudioConfigurationError("message is empty; a commit needs one.")
        self._send("PATCH", f"{self._report(report)}/sync_to_github", {"commit_message": message})

    # Report runs

    def list_report_runs(self, report: str) -> Iterator[models.ReportRun]:
        """List a Report's runs, newest first."""
        return self._list(f"{self._report(report)}/runs", "report_runs", models.ReportRun)

    def newest_report_runs(self, report: str) -> list[models.ReportRun]:
        """Read the first page of a Report's runs: the newest 20, with one request."""
        return self._first_page(f"{self._report(report)}/runs", "report_runs", models.ReportRun)

    def get_report_run(self, report: str, run: str) -> models.ReportRun:
        """Read one Report run."""
        return self._read(models.ReportRun, self._run(report, run), what=f"Report run {run}", token=run)

    def create_report_run(
        self, report: str, parameters: Mapping[str, Any] | None = None, *, dataset_tokens: Sequence[str] = ()
    ) -> models.ReportRun:
        """Start a run. The request is never repeated once it may have arrived, because each run bills the warehouse.

        :param dataset_tokens: imported datasets whose newest run the Report is to use. They are not run again, as the
            API's description says: `create_dataset_run` does that. Whether parameters hold beside them is unknown.
        """
        body: dict[str, Any] = {} if dataset_tokens and not parameters else {"parameters": dict(parameters or {})}
        if dataset_tokens:
            tokens = [{"token": check_identifier("dataset", token)} for token in dataset_tokens]
            body["report"] = {"dataset_tokens": tokens}
        response = self._send("POST", f"{self._report(report)}/runs", body)
        run = models.ReportRun.parse(response, what=f"the new run of Report {report}")
        check_parent(run, "report", report, what=f"the new run of Report {report}")
        return run

    def list_form_fields(self, report: str, run: str) -> list[models.FormField]:
        """List the fields of the form that a run was started with: the parameters, and their choices.

        It takes one request. Nothing but their names distinguishes the fields: all may link to the same form.
        """
        return self._whole_list(f"{self._run(report, run)}/options", "form_fields", models.FormField)

    def clone_report_run(self, report: str, run: str) -> models.Report:
        """Copy a Report run into a new Report; personal tokens only.

        :raises StudioCapabilityError: before any request, for a Workspace or Member token.
        """
        path = f"{self._run(report, run)}/clone"
        require(self.token_kind, Operation.CLONE_REPORT_RUN)
        return models.Report.parse(self._send("POST", path), what=f"the clone of Report run {run}")

    @contextmanager
    def download_run_results(
        self, report: str, run: str, *, chunk_bytes: int = 1 << 18
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open the results of a run and yield their content type and their bytes in chunks.

        The content type is `text/csv`, or `application/zip` with one file per query.
        """
        with self._download(f"{self._run(report, run)}/results/content.csv", chunk_bytes) as response:
            yield response

    def request_pdf(self, report: str, run: str) -> models.PdfExport:
        """Request a run's PDF and return the job that renders it. Repeat until it is finished.

        Its states are `new`, `requested` and `completed`, as one client reports.
        """
        path = f"{self._pdf(report, run)}.pdf"
        return models.PdfExport.parse(self._get(path), what=f"the PDF of Report run {run}")

    @contextmanager
    def download_pdf(
        self, report: str, run: str, export: models.PdfExport, *, chunk_bytes: int = 1 << 18
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open a run's PDF.

        :param export: the finished job. Its link leads to the PDF; the path of the API's description is used if it has
            none, or one that leaves this workspace's API.
        """
        path = self._own_path(export.link("download")) or f"{self._pdf(report, run)}/download"
        with self._download(path, chunk_bytes) as response:
            yield response

    def _pdf(self, report: str, run: str) -> str:
        return f"{self._report(report)}/exports/runs/{check_identifier('run', run)}/pdf"

    # Schedules

    def list_schedules(self, report: str, *, counted: int | None = None) -> Iterator[models.Schedule]:
        """List a Report's schedules.

        :param counted: how many it counts; if the list agrees, no request is sent to prove its end.
        """
        path = f"{self._report(report)}/schedules"
        return self._list(path, "report_schedules", models.Schedule, counted=counted)

    def get_schedule(self, report: str, schedule: str) -> models.Schedule:
        """Read one schedule."""
        path = self._schedule(report, schedule)
        return self._read(models.Schedule, path, what=f"schedule {schedule}", token=schedule)

    def create_schedule(self, report: str, values: models.ScheduleInput) -> models.Schedule:
        """Create a schedule."""
        response = self._send("POST", f"{self._report(report)}/schedules", values.to_json())
        schedule = models.Schedule.parse(response, what=f"the new schedule of Report {report}")
        check_parent(schedule, "report", report, what=f"the new schedule of Report {report}")
        return schedule

    def update_schedule(self, report: str, schedule: str, values: models.ScheduleInput) -> models.Schedule:
        """Change a schedule."""
        path = self._schedule(report, schedule)
        return self._change(models.Schedule, path, values.to_json(), what=f"schedule {schedule}", token=schedule)

    def delete_schedule(self, report: str, schedule: str) -> None:
        """Delete a schedule; the API cannot restore it."""
        self._send("DELETE", self._schedule(report, schedule))

    def list_report_filters(self, report: str) -> Iterator[models.ReportFilter]:
        """List a Report's filters."""
        return self._list(f"{self._report(report)}/filters", "report_filters", models.ReportFilter)
