# SPDX-License-Identifier: Apache-2.0
"""Reports, their queries and charts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from starlette.responses import Response

from airflow_provider_studio.emulator.entities import Query
from airflow_provider_studio.emulator.request import ApiRequest, bad_request, not_found, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes, no_content
from airflow_provider_studio.emulator.routes.filters import filter_reports
from airflow_provider_studio.emulator.serializers.hal import json_response
from airflow_provider_studio.emulator.serializers.reports import serialize_report, serialize_report_or_dataset
from airflow_provider_studio.emulator.serializers.runs import serialize_charts, serialize_query

_LONGEST_NAME = 64
_SETTINGS = ("full_width", "manual_run_disabled", "drill_anywhere_enabled")

routes = Routes()


@routes.on("POST", "/reports", 201)
def create_report(request: ApiRequest) -> Result:
    """Create an empty Report without a name in the caller's personal Collection; the body is ignored."""
    username = request.account.username or next(iter(request.workspace.people))
    collection = request.workspace.personal_collection(username) or next(iter(request.workspace.collections.values()))
    report = request.workspace.new_report(None, collection.token, username, request.now, query_count=0)
    return serialize_report(request.view, report, alone=True)


@routes.on("POST", "/reports/purge", 202)
def purge_results(request: ApiRequest) -> Result:
    """Purge the results of the whole workspace, despite the endpoint's name."""
    request.need_admin()
    quirks = request.workspace.quirks
    dates = dict(request.query) if quirks.purge_arguments == "query" else request.body()
    since, until = _date(dates, "time"), _date(dates, "end_time")
    if since is None:
        raise param_missing("time")
    if quirks.purge_time == "newer":
        request.workspace.purged_from = datetime.combine(since, time.min, UTC)
        request.workspace.purged_until = datetime.combine(until or date.max, time.max, UTC)
    else:
        request.workspace.purged_from = None
        last = until or since - timedelta(days=1)
        request.workspace.purged_until = datetime.combine(last, time.max, UTC)
    return json_response({}, 202)


def _date(values: Mapping[str, Any], name: str) -> date | None:
    try:
        return date.fromisoformat(str(values[name])) if values.get(name) else None
    except ValueError:
        raise bad_request(f"{name} is not a date") from None


@routes.on("GET", "/reports/{report}")
def get_report(request: ApiRequest) -> Result:
    return serialize_report_or_dataset(request.view, request.report())


@routes.on("PATCH", "/reports/{report}", 202)
@routes.on("PATCH", "/datasets/{dataset}", 202)
def update_report(request: ApiRequest) -> Result:
    report, values = request.report(), request.values("report", name=str, description=str, space_token=str)
    if len(values.get("name") or "") > _LONGEST_NAME:
        raise bad_request(f"Name is too long (maximum is {_LONGEST_NAME} characters)")
    collection = values.get("space_token") or report.collection
    if collection and not request.may_see_token(collection):
        raise not_found("space")
    request.workspace.move_report(report, collection)
    report.name, report.description = values.get("name", report.name), values.get("description", report.description)
    report.edited_at = request.now
    return serialize_report_or_dataset(request.view, report)


@routes.on("DELETE", "/reports/{report}")
@routes.on("DELETE", "/datasets/{dataset}")
def delete_report(request: ApiRequest) -> Result:
    request.workspace.remove_report(request.report())
    return no_content()


@routes.on("PATCH", "/reports/{report}/archive")
def archive(request: ApiRequest) -> Result:
    report = request.report()
    if report.archived_at is not None and request.workspace.quirks.second_archive == 400:
        raise bad_request("Report is already archived")
    request.workspace.archive_report(report, request.now)
    return serialize_report_or_dataset(request.view, report)


@routes.on("PATCH", "/reports/{report}/unarchive")
def unarchive(request: ApiRequest) -> Result:
    report = request.report()
    request.workspace.unarchive_report(report, request.now)
    return serialize_report_or_dataset(request.view, report)


@routes.on("PATCH", "/reports/{report}/update_settings", 202)
def update_settings(request: ApiRequest) -> Result:
    report = request.report()
    values = request.values("report", theme=(int, str), **dict.fromkeys(_SETTINGS, bool))
    report.settings |= {name: values[name] for name in _SETTINGS if values.get(name) is not None}
    return serialize_report_or_dataset(request.view, report)


@routes.on("PATCH", "/reports/{report}/sync_to_github", 202)
def sync_to_github(request: ApiRequest) -> Result:
    """Commit a Report's queries to the workspace's repository."""
    report, message = request.report(), request.body().get("commit_message")
    if not isinstance(message, str) or not message:
        raise param_missing("commit_message")
    report.synced_at, report.commit_message = request.now, message
    is_empty = request.workspace.quirks.github_sync_body == "empty"
    return Response(status_code=202) if is_empty else serialize_report(request.view, report)


@routes.on("GET", "/data_sources/{data_source}/reports")
def reports_of_data_source(request: ApiRequest) -> Result:
    """Return one row for each Report and each of its queries on the data source."""
    source = request.data_source().token
    rows = [
        report
        for report in filter_reports(request, request.visible_reports(lambda report: report.type == "Report"))
        for query in request.workspace.queries_of(report)
        if query.data_source == source
    ]
    return request.paged("reports", rows, lambda report: serialize_report(request.view, report), counters=False)


@routes.on("GET", "/reports/{report}/queries")
def queries(request: ApiRequest) -> Result:
    report = request.report()
    return request.whole(
        "queries", request.workspace.queries_of(report), lambda query: serialize_query(request.view, report, query)
    )


@routes.on("POST", "/reports/{report}/queries", 201)
def create_query(request: ApiRequest) -> Result:
    report, values = request.report(), _query_values(request)
    if not values.get("raw_query"):
        raise param_missing("query.raw_query")
    source = _data_source(request, values) or request.workspace.data_source_of(report)
    token = request.workspace.new_token("query")
    name = values.get("name") or f"Query {report.query_count + 1}"
    number = 19_000_000 + request.workspace.created_count
    query = Query(token, number, name, values["raw_query"], source, request.now, request.now)
    request.workspace.edit_queries(report, [*request.workspace.queries_of(report), query], request.now)
    return serialize_query(request.view, report, query)


@routes.on("GET", "/reports/{report}/queries/{query}")
def get_query(request: ApiRequest) -> Result:
    query, report = request.query_and_report()
    return serialize_query(request.view, report, query)


@routes.on("PATCH", "/reports/{report}/queries/{query}", 202)
def update_query(request: ApiRequest) -> Result:
    (query, report), values = request.query_and_report(), _query_values(request)
    changed = Query(
        query.token,
        query.id,
        values.get("name") or query.name,
        values.get("raw_query") or query.raw_query,
        _data_source(request, values) or query.data_source,
        query.created_at,
        request.now,
    )
    queries = [changed if other.token == query.token else other for other in request.workspace.queries_of(report)]
    request.workspace.edit_queries(report, queries, request.now)
    return serialize_query(request.view, report, changed)


@routes.on("DELETE", "/reports/{report}/queries/{query}")
def delete_query(request: ApiRequest) -> Result:
    query, report = request.query_and_report()
    body = serialize_query(request.view, report, query)
    queries = [other for other in request.workspace.queries_of(report) if other.token != query.token]
    request.workspace.edit_queries(report, queries, request.now)
    return body


def _query_values(request: ApiRequest) -> dict[str, Any]:
    return request.values("query", raw_query=str, name=str, data_source_id=(int, str))


def _data_source(request: ApiRequest, values: dict[str, Any]) -> str | None:
    source_id = values.get("data_source_id")
    if source_id is None:
        return None
    for source in request.workspace.data_sources.values():
        if str(source.id) == str(source_id):
            return source.token
    raise not_found("data source")


@routes.on("GET", "/reports/{report}/queries/{query}/charts")
def charts(request: ApiRequest) -> Result:
    query, report = request.query_and_report()
    return request.whole("charts", serialize_charts(request.view, report, query), dict)


@routes.on("GET", "/reports/{report}/queries/{query}/charts/{chart}")
def chart(request: ApiRequest) -> Result:
    query, report = request.query_and_report()
    for chart in serialize_charts(request.view, report, query):
        if chart["token"] == request.name("chart"):
            return chart
    raise not_found("chart")
