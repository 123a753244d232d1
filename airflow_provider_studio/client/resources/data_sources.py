# SPDX-License-Identifier: Apache-2.0
"""The workspace's connections to databases, and what uses them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.pagination import rows_of

log = logging.getLogger(__name__)

_MOST_REPEATED_PAGES = 10
"""Pages without a new Report: a Report has one row per query, up to 160 of them on pages of 30."""


class DataSources(StudioClientBase):
    """The methods for data sources."""

    def list_data_sources(self) -> Iterator[models.DataSource]:
        """List the database connections of the workspace."""
        return self._list(f"/api/{self.workspace}/data_sources", "data_sources", models.DataSource)

    def get_data_source(self, data_source: str) -> models.DataSource:
        """Read one database connection of the workspace."""
        path = self._data_source(data_source)
        return self._read(models.DataSource, path, what=f"data source {data_source}", token=data_source)

    def list_data_source_reports(
        self, data_source: str, *, report_doubt: Callable[[str], None] = log.warning
    ) -> Iterator[models.Report]:
        """List the Reports with a query on a data source, each once, although the service has a row for each query.

        Only an empty page ends the listing, because one Report may fill several pages.

        :param report_doubt: receives a sentence if Reports may be missing.
        :raises StudioResponseError: a page without its rows.
        """
        path, seen, repeated, page = f"{self._data_source(data_source)}/reports", set[str](), 0, 0
        while repeated <= _MOST_REPEATED_PAGES:
            page += 1
            rows = rows_of(self._get_page(path, {"page": page}), "reports", what=f"GET {path}, page {page}")
            if not rows:
                return
            new = {row["token"]: row for row in rows if row["token"] not in seen}
            repeated = 0 if new else repeated + 1
            seen.update(new)
            yield from (models.Report.parse(row, what=f"GET {path}, {token}") for token, row in new.items())
        report_doubt(f"GET {path}: rows may be missing: {repeated} pages in sequence had no new Report.")

    def list_data_source_datasets(self, data_source: str) -> Iterator[models.Report]:
        """List the datasets on a data source."""
        return self._list(f"{self._data_source(data_source)}/datasets", "reports", models.Report)

    def create_schema_update(self, data_source: str) -> models.SchemaUpdate:
        """Let Studio read the schemas and tables of a data source again, for its schema browser.

        It queries the database, and is never repeated once it may have arrived. No endpoint returns its later state.
        """
        response = self._send("POST", f"{self._data_source(data_source)}/schema_updates")
        return models.SchemaUpdate.parse(response, what=f"the schema update of data source {data_source}")

    def _data_source(self, token: str) -> str:
        return f"/api/{self.workspace}/data_sources/{check_identifier('data source', token)}"
