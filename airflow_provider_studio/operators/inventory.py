# SPDX-License-Identifier: Apache-2.0
"""The nightly walk through a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AssetAlias

from airflow_provider_studio import settings
from airflow_provider_studio.assets import create_asset
from airflow_provider_studio.governance.file_names import REPORTS_CSV, task_inventory_name
from airflow_provider_studio.governance.layout import cross_check_storage
from airflow_provider_studio.hooks.discovery import SourceName, checked_source, source_of
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.telemetry import log_folded

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from upath import UPath

    from airflow_provider_studio.governance.inventory.inventory import Inventory, Source
    from airflow_provider_studio.governance.inventory.summary import InventorySummary

INVENTORY = AssetAlias("studio_inventory")
"""Gets an event for `studio://<workspace>/inventory` with each snapshot's summary."""


class StudioInventoryBase(StudioOperator):
    """What all inventory operators share.

    :param collection_filter: `custom` leaves other members' personal Collections out; `all` reads them too.
    :param source: `rest` walks the REST API; `discovery_api` and `discovery_db` read Studio's Discovery API or
        Database, and schedules over the REST API; `auto` takes the cheapest that the connections can use.
    :param discovery_sql_conn_id: the SQL connection of the Discovery Database.
    :param discovery_schema: where its tables are; `MODE.ORGANIZATION_USAGE` by default.
    :param discovery_query: another query than the standard one, with the same columns.
    :param verify_within_days: schedules are carried over from the night before where nothing changed; none is older.
    :param max_shrink: which share of the Reports may be gone since the snapshot before, and within a day; 0.2 is 20 %.
        More is no snapshot.
    :param storage_path: another place than `[studio] storage_path`.
    """

    lineage = "inventory"
    template_fields: Sequence[str] = (
        *StudioOperator.template_fields,
        "collection_filter",
        "source",
        "discovery_sql_conn_id",
        "discovery_schema",
        "discovery_query",
        "max_shrink",
        "storage_path",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"discovery_query": "sql"}

    def __init__(
        self,
        *,
        collection_filter: Literal["custom", "all"] = "custom",
        source: SourceName = "rest",
        discovery_sql_conn_id: str | None = None,
        discovery_schema: str | None = None,
        discovery_query: str | None = None,
        verify_within_days: int = 28,
        max_shrink: float | str = 0.2,
        storage_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.collection_filter = collection_filter
        self.source = source
        self.discovery_sql_conn_id = discovery_sql_conn_id
        self.discovery_schema = discovery_schema
        self.discovery_query = discovery_query
        self.verify_within_days = verify_within_days
        self.max_shrink = max_shrink
        self.storage_path = storage_path
        if "{{" not in source:
            checked_source(source)

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

    def source_named(self, name: str, storage: UPath) -> Source | None:
        """Return the source of this name."""
        return source_of(
            self.hook,
            name,
            storage,
            include_personal=self.collection_filter == "all",
            sql_conn_id=self.discovery_sql_conn_id,
            schema=self.discovery_schema,
            query=self.discovery_query,
        )

    def told(self, context: Context, summary: InventorySummary) -> dict[str, Any]:
        """Return the summary, after the asset's event."""
        told = summary.to_dict()
        unread = [f"Collection {one}" for one in summary.unreadable_collections]
        unread += [f"the datasets of Collection {one}" for one in summary.unreadable_datasets]
        if unread:
            log_folded(self.log, f"{len(unread)} could not be read; what they hold is unknown", unread)
        if INVENTORY in self.outlets:
            context["outlet_events"][INVENTORY].add(create_asset(workspace=summary.workspace), extra=told)
        return told


class StudioInventoryOperator(StudioInventoryBase):
    """Write a snapshot of every Report with its schedules, runs and views.

    Returns a small summary, with `reports`, `archived`, `schedules`, `requests_spent` and the `snapshot`; the rows are
    in Parquet under the storage path. A retry goes on where the try before it was killed.

    :param csv: write the newest night with its facts as `reports.csv` beside the Parquet too.
    :param cross_check: take the inventory from this source too, and report where the two differ (`cross_check`).

    The other parameters are those of `StudioInventoryBase`.
    """

    template_fields: Sequence[str] = (*StudioInventoryBase.template_fields, "cross_check")

    def __init__(self, *, csv: bool = False, cross_check: SourceName | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("outlets", [INVENTORY])
        super().__init__(**kwargs)
        self.csv = csv
        self.cross_check = cross_check
        if cross_check is not None and "{{" not in cross_check:
            checked_source(cross_check)

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Walk the workspace."""
        storage, ti = settings.storage(self.storage_path), context["ti"]
        walk = task_inventory_name(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        inventory = self.inventory(storage, walk, self.source_named(self.source, storage))
        inventory.begin()
        inventory.read()
        told = self.told(context, inventory.finish())
        if self.csv:
            told["csv"] = self._write_csv(storage, told)
        if self.cross_check:
            told["cross_check"] = self._cross_check(storage, walk, told)
        return told

    def _write_csv(self, storage: UPath, told: dict[str, Any]) -> str:
        from airflow_provider_studio.governance.snapshots.csv_export import write_csv
        from airflow_provider_studio.governance.snapshots.store import SnapshotStore

        nights = SnapshotStore(storage, told["workspace"]).up_to(told["snapshot"])
        path = nights[-1].folder / REPORTS_CSV
        write_csv(nights, path)
        return str(path)

    def _cross_check(self, storage: UPath, walk: str, told: dict[str, Any]) -> dict[str, Any]:
        """Take the other inventory apart from the nights, without schedules, and hold the two against each other."""
        from airflow_provider_studio.governance.inventory.cross_check import compare
        from airflow_provider_studio.governance.snapshots.store import SnapshotStore

        apart = cross_check_storage(storage)
        source = self.source_named(str(self.cross_check), storage)
        other = self.inventory(apart, walk, source, with_schedules=False)
        other.begin()
        other.read()
        checked = other.finish()
        ours = SnapshotStore(storage, told["workspace"]).up_to(told["snapshot"])[-1]
        theirs = SnapshotStore(apart, told["workspace"]).up_to(checked.snapshot)[-1]
        found = compare(ours, theirs)
        one, other = found["sources"]
        log_folded(
            self.log, f"Cross-check of {one} with {other}", (f"{what}: {value}" for what, value in found.items())
        )
        return found
