# SPDX-License-Identifier: Apache-2.0
"""Apache Airflow provider for ThoughtSpot Analyst Studio (formerly Mode).

Its public names are imported from here, such as `from airflow_provider_studio import StudioRunReportOperator`. Each
loads its module when it is used; the import of the package alone loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_studio.assets import create_asset
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.governance.execution.guard_rails import GuardRails
    from airflow_provider_studio.governance.plans.policy import StalenessPolicy
    from airflow_provider_studio.hooks.studio import StudioHook
    from airflow_provider_studio.notifications import StudioOwnersNotifier, StudioPlanNotifier
    from airflow_provider_studio.operators.approval import StudioApprovePlanOperator
    from airflow_provider_studio.operators.datasets import StudioRunDatasetOperator
    from airflow_provider_studio.operators.housekeeping import (
        StudioPlanRetentionOperator,
        StudioSnapshotRetentionOperator,
    )
    from airflow_provider_studio.operators.inventory import StudioInventoryOperator
    from airflow_provider_studio.operators.mapped_inventory import (
        StudioBeginInventoryOperator,
        StudioFinishInventoryOperator,
        StudioReadInventoryPartOperator,
    )
    from airflow_provider_studio.operators.one_off import (
        StudioArchiveReportsOperator,
        StudioDeleteSchedulesOperator,
        StudioUnarchiveReportsOperator,
    )
    from airflow_provider_studio.operators.plans import (
        StudioApplyPlanOperator,
        StudioPlanOperator,
        StudioUndoPlanOperator,
    )
    from airflow_provider_studio.operators.refresh import StudioRefreshReportsOperator
    from airflow_provider_studio.operators.report_tables import StudioReportTablesOperator
    from airflow_provider_studio.operators.reports import (
        StudioExportReportRunOperator,
        StudioRunReportOperator,
        StudioUpdateReportOperator,
    )
    from airflow_provider_studio.operators.summary import StudioNightSummaryOperator
    from airflow_provider_studio.retries import StudioRetryPolicy
    from airflow_provider_studio.sensors.datasets import StudioDatasetRunSensor
    from airflow_provider_studio.sensors.on_time import StudioReportOnTimeSensor
    from airflow_provider_studio.sensors.reports import StudioReportFreshnessSensor, StudioReportRunSensor
    from airflow_provider_studio.triggers.reports import StudioReportRanTrigger

__version__ = "0.1.0"

__all__ = [
    "GuardRails",
    "StalenessPolicy",
    "StudioApplyPlanOperator",
    "StudioApprovePlanOperator",
    "StudioArchiveReportsOperator",
    "StudioBeginInventoryOperator",
    "StudioClient",
    "StudioDatasetRunSensor",
    "StudioDeleteSchedulesOperator",
    "StudioExportReportRunOperator",
    "StudioFinishInventoryOperator",
    "StudioHook",
    "StudioInventoryOperator",
    "StudioNightSummaryOperator",
    "StudioOwnersNotifier",
    "StudioPlanNotifier",
    "StudioPlanOperator",
    "StudioPlanRetentionOperator",
    "StudioReadInventoryPartOperator",
    "StudioRefreshReportsOperator",
    "StudioReportFreshnessSensor",
    "StudioReportOnTimeSensor",
    "StudioReportRanTrigger",
    "StudioReportRunSensor",
    "StudioReportTablesOperator",
    "StudioRetryPolicy",
    "StudioRunDatasetOperator",
    "StudioRunReportOperator",
    "StudioSnapshotRetentionOperator",
    "StudioUnarchiveReportsOperator",
    "StudioUndoPlanOperator",
    "StudioUpdateReportOperator",
    "create_asset",
]

_MODULES = {
    "GuardRails": "governance.execution.guard_rails",
    "StalenessPolicy": "governance.plans.policy",
    "StudioApplyPlanOperator": "operators.plans",
    "StudioApprovePlanOperator": "operators.approval",
    "StudioArchiveReportsOperator": "operators.one_off",
    "StudioBeginInventoryOperator": "operators.mapped_inventory",
    "StudioClient": "client.client",
    "StudioDatasetRunSensor": "sensors.datasets",
    "StudioDeleteSchedulesOperator": "operators.one_off",
    "StudioExportReportRunOperator": "operators.reports",
    "StudioFinishInventoryOperator": "operators.mapped_inventory",
    "StudioHook": "hooks.studio",
    "StudioInventoryOperator": "operators.inventory",
    "StudioNightSummaryOperator": "operators.summary",
    "StudioOwnersNotifier": "notifications",
    "StudioPlanNotifier": "notifications",
    "StudioPlanOperator": "operators.plans",
    "StudioPlanRetentionOperator": "operators.housekeeping",
    "StudioReadInventoryPartOperator": "operators.mapped_inventory",
    "StudioRefreshReportsOperator": "operators.refresh",
    "StudioReportFreshnessSensor": "sensors.reports",
    "StudioReportOnTimeSensor": "sensors.on_time",
    "StudioReportRanTrigger": "triggers.reports",
    "StudioReportRunSensor": "sensors.reports",
    "StudioReportTablesOperator": "operators.report_tables",
    "StudioRetryPolicy": "retries",
    "StudioRunDatasetOperator": "operators.datasets",
    "StudioRunReportOperator": "operators.reports",
    "StudioSnapshotRetentionOperator": "operators.housekeeping",
    "StudioUnarchiveReportsOperator": "operators.one_off",
    "StudioUndoPlanOperator": "operators.plans",
    "StudioUpdateReportOperator": "operators.reports",
    "create_asset": "assets",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
