# SPDX-License-Identifier: Apache-2.0
"""The nightly walk through a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AssetAlias

from airflow_provider_studio import settings
from airflow_provider_studio.assets import create_asset
from airflow_provider_studio.operators.base import StudioOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

INVENTORY = AssetAlias("studio_inventory")
"""Gets an event for `studio://<workspace>/inventory` with each snapshot's summary."""


class StudioInventoryOperator(StudioOperator):
    """Write a snapshot of every Report with its schedules, runs and views.

    Returns a small summary, with `reports`, `archived`, `schedules`, `requests_spent` and the `snapshot`; the rows are
    in Parquet under the storage path.

    :param collection_filter: `custom` leaves other members' personal Collections out; `all` reads them too.
    :param storage_path: another place than `[studio] storage_path`.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "collection_filter", "storage_path")

    def __init__(
        self, *, collection_filter: Literal["custom", "all"] = "custom", storage_path: str | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("outlets", [INVENTORY])
        super().__init__(**kwargs)
        self.collection_filter = collection_filter
        self.storage_path = storage_path

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Walk the workspace."""
        from airflow_provider_studio.governance.inventory import take_inventory

        summary = take_inventory(
            self.hook.client,
            settings.storage(self.storage_path),
            collection_filter=self.collection_filter,
            progress=self.log.info,
        ).to_dict()
        if INVENTORY in self.outlets:
            context["outlet_events"][INVENTORY].add(create_asset(workspace=summary["workspace"]), extra=summary)
        return summary
