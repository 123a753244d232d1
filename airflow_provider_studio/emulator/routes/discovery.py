# SPDX-License-Identifier: Apache-2.0
"""The Discovery API: the whole workspace in batches, as plain JSON, for a signature token that an admin creates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import Response

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Collection, Person, Report, token_for
from airflow_provider_studio.emulator.request import ApiError, ApiRequest, bad_request, param_missing, time_of
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, json_response, link, pagination

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
        links = {"prev_page": link(f"{request.path}?page={max(1, request.page - 1)}&per_page={per_page}")}
        if request.page < counters["total_pages"]:
            links["next_page"] = link(f"{request.path}?page={request.page + 1}&per_page={per_page}")
        body = {"pagination": counters, name: [row(request, item) for item in shown], "_links": links}
        return json_response(body, media_type="application/json")


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


def _people(request: ApiRequest) -> list[Person]:
    return list(request.workspace.people.values())


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


def _queries(request: ApiRequest) -> list[tuple[Report, Any]]:
    return [(report, query) for report in _reports(request) for query in request.workspace.queries_of(report)]


def _serialize_query(request: ApiRequest, pair: tuple[Report, Any]) -> Body:
    report, query = pair
    return {
        "id": query.id,
        "token": query.token,
        "name": query.name,
        "raw_query": query.raw_query,
        "created_at": stamp(query.created_at),
        "updated_at": stamp(query.updated_at),
        "report_id": report.id,
        "report_token": report.token,
        "data_source_id": request.workspace.data_sources[query.data_source].id,
        "data_source_token": query.data_source,
    }


def _charts(request: ApiRequest) -> list[tuple[Report, Any]]:
    return [
        (report, query)
        for report in _reports(request)
        for query in request.workspace.queries_of(report)[: report.query_count // 2]
    ]


def _serialize_chart(_request: ApiRequest, pair: tuple[Report, Any]) -> Body:
    report, query = pair
    return {
        "token": token_for("chart", query.token),
        "name": query.name,
        "created_at": stamp(query.created_at),
        "updated_at": stamp(query.updated_at),
        "query_token": query.token,
        "report_token": report.token,
    }


def _serialize_space(_request: ApiRequest, collection: Collection) -> Body:
    return {
        "id": collection.id,
        "token": collection.token,
        "name": collection.name,
        "description": collection.description,
        "space_type": collection.space_type,
        "restricted": collection.restricted,
        "state": "active",
    }


def _serialize_member(_request: ApiRequest, person: Person) -> Body:
    token = token_for("member", person.username)
    return {
        "token": token,
        "username": person.username,
        "name": person.name,
        "email": person.email,
        "admin": person.admin,
    }


_batch("reports", _reports, _serialize_report)
_batch("report_stats", _reports, _serialize_stats)
_batch("queries", _queries, _serialize_query)
_batch("charts", _charts, _serialize_chart)
_batch("spaces", _collections, _serialize_space)
_batch("members", _people, _serialize_member)
