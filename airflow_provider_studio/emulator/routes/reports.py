# SPDX-License-Identifier: Apache-2.0
"""Reports, their queries and charts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

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
    place = request.workspace.personal_collection(username) or next(iter(request.workspace.collections.values()))
    created = request.workspace.new_report(None, place.token, username, request.now, query_count=0)
    return serialize_report(request.view, created, alone=True)


@routes.on("POST", "/reports/purge", 202)
def purge_results(request: ApiRequest) -> Result:
    """Purge the results of the whole workspace, despite the endpoint's name."""
    request.need_admin()
    text = request.query.get("time") or request.body().get("time")
    if not text:
        raise param_missing("time")
    try:
        until = date.fromisoformat(str(text))
    except ValueError:
        raise bad_request("time is not a date") from None
    request.workspace.purged_until = datetime.combine(until, time.max, UTC)
    return json_response({}, 202)


@routes.on("GET", "/reports/{report}")
def get_report(request: ApiRequest) -> Result:
    return serialize_report_or_dataset(request.view, request.report())


@routes.on("PATCH", "/reports/{report}", 202)
@routes.on("PATCH", "/datasets/{dataset}", 202)
def update_report(request: ApiRequest) -> Result:
    found, values = request.report(), request.values("report", name=str, description=str, space_token=str)
    if len(values.get("name") or "") > _LONGEST_NAME:
        raise bad_request(f"Name is too long (maximum is {_LONGEST_NAME} characters)")
    place = values.get("space_token") or found.collection
    if place and (
        place not in request.workspace.collections or not request.may_see(request.workspace.collections[place])
    ):
        raise not_found("space")
    request.workspace.move_report(found, place)
    found.name, found.description = values.get("name", found.name), values.get("description", found.description)
    found.edited_at = request.now
    return serialize_report_or_dataset(request.view, found)


@routes.on("DELETE", "/reports/{report}")
@routes.on("DELETE", "/datasets/{dataset}")
def delete_report(request: ApiRequest) -> Result:
    request.workspace.remove_report(request.report())
    return no_content()


@routes.on("PATCH", "/reports/{report}/archive")
def archive(request: ApiRequest) -> Result:
    found = request.report()
    if found.archived_at is not None and request.workspace.quirks.second_archive == 400:
        raise bad_request("Report is already archived")
    request.workspace.archive_report(found, request.now)
    return serialize_report_or_dataset(request.view, found)


@routes.on("PATCH", "/reports/{report}/unarchive")
def unarchive(request: ApiRequest) -> Result:
    found = request.report()
    request.workspace.unarchive_report(found, request.now)
    return serialize_report_or_dataset(request.view, found)


@routes.on("PATCH", "/reports/{report}/update_settings", 202)
def update_settings(request: ApiRequest) -> Result:
    found = request.report()
    values = request.values("report", theme=(int, str), **dict.fromkeys(_SETTINGS, bool))
    found.settings |= {name: values[name] for name in _SETTINGS if values.get(name) is not None}
    return serialize_report_or_dataset(request.view, found)


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
    found = request.report()
    return request.whole(
        "queries", request.workspace.queries_of(found), lambda query: serialize_query(request.view, found, query)
    )


@routes.on("POST", "/reports/{report}/queries", 201)
def create_query(request: ApiRequest) -> Result:
    found, values = request.report(), _query_values(request)
    if not values.get("raw_query"):
        raise param_missing("query.raw_query")
    source = _data_source(request, values) or request.workspace.data_source_of(found)
    token = request.workspace.new_token("query")
    name = values.get("name") or f"Query {found.query_count + 1}"
    number = 19_000_000 + request.workspace.created_count
    created = Query(token, number, name, values["raw_query"], source, request.now, request.now)
    request.workspace.edit_queries(found, [*request.workspace.queries_of(found), created], request.now)
    return serialize_query(request.view, found, created)


@routes.on("GET", "/reports/{report}/queries/{query}")
def get_query(request: ApiRequest) -> Result:
    return serialize_query(request.view, request.report(), request.query_of_report())


@routes.on("PATCH", "/reports/{report}/queries/{query}", 202)
def update_query(request: ApiRequest) -> Result:
    found, old, values = request.report(), request.query_of_report(), _query_values(request)
    new = Query(
        old.token,
        old.id,
        values.get("name") or old.name,
        values.get("raw_query") or old.raw_query,
        _data_source(request, values) or old.data_source,
        old.created_at,
        request.now,
    )
    queries = [new if query.token == old.token else query for query in request.workspace.queries_of(found)]
    request.workspace.edit_queries(found, queries, request.now)
    return serialize_query(request.view, found, new)


@routes.on("DELETE", "/reports/{report}/queries/{query}")
def delete_query(request: ApiRequest) -> Result:
    found, gone = request.report(), request.query_of_report()
    body = serialize_query(request.view, found, gone)
    queries = [query for query in request.workspace.queries_of(found) if query.token != gone.token]
    request.workspace.edit_queries(found, queries, request.now)
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
    raise bad_request("query.data_source_id is invalid")


@routes.on("GET", "/reports/{report}/queries/{query}/charts")
def charts(request: ApiRequest) -> Result:
    return request.whole("charts", serialize_charts(request.view, request.report(), request.query_of_report()), dict)


@routes.on("GET", "/reports/{report}/queries/{query}/charts/{chart}")
def chart(request: ApiRequest) -> Result:
    for chart in serialize_charts(request.view, request.report(), request.query_of_report()):
        if chart["token"] == request.name("chart"):
            return chart
    raise not_found("chart")
