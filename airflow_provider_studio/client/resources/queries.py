# SPDX-License-Identifier: Apache-2.0
"""Queries of Reports, the runs of queries, and their results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.identity import check_parent


class Queries(StudioClientBase):
    """The methods for queries and their runs."""

    def list_queries(self, report: str, *, counted: int | None = None) -> Iterator[models.Query]:
        """List a Report's queries.

        :param counted: how many it counts; if the list agrees, no request is sent to prove its end.
        """
        return self._list(f"{self._report(report)}/queries", "queries", models.Query, counted=counted)

    def get_query(self, report: str, query: str) -> models.Query:
        """Read one query of a Report, with its SQL."""
        return self._read(models.Query, self._query(report, query), what=f"query {query}", token=query)

    def create_query(
        self, report: str, raw_query: str, *, data_source_id: int | str, name: str | None = None
    ) -> models.Query:
        """Add a query to a Report. The request is never repeated once it may have arrived.

        :param raw_query: its SQL, which may contain Liquid.
        :param data_source_id: the `id` of the data source, which is a number, not its token.
        """
        if not raw_query:
            raise StudioConfigurationError("raw_query is empty; a query needs its SQL.")
        body = {"raw_query": raw_query, "data_source_id": _number(data_source_id)} | ({"name": name} if name else {})
        response = self._send("POST", f"{self._report(report)}/queries", {"query": body})
        query = models.Query.parse(response, what=f"the new query of Report {report}")
        check_parent(query, "report", report, what=f"the new query of Report {report}")
        return query

    def update_query(
        self,
        report: str,
        query: str,
        *,
        raw_query: str | None = None,
        data_source_id: int | str | None = None,
        name: str | None = None,
    ) -> models.Query:
        """Change a query of a Report; Studio keeps no earlier version of its SQL in this API."""
        if raw_query == "":
            raise StudioConfigurationError("raw_query is empty; a query needs its SQL.")
        values: dict[str, Any] = {
            "raw_query": raw_query,
            "data_source_id": None if data_source_id is None else _number(data_source_id),
            "name": name,
        }
        changes = {key: value for key, value in values.items() if value is not None}
        if not changes:
            raise StudioConfigurationError("Nothing to update: give raw_query, data_source_id or name.")
        path = self._query(report, query)
        with self._as_its_member_may(f"change the query {query}"):
            return self._change(models.Query, path, {"query": changes}, what=f"query {query}", token=query)

    def _query(self, report: str, query: str) -> str:
        return f"{self._report(report)}/queries/{check_identifier('query', query)}"

    # Query runs

    def list_query_runs(self, report: str, run: str) -> Iterator[models.QueryRun]:
        """List the queries of a run; they hold the reason of a failed run."""
        return self._list(f"{self._run(report, run)}/query_runs", "query_runs", models.QueryRun)

    def get_query_run(self, report: str, run: str, query_run: str) -> models.QueryRun:
        """Read one query of a run, with the SQL that was sent to the database."""
        path, what = self._query_run(report, run, query_run), f"query run {query_run}"
        return self._read(models.QueryRun, path, what=what, token=query_run)

    @contextmanager
    def download_query_run_results(
        self, report: str, run: str, query_run: str, extension: Literal["csv", "json"], *, chunk_bytes: int = 1 << 18
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open the results of one query of a run. The run's own JSON endpoint returns only its first query."""
        path = self._query_run(report, run, query_run)
        with self._download(f"{path}/results/content.{extension}", chunk_bytes) as response:
            yield response

    def _query_run(self, report: str, run: str, query_run: str) -> str:
        return f"{self._run(report, run)}/query_runs/{check_identifier('query run', query_run)}"


def _number(data_source_id: int | str) -> int:
    """Return an id as the API description has it; recent responses have decimal strings."""
    text = str(data_source_id)
    if not (text.isascii() and text.isdecimal()):
        raise StudioConfigurationError(
            f"data_source_id is {text!r}; it is the number `id` of a data source, not its token: see list_data_sources."
        )
    return int(text)
