# SPDX-License-Identifier: Apache-2.0
"""Reports, their queries and charts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from airflow_provider_studio.emulator.entities import Query
from airflow_provider_studio.emulator.request import ApiRequest, bad_request, not_found, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Answer, Routes, no_content
from airflow_provider_studio.emulator.routes.filters import chosen
from airflow_provider_studio.emulator.serializers import runs as run_bodies
from airflow_provider_studio.emulator.serializers.hal import json_response
from airflow_provider_studio.emulator.serializers.reports import either, report

_LONGEST_NAME = 64
_SETTINGS = ("full_width", "manual_run_disabled", "drill_anywhere_enabled")

routes = Routes()


@routes.on("POST", "/reports", 201)
def create_report(asked: ApiRequest) -> Answer:
    """An empty Report without a name, in the caller's personal Collection; the body is ignored."""
    username = asked.account.username or next(iter(asked.world.people))
    place = asked.world.personal_collection(username) or next(iter(asked.world.collections.values()))
    made = asked.world.new_report(None, place.token, username, asked.now, query_count=0)
    return report(asked.view, made, alone=True)


@routes.on("POST", "/reports/purge", 202)
def purge_results(asked: ApiRequest) -> Answer:
    """Purges the results of the whole workspace, whatever its name makes one think."""
    asked.need_admin()
    text = asked.query.get("time") or asked.body().get("time")
    if not text:
        raise param_missing("time")
    try:
        until = date.fromisoformat(str(text))
    except ValueError:
        raise bad_request("time is no date") from None
    asked.world.purged_until = datetime.combine(until, time.max, UTC)
    return json_response({}, 202)


@routes.on("GET", "/reports/{report}")
def get_report(asked: ApiRequest) -> Answer:
    return either(asked.view, asked.report())


@routes.on("PATCH", "/reports/{report}", 202)
@routes.on("PATCH", "/datasets/{dataset}", 202)
def update_report(asked: ApiRequest) -> Answer:
    found, values = asked.report(), asked.values("report", name=str, description=str, space_token=str)
    if len(values.get("name") or "") > _LONGEST_NAME:
        raise bad_request(f"Name is too long (maximum is {_LONGEST_NAME} characters)")
    place = values.get("space_token") or found.collection
    if place and (place not in asked.world.collections or not asked.may_see(asked.world.collections[place])):
        raise not_found("space")
    asked.world.move_report(found, place)
    found.name, found.description = values.get("name", found.name), values.get("description", found.description)
    found.edited_at = asked.now
    return either(asked.view, found)


@routes.on("DELETE", "/reports/{report}")
@routes.on("DELETE", "/datasets/{dataset}")
def delete_report(asked: ApiRequest) -> Answer:
    asked.world.remove_report(asked.report())
    return no_content()


@routes.on("PATCH", "/reports/{report}/archive")
def archive(asked: ApiRequest) -> Answer:
    found = asked.report()
    if found.archived_at is not None and asked.world.quirks.second_archive == 400:
        raise bad_request("Report is already archived")
    asked.world.archive_report(found, asked.now)
    return either(asked.view, found)


@routes.on("PATCH", "/reports/{report}/unarchive")
def unarchive(asked: ApiRequest) -> Answer:
    found = asked.report()
    asked.world.unarchive_report(found, asked.now)
    return either(asked.view, found)


@routes.on("PATCH", "/reports/{report}/update_settings", 202)
def update_settings(asked: ApiRequest) -> Answer:
    found = asked.report()
    values = asked.values("report", theme=(int, str), **dict.fromkeys(_SETTINGS, bool))
    found.settings |= {name: values[name] for name in _SETTINGS if values.get(name) is not None}
    return either(asked.view, found)


@routes.on("GET", "/data_sources/{data_source}/reports")
def reports_of_data_source(asked: ApiRequest) -> Answer:
    """One row for each Report and each of its queries that asks the data source."""
    source = asked.data_source().token
    rows = [
        one
        for one in chosen(asked, asked.visible_reports(lambda one: one.type == "Report"))
        for query in asked.world.queries_of(one)
        if query.data_source == source
    ]
    return asked.paged("reports", rows, lambda one: report(asked.view, one), counters=False)


@routes.on("GET", "/reports/{report}/queries")
def queries(asked: ApiRequest) -> Answer:
    found = asked.report()
    return asked.whole("queries", asked.world.queries_of(found), lambda one: run_bodies.query(asked.view, found, one))


@routes.on("POST", "/reports/{report}/queries", 201)
def create_query(asked: ApiRequest) -> Answer:
    found, values = asked.report(), _query_values(asked)
    if not values.get("raw_query"):
        raise param_missing("query.raw_query")
    source = _data_source(asked, values) or asked.world.data_source_of(found)
    token = asked.world.new_token("query")
    name = values.get("name") or f"Query {found.query_count + 1}"
    number = 19_000_000 + asked.world.made
    made = Query(token, number, name, values["raw_query"], source, asked.now, asked.now)
    asked.world.edit_queries(found, [*asked.world.queries_of(found), made], asked.now)
    return run_bodies.query(asked.view, found, made)


@routes.on("GET", "/reports/{report}/queries/{query}")
def get_query(asked: ApiRequest) -> Answer:
    return run_bodies.query(asked.view, asked.report(), asked.query_of_report())


@routes.on("PATCH", "/reports/{report}/queries/{query}", 202)
def update_query(asked: ApiRequest) -> Answer:
    found, old, values = asked.report(), asked.query_of_report(), _query_values(asked)
    new = Query(
        old.token,
        old.id,
        values.get("name") or old.name,
        values.get("raw_query") or old.raw_query,
        _data_source(asked, values) or old.data_source,
        old.created_at,
        asked.now,
    )
    kept = [new if one.token == old.token else one for one in asked.world.queries_of(found)]
    asked.world.edit_queries(found, kept, asked.now)
    return run_bodies.query(asked.view, found, new)


@routes.on("DELETE", "/reports/{report}/queries/{query}")
def delete_query(asked: ApiRequest) -> Answer:
    found, gone = asked.report(), asked.query_of_report()
    body = run_bodies.query(asked.view, found, gone)
    kept = [one for one in asked.world.queries_of(found) if one.token != gone.token]
    asked.world.edit_queries(found, kept, asked.now)
    return body


def _query_values(asked: ApiRequest) -> dict[str, Any]:
    return asked.values("query", raw_query=str, name=str, data_source_id=(int, str))


def _data_source(asked: ApiRequest, values: dict[str, Any]) -> str | None:
    wanted = values.get("data_source_id")
    if wanted is None:
        return None
    for source in asked.world.data_sources.values():
        if str(source.id) == str(wanted):
            return source.token
    raise bad_request("query.data_source_id is invalid")


@routes.on("GET", "/reports/{report}/queries/{query}/charts")
def charts(asked: ApiRequest) -> Answer:
    return asked.whole("charts", run_bodies.charts(asked.view, asked.report(), asked.query_of_report()), dict)


@routes.on("GET", "/reports/{report}/queries/{query}/charts/{chart}")
def chart(asked: ApiRequest) -> Answer:
    for one in run_bodies.charts(asked.view, asked.report(), asked.query_of_report()):
        if one["token"] == asked.name("chart"):
            return one
    raise not_found("chart")
