# SPDX-License-Identifier: Apache-2.0
"""The Discovery API: the whole workspace in batches, as plain JSON, for a signature token that an admin creates.

Its bodies have the keys of the vendor's reference, and charts those that a client reads.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Collection, Person, Query, Report, token_for
from airflow_provider_studio.emulator.request import ApiError, ApiRequest, bad_request, param_missing, time_of
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, json_response, link, pagination
from airflow_provider_studio.emulator.serializers.runs import CHART_TYPE
from airflow_provider_studio.emulator.serializers.workspace import oldest_data_source

BATCH_ROOT = "/batch/{workspace}"
_MOST = 1000

routes = Routes()


@routes.on("POST", "/signature_tokens", 201, root=BATCH_ROOT)
def mint(request: ApiRequest) -> Response:
    """Create a signature token; only this response has the access secret."""
    if request.account.kind != "workspace":
        raise ApiError(401, "unauthorized", "Not authorized")
    values = request.values("signature_token", name=str, expires_at=str, auth_scope=dict)
    name = values.get("name") or ""
    if not 4 <= len(name) <= 64:
        raise bad_request("signature_token.name is not of 4 to 64 characters")
    scope = values.get("auth_scope") or {}
    if (scope.get("authentication_for"), scope.get("authorization_type")) != ("batch-api", "read-only"):
        raise bad_request("signature_token.auth_scope is invalid")
    signature = request.state.mint(name, _expiry(values.get("expires_at")))
    body = {
        "token": signature.token,
        "name": name,
        "creator_id": 3,
        "organization_id": 4,
        "access_key": signature.access_key,
        "access_secret": signature.access_secret,
        "created_at": stamp(request.now),
        "updated_at": stamp(request.now),
        "expires_at": stamp(signature.expires_at),
        "authentication_for": "batch-api",
        "authorization_type": "read-only",
    }
    return json_response(body, 201, "application/json")


def _expiry(text: str | None) -> datetime:
    if text is None:
        raise param_missing("signature_token.expires_at")
    return time_of("signature_token.expires_at", text)


def _batch(name: str, rows: Callable[[ApiRequest], list[Any]], row: Callable[[ApiRequest, Any], Body]) -> None:
    @routes.on("GET", f"/{name}", root=BATCH_ROOT)
    def batch(request: ApiRequest) -> Result:
        if request.account.kind != "batch":
            raise ApiError(401, "unauthorized", "Not authorized")
        text = request.query.get("per_page", str(_MOST))
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= _MOST):
            raise bad_request(f"per_page is not between 1 and {_MOST}")
        per_page, all_rows = int(text), rows(request)
        shown = all_rows[(request.page - 1) * per_page : request.page * per_page]
        counters = pagination(request.page, per_page, len(shown), len(all_rows))
        # The page before the first is the first, as in the documentation's example.
        links = {"prev_page": _page_link(request, max(1, request.page - 1), per_page)}
        if request.page < counters["total_pages"]:
            links["next_page"] = _page_link(request, request.page + 1, per_page)
        body = {"pagination": counters, name: [row(request, item) for item in shown], "_links": links}
        return json_response(body, media_type="application/json")


def _page_link(request: ApiRequest, page: int, per_page: int) -> Body:
    """Return the link to a page of the same listing, with the request's other parameter."""
    query: dict[str, str | int] = {"page": page, "per_page": per_page}
    if "include_spaces" in request.query:
        query["include_spaces"] = request.query["include_spaces"]
    return link(f"{request.path}?{urlencode(query)}")


def _collections(request: ApiRequest) -> list[Collection]:
    everyone = request.query.get("include_spaces") == "all"
    return [collection for collection in request.workspace.collections.values() if everyone or collection.owner is None]


def _reports(request: ApiRequest) -> list[Report]:
    places = {collection.token for collection in _collections(request)} | {None}
    return [
        report
        for report in request.workspace.reports.values()
        if report.collection in places and report.type == "Report"
    ]


def _people(request: ApiRequest) -> list[tuple[Person, list[Report]]]:
    """Return the members, each with the Reports that they created."""
    created: dict[str, list[Report]] = {username: [] for username in request.workspace.people}
    for report in request.workspace.reports.values():
        created.setdefault(report.creator, []).append(report)
    return [(person, created[person.username]) for person in request.workspace.people.values()]


def _serialize_report(request: ApiRequest, report: Report) -> Body:
    workspace, now = request.workspace, request.now
    last = workspace.last_run(report, now)
    good = workspace.last_good_run(report, now, last)
    collection = workspace.collection_of(report)
    return {
        "id": report.id,
        "token": report.token,
        "name": report.name,
        "description": report.description,
        "created_at": stamp(report.created_at),
        "edited_at": stamp(report.edited_at),
        "updated_at": stamp(report.edited_at),
        "last_successfully_run_at": stamp(good.completed_at(now)) if good else None,
        "last_viewed_at": stamp(report.last_viewed_at(now)),
        "last_run_at": stamp(last.created_at) if last else None,
        "last_run_token": last.token if last else None,
        "last_run_state": last.state(now) if last else None,
        "creator_email": _email(request, report.creator),
        "space_id": collection.id if collection else None,
        "space_token": report.collection,
        "report_url": f"{request.view.root}/reports/{report.token}",
    }


def _serialize_stats(request: ApiRequest, report: Report) -> Body:
    creators = {_email(request, schedule.creator) for schedule in request.workspace.schedules_of(report)}
    return {
        "report_id": report.id,
        "report_token": report.token,
        "active_schedules_count": len(request.workspace.schedules_of(report)),
        "explorations_count": 0,
        "view_count": report.view_count(request.now),
        "recent_manual_run_creators_emails": [_email(request, report.creator)]
        if report.manual_runs(request.now)[0]
        else [],
        "scheduled_run_creators_emails": sorted(creators),
        "editors_emails": [_email(request, report.creator)],
    }


def _email(request: ApiRequest, username: str) -> str:
    person = request.workspace.people.get(username)
    return person.email if person else f"{username}@example.com"


def _queries(request: ApiRequest) -> list[tuple[Report, Query]]:
    return [(report, query) for report in _reports(request) for query in request.workspace.queries_of(report)]


def _serialize_query(request: ApiRequest, pair: tuple[Report, Query]) -> Body:
    report, query = pair
    return {
        "id": query.id,
        "token": query.token,
        "name": query.name,
        "raw_query": query.raw_query,
        "creator_email": _email(request, report.creator),
        "data_source_token": query.data_source,
        **_place(request, report),
    }


def _place(request: ApiRequest, report: Report) -> Body:
    """Return the Report and the Collection of a query or a chart."""
    collection = request.workspace.collection_of(report)
    return {
        "report_id": report.id,
        "report_token": report.token,
        "space_id": collection.id if collection else None,
        "space_token": report.collection,
    }


def _charts(request: ApiRequest) -> list[tuple[Report, Query]]:
    return [
        (report, query)
        for report in _reports(request)
        for query in request.workspace.queries_of(report)[: report.query_count // 2]
    ]


def _serialize_chart(request: ApiRequest, pair: tuple[Report, Query]) -> Body:
    report, query = pair
    return {
        "id": 20_000_000 + query.id,
        "token": token_for("chart", query.token),
        "chart_type": CHART_TYPE,
        "chart_title": query.name,
        "query_id": query.id,
        "query_token": query.token,
        **_place(request, report),
        "report_creator_email": _email(request, report.creator),
    }


def _serialize_space(request: ApiRequest, collection: Collection) -> Body:
    return {
        "id": collection.id,
        "token": collection.token,
        "name": collection.name,
        "description": collection.description,
        "space_type": collection.space_type,
        "space_url": f"{request.view.root}/spaces/{collection.token}",
    }


def _serialize_member(request: ApiRequest, pair: tuple[Person, list[Report]]) -> Body:
    """Return a member with the times of their last activities, as far as the emulator has such activities."""
    person, mine = pair
    run_at = (report.manual_runs(request.now)[1] for report in mine)
    return {
        "id": int(token_for("member id", person.username)[:6], 16),
        "token": token_for("membership", person.username),
        "state": "active",
        "member_email": person.email,
        "member_token": token_for("member", person.username),
        "member_username": person.username,
        "banned_at": None,
        "activated_at": stamp(oldest_data_source(request.view)),
        "last_report_created_at": stamp(max((report.created_at for report in mine), default=None)),
        "last_report_edited_at": stamp(max((report.edited_at for report in mine), default=None)),
        "last_report_viewed_at": None,
        "last_report_run_at": stamp(max(filter(None, run_at), default=None)),
        "last_exploration_created_at": None,
        "last_exploration_updated_at": None,
        "last_day_engaged": None,
        "last_day_api_engaged": None,
        "last_day_in_app_engaged": None,
        "total_days_engaged": 0,
    }


_batch("reports", _reports, _serialize_report)
_batch("report_stats", _reports, _serialize_stats)
_batch("queries", _queries, _serialize_query)
_batch("charts", _charts, _serialize_chart)
_batch("spaces", _collections, _serialize_space)
_batch("members", _people, _serialize_member)
