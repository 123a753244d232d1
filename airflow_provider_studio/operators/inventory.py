# SPDX-License-Identifier: Apache-2.0
"""The nightly inventory of a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_studio import settings
from airflow_provider_studio.assets import create_asset
from airflow_provider_studio.governance.file_names import REPORTS_CSV, task_inventory_name
from airflow_provider_studio.governance.layout import cross_check_storage
from airflow_provider_studio.hooks.discovery import SourceName, checked_source, source_of
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.asset_events import INVENTORY, add_outlet, emit_event
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.telemetry import log_folded

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from upath import UPath

    from airflow_provider_studio.governance.inventory.inventory import Inventory, Source
    from airflow_provider_studio.governance.inventory.summary import InventorySummary

__all__ = ["StudioInventoryOperator"]

CollectionFilter = Literal["custom", "all"]


class StudioInventoryBase(StudioOperator):
    """The base of all inventory operators.

    :param collection_filter: `custom` leaves other members' personal Collections out; `all` reads them too.
    :param verify_within_days: schedules are carried over from the previous snapshot where nothing changed; each is read
        again after this many days at the latest.
    :param max_shrink: the largest share of the Reports that may be gone since the previous snapshot, and within a day;
        0.2 is 20 %. If more are gone, no snapshot is written.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    lineage = "inventory"
    writes_snapshot: ClassVar[bool] = False
    """Whether the task writes the snapshot, and so emits the asset's event."""
    template_fields: Sequence[str] = (
        *StudioOperator.template_fields,
        "collection_filter",
        "max_shrink",
        "storage_path",
    )

    def __init__(
        self,
        *,
        collection_filter: CollectionFilter = "custom",
        verify_within_days: int = 28,
        max_shrink: float | str = 0.2,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        if self.writes_snapshot:
            add_outlet(self, INVENTORY)
        self.collection_filter = collection_filter
        self.verify_within_days = verify_within_days
        self.max_shrink = max_shrink
        self.storage_path = storage_path

    def inventory(self, storage: UPath, walk: str, source: Source | None, **options: Any) -> Inventory:
        """Return the inventory of this name."""
        from airflow_provider_studio.governance.inventory.inventory import Inventory

        return Inventory(
            self.hook.client,
            storage,
            collection_filter=self.collection_filter,
            source=source,
            walk=walk,
            verify_within=timedelta(days=self.verify_within_days),
            max_shrink=float(self.max_shrink),
            progress=self.log.info,
            **options,
        )

    def publish(self, context: Context, summary: InventorySummary) -> dict[str, Any]:
        """Emit the asset's event, and return the summary."""
        result = summary.to_dict()
        unread = [f"Collection {token}" for token in summary.unreadable_collections]
        unread += [f"the datasets of Collection {token}" for token in summary.unreadable_datasets]
        if unread:
            log_folded(self.log, f"{len(unread)} could not be read; their content is unknown", unread)
        emit_event(self, context, INVENTORY, create_asset(workspace=summary.workspace), result)
        return result


class StudioInventoryOperator(StudioInventoryBase):
    """Write a snapshot of every Report with its schedules, runs and views.

    Returns a small summary, with `reports`, `archived`, `schedules`, `requests_spent` and the `snapshot`; the rows are
    in Parquet under the storage path. A retry resumes where the previous try ended.

    :param collection_filter: `custom` leaves other members' personal Collections out; `all` reads them too.
    :param source: `rest` crawls the REST API; `discovery_api` and `discovery_db` read Studio's Discovery API or
        Database, and schedules over the REST API; `auto` uses the cheapest source that the connections permit.
    :param discovery_sql_conn_id: the SQL connection of the Discovery Database.
    :param discovery_schema: the schema of its tables; `MODE.ORGANIZATION_USAGE` by default.
    :param discovery_query: a query other than the standard one, with the same columns.
    :param verify_within_days: schedules are carried over from the previous snapshot where nothing changed; each is read
        again after this many days at the latest.
    :param max_shrink: the largest share of the Reports that may be gone since the previous snapshot, and within a day;
        0.2 is 20 %. If more are gone, no snapshot is written.
    :param csv: also write the newest snapshot with its facts as `reports.csv` beside the Parquet.
    :param cross_check: also take the inventory from this source, and report the differences (`cross_check`).
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    writes_snapshot = True
    template_fields: Sequence[str] = (
        *StudioInventoryBase.template_fields,
        "source",
        "discovery_sql_conn_id",
        "discovery_schema",
        "discovery_query",
        "cross_check",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"discovery_query": "sql"}

    def __init__(
        self,
        *,
        collection_filter: CollectionFilter = "custom",
        source: SourceName = "rest",
        discovery_sql_conn_id: str | None = None,
        discovery_schema: str | None = None,
        discovery_query: str | None = None,
        verify_within_days: int = 28,
        max_shrink: float | str = 0.2,
        csv: bool = False,
        cross_check: SourceName | None = None,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            collection_filter=collection_filter,
            verify_within_days=verify_within_days,
            max_shrink=max_shrink,
            storage_path=storage_path,
            studio_conn_id=studio_conn_id,
            **kwargs,
        )
        self.source = source
        self.discovery_sql_conn_id = discovery_sql_conn_id
        self.discovery_schema = discovery_schema
        self.discovery_query = discovery_query
        self.csv = csv
        self.cross_check = cross_check
        for name in (source, cross_check):
            if name is not None and "{{" not in name:
                checked_source(name)

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Take the inventory."""
        storage, ti = settings.storage(self.storage_path), context["ti"]
        walk = task_inventory_name(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        inventory = self.inventory(storage, walk, self._source(self.source, storage))
        inventory.begin()
        inventory.read()
        result = self.publish(context, inventory.finish())
        if self.csv:
            result["csv"] = self._write_csv(storage, result)
        if self.cross_check:
            result["cross_check"] = self._cross_check(storage, walk, result)
        return result

    def _source(self, name: str, storage: UPath) -> Source | None:
        return source_of(
            self.hook,
            name,
            storage,
            include_personal=self.collection_filter == "all",
            sql_conn_id=self.discovery_sql_conn_id,
            schema=self.discovery_schema,
            query=self.discovery_query,
        )

    def _write_csv(self, storage: UPath, summary: dict[str, Any]) -> str:
        from airflow_provider_studio.governance.snapshots.csv_export import write_csv
        from airflow_provider_studio.governance.snapshots.store import SnapshotStore

        snapshots = SnapshotStore(storage, summary["workspace"]).up_to(summary["snapshot"])
        path = snapshots[-1].folder / REPORTS_CSV
        write_csv(snapshots, path)
        return str(path)

    def _cross_check(self, storage: UPath, walk: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Take the second inventory in a storage of its own, without schedules, and compare the two."""
        from airflow_provider_studio.governance.inventory.cross_check import compare
        from airflow_provider_studio.governance.snapshots.store import SnapshotStore

        second_storage = cross_check_storage(storage)
        source = self._source(str(self.cross_check), storage)
        second = self.inventory(second_storage, walk, source, with_schedules=False)
        second.begin()
        second.read()
        second_summary = second.finish()
        snapshot = SnapshotStore(storage, summary["workspace"]).up_to(summary["snapshot"])[-1]
        other = SnapshotStore(second_storage, summary["workspace"]).up_to(second_summary.snapshot)[-1]
        comparison = compare(snapshot, other)
        title = "Cross-check of {} with {}".format(*comparison["sources"])
        log_folded(self.log, title, (f"{what}: {value}" for what, value in comparison.items()))
        return comparison
