# SPDX-License-Identifier: Apache-2.0
"""The Discovery API: the whole workspace in batches, as plain JSON, for a signature token that an admin mints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import Response

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Collection, Person, Report, token_for
from airflow_provider_studio.emulator.request import ApiError, ApiRequest, bad_request, param_missing, time_of
from airflow_provider_studio.emulator.routes.endpoint import Answer, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, json_response, link, pagination

ROOT = "/batch/{workspace}"
_MOST = 1000

routes = Routes()


@routes.on("POST", "/signature_tokens", 201, root=ROOT)
def mint(asked: ApiRequest) -> Response:
    """The access secret is told this once."""
    if asked.account.kind != "workspace":
        raise ApiError(401, "unauthorized", "Not authorized")
    values = asked.values("signature_token", name=str, expires_at=str, auth_scope=dict)
    name = values.get("name") or ""
    if not 4 <= len(name) <= 64:
        raise bad_request("signature_token.name is not of 4 to 64 characters")
    scope = values.get("auth_scope") or {}
    if (scope.get("authentication_for"), scope.get("authorization_type")) != ("batch-api", "read-only"):
        raise bad_request("signature_token.auth_scope is invalid")
    signature = asked.state.mint(name, _expiry(values.get("expires_at")))
    body = {
        "token": signature.token,
        "name": name,
        "creator_id": 3,
        "organization_id": 4,
        "access_key": signature.access_key,
        "access_secret": signature.access_secret,
        "created_at": stamp(asked.now),
        "updated_at": stamp(asked.now),
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
    @routes.on("GET", f"/{name}", root=ROOT)
    def batch(asked: ApiRequest) -> Answer:
        if asked.account.kind != "batch":
            raise ApiError(401, "unauthorized", "Not authorized")
        text = asked.query.get("per_page", str(_MOST))
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= _MOST):
            raise bad_request(f"per_page is not between 1 and {_MOST}")
        per_page, everything = int(text), rows(asked)
        shown = everything[(asked.page - 1) * per_page : asked.page * per_page]
        counters = pagination(asked.page, per_page, len(shown), len(everything))
        # The page before the first is the first: nonsense, as the documentation shows it.
        links = {"prev_page": link(f"{asked.path}?page={max(1, asked.page - 1)}&per_page={per_page}")}
        if asked.page < counters["total_pages"]:
            links["next_page"] = link(f"{asked.path}?page={asked.page + 1}&per_page={per_page}")
        body = {"pagination": counters, name: [row(asked, one) for one in shown], "_links": links}
        return json_response(body, media_type="application/json")


def _collections(asked: ApiRequest) -> list[Collection]:
    everyone = asked.query.get("include_spaces") == "all"
    return [one for one in asked.world.collections.values() if everyone or one.owner is None]


def _reports(asked: ApiRequest) -> list[Report]:
    places = {one.token for one in _collections(asked)} | {None}
    return [one for one in asked.world.reports.values() if one.collection in places and one.type == "Report"]


def _people(asked: ApiRequest) -> list[Person]:
    return list(asked.world.people.values())


def _report(asked: ApiRequest, one: Report) -> Body:
    world, now = asked.world, asked.now
    last = world.last_run(one, now)
    good = world.last_good_run(one, now, last)
    place = world.collection_of(one)
    return {
        "id": one.id,
        "token": one.token,
        "name": one.name,
        "description": one.description,
        "created_at": stamp(one.created_at),
        "edited_at": stamp(one.edited_at),
        "updated_at": stamp(one.edited_at),
        "last_successfully_run_at": stamp(good.completed_at(now)) if good else None,
        "last_viewed_at": stamp(one.last_viewed_at(now)),
        "last_run_at": stamp(last.created_at) if last else None,
        "last_run_token": last.token if last else None,
        "last_run_state": last.state(now) if last else None,
        "creator_email": _email(asked, one.creator),
        "space_id": place.id if place else None,
        "space_token": one.collection,
        "report_url": f"{asked.view.root}/reports/{one.token}",
    }


def _stats(asked: ApiRequest, one: Report) -> Body:
    creators = {_email(asked, each.creator) for each in asked.world.schedules_of(one)}
    return {
        "report_id": one.id,
        "report_token": one.token,
        "active_schedules_count": len(asked.world.schedules_of(one)),
        "explorations_count": 0,
        "view_count": one.view_count(asked.now),
        "recent_manual_run_creators_emails": [_email(asked, one.creator)] if one.manual_runs(asked.now)[0] else [],
        "scheduled_run_creators_emails": sorted(creators),
        "editors_emails": [_email(asked, one.creator)],
    }


def _email(asked: ApiRequest, username: str) -> str:
    person = asked.world.people.get(username)
    return person.email if person else f"{username}@example.com"


def _queries(asked: ApiRequest) -> list[tuple[Report, Any]]:
    return [(one, query) for one in _reports(asked) for query in asked.world.queries_of(one)]


def _query(asked: ApiRequest, pair: tuple[Report, Any]) -> Body:
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
        "data_source_id": asked.world.data_sources[query.data_source].id,
        "data_source_token": query.data_source,
    }


def _charts(asked: ApiRequest) -> list[tuple[Report, Any]]:
    return [(one, query) for one in _reports(asked) for query in asked.world.queries_of(one)[: one.query_count // 2]]


def _chart(_asked: ApiRequest, pair: tuple[Report, Any]) -> Body:
    report, query = pair
    return {
        "token": token_for("chart", query.token),
        "name": query.name,
        "created_at": stamp(query.created_at),
        "updated_at": stamp(query.updated_at),
        "query_token": query.token,
        "report_token": report.token,
    }


def _space(_asked: ApiRequest, one: Collection) -> Body:
    return {
        "id": one.id,
        "token": one.token,
        "name": one.name,
        "description": one.description,
        "space_type": one.space_type,
        "restricted": one.restricted,
        "state": "active",
    }


def _member(_asked: ApiRequest, one: Person) -> Body:
    token = token_for("member", one.username)
    return {"token": token, "username": one.username, "name": one.name, "email": one.email, "admin": one.admin}


_batch("reports", _reports, _report)
_batch("report_stats", _reports, _stats)
_batch("queries", _queries, _query)
_batch("charts", _charts, _chart)
_batch("spaces", _collections, _space)
_batch("members", _people, _member)
