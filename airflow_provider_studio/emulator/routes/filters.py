# SPDX-License-Identifier: Apache-2.0
"""Which Reports of a listing, and in which order, where a listing heeds what it is asked for."""

from __future__ import annotations

import re
from datetime import datetime

from airflow_provider_studio.emulator.entities import Report
from airflow_provider_studio.emulator.request import ApiRequest, time_of
from airflow_provider_studio.emulator.serializers.reports import updated_at

_FILTER = re.compile(r"(created_at|updated_at)\.(gt|lt)\.(.+)")


def chosen(asked: ApiRequest, reports: list[Report]) -> list[Report]:
    """The Reports that `filter` lets through, in the order of `order_by`; all as they are where neither is heeded."""
    if asked.world.quirks.listing_filters == "ignored":
        return reports
    match = _FILTER.fullmatch(asked.query.get("filter", ""))
    if match:
        field, relation, text = match.groups()
        limit = time_of("filter", text)
        reports = [
            one
            for one in reports
            if (_when(asked, one, field) > limit if relation == "gt" else _when(asked, one, field) < limit)
        ]
    wanted = asked.query.get("order_by")
    if wanted not in {"created_at", "updated_at"}:
        return reports
    backwards = asked.query.get("order") == "desc"
    return sorted(reports, key=lambda one: _when(asked, one, wanted), reverse=backwards)


def _when(asked: ApiRequest, report: Report, field: str) -> datetime:
    return report.created_at if field == "created_at" else updated_at(asked.view, report)
