# SPDX-License-Identifier: Apache-2.0
"""Find out which tables each Report reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.base import StudioOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["StudioReportTablesOperator"]


class StudioReportTablesOperator(StudioOperator):
    """Write `tables.parquet` beside the newest snapshot: which tables the queries of each Report read.

    Needs the extra `lineage`. A Report that was not edited since it was read costs no request; the others cost one
    each, or one for 1,000 queries if the connection has a signature token for the Discovery API. The log says how many
    are needed before the first is sent. A retry continues where the previous try ended.

    Returns a small summary, with `reports`, `read`, `queries`, `unresolved`, `tables` and `requests_spent`.

    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "storage_path")

    def __init__(
        self,
        *,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.storage_path = storage_path

    def run_with_studio(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Write the tables."""
        from airflow_provider_studio.governance.lineage.report_tables import write_tables

        discovery = self.hook.discovery_client if self.hook.has_discovery else None
        storage = settings.storage(self.storage_path)
        return write_tables(self.hook.client, storage, discovery=discovery, progress=self.log.info).to_dict()
