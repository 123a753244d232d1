# SPDX-License-Identifier: Apache-2.0
"""The endpoints of records that are stored without behaviour; `record_kinds` has their kinds."""

from __future__ import annotations

from functools import partial

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import token_for
from airflow_provider_studio.emulator.request import ApiRequest, bad_request, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes
from airflow_provider_studio.emulator.routes.record_kinds import (
    DEFINITIONS,
    FILTERS,
    GROUPS,
    KINDS,
    Kind,
    Record,
    find_record,
    records_of,
)
from airflow_provider_studio.emulator.serializers.hal import listing

routes = Routes()


@routes.on("PATCH", "/reports/{report}/filters/update_batch", 202)
def update_filters(request: ApiRequest) -> Result:
    """Change the options of several filters of a Report."""
    changes = request.values("report", filters=list).get("filters") or []
    for change in changes:
        if not isinstance(change, dict) or not isinstance(change.get("options"), dict):
            raise bad_request("report.filters is invalid")
        find_record(request, FILTERS, str(change.get("token")))["options"] = change["options"]
    return listing(
        request.path, "report_filters", [FILTERS.body(request, record) for record in records_of(request, FILTERS)]
    )


def _list(request: ApiRequest, kind: Kind) -> Result:
    if kind is GROUPS and "data_source" in request.query and "member" not in request.query:
        raise bad_request("When sending data source, must send user")
    rows = _filter_records(request, records_of(request, kind))
    if kind.per_page is None:
        return request.whole(kind.key, rows, lambda record: kind.body(request, record))
    return request.paged(kind.key, rows, lambda record: kind.body(request, record), per_page=kind.per_page)


def _create(request: ApiRequest, kind: Kind) -> Result:
    _check_admin(request, kind)
    parent, values = kind.parent(request), _checked(request, kind)
    for name in kind.required:
        if not values.get(name):
            raise param_missing(kind.named(name))
    _check_unique(values, kind, records_of(request, kind))
    token = request.workspace.new_token(kind.key)
    record = {"token": token, "parent": parent, **values}
    if kind.stamped:
        record |= {"created_at": stamp(request.now), "updated_at": stamp(request.now)}
    if kind.numbered:
        record["number"] = request.workspace.created_count
    if kind is DEFINITIONS:
        record["creator"] = request.executed_by
    request.workspace.records.setdefault(kind.key, {})[token] = record
    return kind.body(request, record)


def _get(request: ApiRequest, kind: Kind) -> Result:
    return kind.body(request, find_record(request, kind, request.name("record")))


def _update(request: ApiRequest, kind: Kind) -> Result:
    _check_admin(request, kind)
    record, values = find_record(request, kind, request.name("record")), _checked(request, kind)
    _check_unique(values, kind, [other for other in records_of(request, kind) if other is not record])
    record |= {name: value for name, value in values.items() if value is not None}
    if kind.stamped:
        record["updated_at"] = stamp(request.now)
    return kind.body(request, record)


def _delete(request: ApiRequest, kind: Kind) -> Result:
    _check_admin(request, kind)
    record = find_record(request, kind, request.name("record"))
    request.workspace.records[kind.key].pop(record["token"])
    return kind.body(request, record)


def _check_admin(request: ApiRequest, kind: Kind) -> None:
    if kind.admin:
        request.need_admin()


def _checked(request: ApiRequest, kind: Kind) -> Record:
    values = request.values(kind.wrapper, **kind.types)
    members = {token_for("member", username) for username in request.workspace.people}
    if values.get("member_token") is not None and values["member_token"] not in members:
        raise bad_request(f"{kind.named('member_token')} is not a member's")
    return values


def _check_unique(values: Record, kind: Kind, others: list[Record]) -> None:
    """Refuse a value that another record of the same parent has."""
    if kind.unique is None or values.get(kind.unique) is None:
        return
    if any(record.get(kind.unique) == values[kind.unique] for record in others):
        raise bad_request(f"{kind.unique.capitalize()} has already been taken")


def _filter_records(request: ApiRequest, rows: list[Record]) -> list[Record]:
    """Return the rows that `filter=by_tokens` and `tokens` select; without either, all of them."""
    tokens = request.query.get("tokens")
    if tokens is None or request.query.get("filter") != "by_tokens":
        return rows
    return [record for record in rows if record["token"] in tokens.split(",")]


for _kind in KINDS:
    routes.on("GET", _kind.path)(partial(_list, kind=_kind))
    routes.on("POST", _kind.path, 201)(partial(_create, kind=_kind))
    if _kind.single:
        routes.on("GET", f"{_kind.path}/{{record}}")(partial(_get, kind=_kind))
    routes.on("DELETE", f"{_kind.path}/{{record}}")(partial(_delete, kind=_kind))
    if _kind.editable:
        routes.on("PATCH", f"{_kind.path}/{{record}}", 202)(partial(_update, kind=_kind))
