# SPDX-License-Identifier: Apache-2.0
"""Remove old snapshots, plans and journals from the storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.base import StudioOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["StudioPlanRetentionOperator", "StudioSnapshotRetentionOperator"]


class StudioSnapshotRetentionOperator(StudioOperator):
    """Thin out old snapshots: keep all of them for a while, then one per week, then one per month, then none.

    Never drops the newest snapshot, nor one that a plan or journal refers to. The facts keep the views and runs that
    dropped snapshots recorded. Returns the dropped snapshots. Sends no request.

    :param every_snapshot_days: how long every snapshot is kept; at least the longest window of a policy.
    :param weekly_days: how long the first of each week is kept.
    :param monthly_days: how long the first of each month is kept.
    :param dry_run_only: report which snapshots would be dropped, and drop none.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "storage_path")

    def __init__(
        self,
        *,
        every_snapshot_days: int = 190,
        weekly_days: int = 730,
        monthly_days: int = 3650,
        dry_run_only: bool = False,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.every_snapshot_days = every_snapshot_days
        self.weekly_days = weekly_days
        self.monthly_days = monthly_days
        self.dry_run_only = dry_run_only
        self.storage_path = storage_path

    def run_with_studio(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Drop the snapshots that are due."""
        from airflow_provider_studio.governance.snapshots.retention import Retention, retain

        retention = Retention(self.every_snapshot_days, self.weekly_days, self.monthly_days)
        summary = retain(
            settings.storage(self.storage_path), self.hook.client.workspace, retention, dry_run=self.dry_run_only
        )
        self.log.info("Snapshots kept: %d, dropped: %d", summary.kept, len(summary.dropped))
        return summary.to_dict()


class StudioPlanRetentionOperator(StudioOperator):
    """Drop old plans with their journals, which have the names and e-mail addresses of people.

    Never drops the newest plan of a name, nor, unless `undo_days` is set, one that an undo may still need. Run it
    before `StudioSnapshotRetentionOperator`, which keeps the snapshots that plans refer to. Returns the dropped plans.
    Sends no request.

    :param plans_days: how long a plan is kept of which nothing was done, or all of it is undone.
    :param undo_days: how long all other plans are kept; after that, they cannot be undone. By default they are kept.
    :param dry_run_only: report which plans would be dropped, and drop none.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "storage_path")

    def __init__(
        self,
        *,
        plans_days: int = 400,
        undo_days: int | None = None,
        dry_run_only: bool = False,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.plans_days = plans_days
        self.undo_days = undo_days
        self.dry_run_only = dry_run_only
        self.storage_path = storage_path

    def run_with_studio(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Drop the plans that are due."""
        from airflow_provider_studio.governance.plans.retention import PlanRetention, retain_plans

        retention = PlanRetention(self.plans_days, self.undo_days)
        summary = retain_plans(
            settings.storage(self.storage_path), self.hook.client.workspace, retention, dry_run=self.dry_run_only
        )
        self.log.info("Plans kept: %d, dropped: %d", summary.kept, len(summary.dropped))
        return summary.to_dict()
