# SPDX-License-Identifier: Apache-2.0
"""One inventory in several tasks: one begins it, mapped tasks read a part each, one finishes it.

All share the token's budget, so more tasks are not faster than the budget; they use it fully where responses are slow.
The snapshot is the same as that of `StudioInventoryOperator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.file_names import shared_inventory_name
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.inventory import CollectionFilter, StudioInventoryBase

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.governance.inventory.inventory import Inventory

__all__ = ["StudioBeginInventoryOperator", "StudioFinishInventoryOperator", "StudioReadInventoryPartOperator"]


class _StudioSharedInventoryOperator(StudioInventoryBase):
    """Works on the inventory that the tasks of this DAG run share. It crawls the REST API."""

    def __init__(
        self,
        *,
        inventory_name: str = "inventory",
        source: str = "rest",
        collection_filter: CollectionFilter = "custom",
        verify_within_days: int = 28,
        max_shrink: float | str = 0.2,
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
        self.inventory_name = inventory_name
        if source != "rest":
            raise StudioConfigurationError(
                f"source is {source!r}; an inventory in parts crawls the REST API. "
                "Discovery needs few requests, so that StudioInventoryOperator is enough."
            )

    def shared(self, context: Context) -> Inventory:
        """Return the inventory that the tasks of this DAG run share."""
        ti = context["ti"]
        return self.inventory(
            settings.storage(self.storage_path), shared_inventory_name(ti.dag_id, ti.run_id, self.inventory_name), None
        )


class StudioBeginInventoryOperator(_StudioSharedInventoryOperator):
    """Begin an inventory that mapped tasks read. Returns its parts, for `expand(part=…)`.

    :param parts: the number of parts; the Collections are dealt to them round-robin, the largest first.
    :param inventory_name: distinguishes several inventories of one DAG run; the same in all of its tasks.
    :param source: only `rest`, which crawls the REST API.
    :param collection_filter: `custom` leaves other members' personal Collections out; `all` reads them too.
    :param verify_within_days: see `StudioInventoryOperator`.
    :param max_shrink: see `StudioInventoryOperator`.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    def __init__(
        self,
        *,
        parts: int = 4,
        inventory_name: str = "inventory",
        source: str = "rest",
        collection_filter: CollectionFilter = "custom",
        verify_within_days: int = 28,
        max_shrink: float | str = 0.2,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            inventory_name=inventory_name,
            source=source,
            collection_filter=collection_filter,
            verify_within_days=verify_within_days,
            max_shrink=max_shrink,
            storage_path=storage_path,
            studio_conn_id=studio_conn_id,
            **kwargs,
        )
        if parts < 1:
            raise StudioConfigurationError(f"parts is {parts!r}; it must be at least 1.")
        self.parts = parts

    def run_with_studio(self, context: Context) -> list[str]:
        """List the Collections."""
        parts = min(self.parts, self.shared(context).begin())
        return [f"{part}/{parts}" for part in range(parts)]


class StudioReadInventoryPartOperator(_StudioSharedInventoryOperator):
    """Read one part of an inventory; map it over what `StudioBeginInventoryOperator` returned.

    :param part: `0/4` is the first of four.
    :param inventory_name: distinguishes several inventories of one DAG run; the same in all of its tasks.
    :param source: only `rest`, which crawls the REST API.
    :param collection_filter: `custom` leaves other members' personal Collections out; `all` reads them too.
    :param verify_within_days: see `StudioInventoryOperator`.
    :param max_shrink: see `StudioInventoryOperator`.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (*_StudioSharedInventoryOperator.template_fields, "part")

    def __init__(
        self,
        *,
        part: str,
        inventory_name: str = "inventory",
        source: str = "rest",
        collection_filter: CollectionFilter = "custom",
        verify_within_days: int = 28,
        max_shrink: float | str = 0.2,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            inventory_name=inventory_name,
            source=source,
            collection_filter=collection_filter,
            verify_within_days=verify_within_days,
            max_shrink=max_shrink,
            storage_path=storage_path,
            studio_conn_id=studio_conn_id,
            **kwargs,
        )
        self.part = part

    def run_with_studio(self, context: Context) -> None:
        """Read the part."""
        part, _, parts = self.part.partition("/")
        if not (part.isdecimal() and parts.isdecimal()):
            raise StudioConfigurationError(f"part is {self.part!r}; it must be a number of a number, such as '0/4'.")
        self.shared(context).read(int(part), int(parts))


class StudioFinishInventoryOperator(_StudioSharedInventoryOperator):
    """Write the snapshot of an inventory whose parts are read; returns what `StudioInventoryOperator` returns.

    :param inventory_name: distinguishes several inventories of one DAG run; the same in all of its tasks.
    :param source: only `rest`, which crawls the REST API.
    :param collection_filter: `custom` leaves other members' personal Collections out; `all` reads them too.
    :param verify_within_days: see `StudioInventoryOperator`.
    :param max_shrink: see `StudioInventoryOperator`.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    writes_snapshot = True

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Write the snapshot."""
        return self.publish(context, self.shared(context).finish())
