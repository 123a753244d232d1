# SPDX-License-Identifier: Apache-2.0
"""Deletions of stored results, which no backup covers: permitted by the deployment, and confirmed by a name."""

from __future__ import annotations

from datetime import date

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.resources.named import check_named


class Purges(StudioClientBase):
    """The methods that delete results of runs. They delete no Report, query, run or schedule."""

    def purge_results(self, until: date, *, workspace: str) -> None:
        """Delete the stored results of all Report runs of the workspace up to a day.

        The API's description is ambiguous: `time` may be the end or the beginning of the period. So `end_time` is sent
        with the same day: either every result until then is deleted, or that day's only; never a newer one.

        :param until: the last day whose results are deleted.
        :param workspace: the name of the workspace, as a confirmation.
        :raises StudioConfigurationError: it is another workspace.
        :raises StudioCapabilityError: the deployment does not permit it, which is the default.
        """
        if workspace != self.workspace:
            raise StudioConfigurationError(
                f"workspace is {workspace!r}; this deletes the results of all Reports of {self.workspace!r}, so give "
                "that name if you mean it. Nothing was deleted."
            )
        if type(until) is not date:
            raise StudioConfigurationError(f"until is {until!r}; it must be a date without a time.")
        self._permissions().check_purge(f"The workspace {workspace}")
        # The description has the dates in the query, another client sends them in the body.
        dates = {"time": until.isoformat(), "end_time": until.isoformat()}
        path = f"/api/{self.workspace}/reports/purge"
        self._transport.request("POST", path, query=dates, body=dates, priority=self._priority)

    def purge_data_source_results(self, data_source: str, *, name: str) -> None:
        """Delete the stored results of all runs that used a data source.

        :param name: the data source's name. If it has another one, nothing is deleted.
        :raises StudioConfigurationError: it has another name.
        :raises StudioCapabilityError: the deployment does not permit it, which is the default.
        """
        path = f"/api/{self.workspace}/data_sources/{check_identifier('data source', data_source)}"
        what = f"data source {data_source}"
        self._permissions().check_purge(what.capitalize())
        found = self._read(models.DataSource, path, what=what, token=data_source)
        check_named(what, "name", name, found.name)
        self._send("POST", f"{path}/purge")
