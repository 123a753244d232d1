# SPDX-License-Identifier: Apache-2.0
"""The audit log, with the shape of the vendor's reference.

The reference documents one action, a group that was given access to a connection, so the emulated log has no other. How
many entries a page has is unknown.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from airflow_provider_studio.emulator.entities import token_for
from airflow_provider_studio.emulator.request import ApiError, ApiRequest, bad_request, param_missing, time_of
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, json_response

_ACTION = "connection_group_added_with_role"
_PER_PAGE = 10
_FILTERS = {
    "action": ("action",),
    "entity_id": ("entity", "entity_id"),
    "entity_type": ("entity", "entity_type"),
    "entity_name": ("entity", "entity_name"),
    "username": ("actor", "username"),
    "ip": ("actor", "ip"),
}
"""The place of each filter's value in an entry; `event_source` has none, and is ignored."""

routes = Routes()


@routes.on("GET", "/audit_logs")
def audit_logs(request: ApiRequest) -> Result:
    """Return one page of the entries of a period, for a Workspace token and as plain JSON only."""
    quirks = request.workspace.quirks
    if quirks.audit_log_accept == "json_only" and "hal+json" in request.headers.get("accept", ""):
        raise ApiError(406, "not_acceptable", "Only application/json is available")
    if request.account.kind != "workspace":
        raise ApiError(401, "unauthorized", "Not authorized")
    since, until = _time(request, "start_timestamp"), _time(request, "end_timestamp")
    entries = [entry for at, entry in _entries(request) if since <= at <= until and _matches(request, entry)]
    start = _start(request.query.get("next_token"))
    following = start + _PER_PAGE
    body: Body = {"audit_logs": entries[start:following]}
    if following < len(entries):
        body["next_token"] = f"{following:08x}"
    elif quirks.audit_log_end != "absent":
        body["next_token"] = None if quirks.audit_log_end == "null" else ""
    return json_response(body, media_type="application/json")


def _time(request: ApiRequest, name: str) -> datetime:
    """Return a time in the request; one without a zone is in UTC."""
    text = request.query.get(name)
    if not text:
        raise param_missing(name)
    return time_of(name, text, zone=UTC)


def _start(next_token: str | None) -> int:
    try:
        start = int(next_token or "0", 16)
    except ValueError:
        start = -1
    if start < 0:
        raise bad_request("next_token is invalid")
    return start


def _entries(request: ApiRequest) -> list[tuple[datetime, Body]]:
    """Return the log with the entries' times, newest first."""
    groups = request.workspace.records.get("groups", {}).values()
    added = [
        (datetime.fromisoformat(at), group, source)
        for group in groups
        for source, at in group.get("connections", {}).items()
    ]
    added.sort(key=lambda event: event[0], reverse=True)
    return [(at, _entry(request, at, group, source)) for at, group, source in added]


def _entry(request: ApiRequest, at: datetime, group: dict[str, Any], source: str) -> Body:
    workspace = request.workspace
    username = next((person.username for person in workspace.people.values() if person.admin), workspace.name)
    return {
        "id": _uuid(group["token"], source),
        "action": _ACTION,
        "description": "group added to connection",
        "timestamp": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "workspace_username": workspace.name,
        "context": {
            "group_id": group["token"],
            "group_name": group["name"],
            "role": "view",
            "correlation_id": _uuid("correlation", group["token"], source),
        },
        "actor": {
            "ip": "192.0.2.7",
            "user_agent": "Mozilla/5.0",
            "user_id": token_for("member", username),
            "username": username,
        },
        "entity": {
            "entity_name": workspace.data_sources[source].name,
            "entity_type": "workspace_connection",
            "entity_id": source,
        },
    }


def _uuid(*parts: str) -> str:
    digits = "".join(token_for(*parts, number) for number in range(3))
    return str(UUID(digits[:32]))


def _matches(request: ApiRequest, entry: Body) -> bool:
    for name, place in _FILTERS.items():
        value: Any = entry
        for key in place:
            value = value[key]
        if request.query.get(name, value) != value:
            return False
    return True
