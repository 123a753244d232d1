# SPDX-License-Identifier: Apache-2.0
"""The filter and order parameters of listings of Reports."""

from __future__ import annotations

import re
from datetime import datetime
from random import Random

from airflow_provider_studio.emulator.entities import Report
from airflow_provider_studio.emulator.request import ApiRequest, time_of
from airflow_provider_studio.emulator.serializers.reports import updated_at

_FILTER = re.compile(r"(created_at|updated_at)\.(gt|lt)\.(.+)")


def filter_reports(request: ApiRequest, reports: list[Report]) -> list[Report]:
    """Return the Reports that match `filter`, in the order of `order_by`, unless a quirk ignores both."""
    if request.workspace.quirks.listing_order == "unstable":
        return Random(f"{request.workspace.seed}/{request.path}/{len(request.state.log.requests)}").sample(
            reports, len(reports)
        )
    if request.workspace.quirks.listing_filters == "ignored":
        return reports
    match = _FILTER.fullmatch(request.query.get("filter", ""))
    if match:
        field, relation, text = match.groups()
        limit = time_of("filter", text)
        reports = [
            report
            for report in reports
            if (_when(request, report, field) > limit if relation == "gt" else _when(request, report, field) < limit)
        ]
    order_by = request.query.get("order_by")
    if order_by not in {"created_at", "updated_at"}:
        return reports
    backwards = request.query.get("order") == "desc"
    return sorted(reports, key=lambda report: _when(request, report, order_by), reverse=backwards)


def _when(request: ApiRequest, report: Report, field: str) -> datetime:
    return report.created_at if field == "created_at" else updated_at(request.view, report)
