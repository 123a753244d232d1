# SPDX-License-Identifier: Apache-2.0
"""Studio's responses as typed models, by what they describe; `resource` has what they share."""

from airflow_provider_studio.client.models.people import (
    AuditEntry,
    Group,
    GroupMembership,
    Member,
    Membership,
    Verification,
)
from airflow_provider_studio.client.models.queries import DataSource, Definition, Query, QueryRun, SchemaUpdate
from airflow_provider_studio.client.models.reports import (
    Collection,
    DatasetField,
    FormField,
    PdfExport,
    Report,
    ReportFilter,
    ReportRun,
    RunState,
)
from airflow_provider_studio.client.models.resource import Resource
from airflow_provider_studio.client.models.schedules import Schedule, Subscription
from airflow_provider_studio.client.schedule_values import Cron, Frequency, ScheduleInput

__all__ = [
    "AuditEntry",
    "Collection",
    "Cron",
    "DataSource",
    "DatasetField",
    "Definition",
    "FormField",
    "Frequency",
    "Group",
    "GroupMembership",
    "Member",
    "Membership",
    "PdfExport",
    "Query",
    "QueryRun",
    "Report",
    "ReportFilter",
    "ReportRun",
    "Resource",
    "RunState",
    "Schedule",
    "ScheduleInput",
    "SchemaUpdate",
    "Subscription",
    "Verification",
]
