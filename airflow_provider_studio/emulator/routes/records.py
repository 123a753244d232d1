# SPDX-License-Identifier: Apache-2.0
"""Records that are stored without behaviour: definitions, groups, memberships, filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import token_for
from airflow_provider_studio.emulator.request import ApiRequest, Types, bad_request, not_found, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, form, link, listing

Record = dict[str, Any]


def _no_parent(request: ApiRequest) -> str:
    _ = request.account
    return ""


def _records(request: ApiRequest, key: str) -> list[Record]:
    return list(request.workspace.records.get(key, {}).values())


def _of(parent: Record, record: Record) -> bool:
    return bool(record["parent"] == parent["token"])


def _group(request: ApiRequest) -> str:
    return str(_find(request, GROUPS, request.name("group"))["token"])


def _shared_collection(request: ApiRequest) -> str:
    collection = request.collection()
    if collection.space_type == "private":
        raise bad_request("Invalid space")
    return collection.token


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    :param key: the key of the rows in a listing.
    :param path: the path of the listing; a single record is below it, at `{record}`.
    :param wrapper: the object within a request's body that has their values.
    :param types: the types of their values; those in `required` must be present.
    :param extra: constant values of a body.
    :param parent: returns the token of their parent, if the caller may see it.
    :param per_page: the size of a page; None returns all in one response.
    :param admin: whether only admins may change them.
    :param editable: whether they can be changed.
    :param stamped: whether they have an id and times.
    :param derived: values of a body that are computed from other entities.
    :param links: further links, each a relation and a suffix of the record's path, or `..` for its parent's path.
    """

    what: str
    key: str
    path: str
    wrapper: str
    types: dict[str, Types]
    required: tuple[str, ...]
    extra: Record = field(default_factory=dict)
    parent: Callable[[ApiRequest], str] = _no_parent
    per_page: int | None = None
    admin: bool = False
    editable: bool = True
    stamped: bool = False
    derived: Callable[[ApiRequest, Record], Record] = lambda _request, _record: {}
    links: tuple[tuple[str, str], ...] = ()

    def body(self, request: ApiRequest, record: Record) -> Body:
        """Return a record as the API writes it."""
        path = request.path.removesuffix(f"/{record['token']}")
        mine = f"{path}/{record['token']}"
        values = {name: value for name, value in record.items() if name not in {"parent", "number"}}
        number = {"id": request.workspace.id(record["number"])} if self.stamped else {}
        forms = {"destroy": form("delete", mine)}
        if self.editable:
            forms["edit"] = form("patch", mine, {self.wrapper: {name: record.get(name) for name in self.types}})
        derived = self.derived(request, record)
        links = {"self": link(mine)}
        for relation, added in self.links:
            links[relation] = link(path.rsplit("/", 1)[0] if added == ".." else mine + added, templated="{" in added)
        return {**self.extra, **number, **values, **derived, "_links": links, "_forms": forms}


DEFINITIONS = Kind(
    "definition",
    "definitions",
    "/definitions",
    "definition",
    {"name": str, "description": str, "source": str, "data_source_id": (int, str)},
    ("name", "source"),
    {"last_successful_sync_at": None, "github_link": None},
    stamped=True,
    derived=lambda _request, record: {"last_saved_at": record["updated_at"]},
    links=(("web_edit", "/edit"),),
)
GROUPS = Kind(
    "group",
    "groups",
    "/groups",
    "user_group",
    {"name": str},
    ("name",),
    {
        "group_type": "custom",
        "description": None,
        "state": "active",
        "spaces_count": 0,
        "data_sources_count": 0,
        "managed": False,
    },
    per_page=20,
    admin=True,
    derived=lambda request, group: {
        "member_count": sum(_of(group, membership) for membership in _records(request, "group_memberships"))
    },
    links=(
        ("web", "/web"),
        ("group_memberships", "/memberships"),
        ("membership_by_id", "/memberships{/id}"),
        ("memberships_preview", "/memberships/preview"),
    ),
)
GROUP_MEMBERSHIPS = Kind(
    "group membership",
    "group_memberships",
    "/groups/{group}/memberships",
    "membership",
    {"member_token": str},
    ("member_token",),
    parent=_group,
    admin=True,
    editable=False,
    links=(("user_group", ".."), ("member", "/member")),
)
COLLECTION_MEMBERSHIPS = Kind(
    "space membership",
    "space_memberships",
    "/spaces/{space}/memberships",
    "membership",
    {"member_type": str, "member_token": str},
    ("member_token",),
    {"email": None, "member_id": None},
    parent=_shared_collection,
    editable=False,
    links=(("member", "/member"),),
)
FILTERS = Kind(
    "report filter",
    "report_filters",
    "/reports/{report}/filters",
    "report_filter",
    {
        "name": str,
        "formula": str,
        "data_type": str,
        "formula_type": str,
        "filter_type": str,
        "control_type": str,
        "variable_type": str,
        "options": dict,
    },
    ("name", "formula"),
    {"row_order": 0, "hide_select_all": False, "show_relevant_values_only": False},
    parent=lambda request: request.report().token,
    stamped=True,
    derived=lambda request, _record: {"report_id": request.workspace.id(request.report().id)},
    links=(("report", ".."),),
)
routes = Routes()


@routes.on("PATCH", "/reports/{report}/filters/update_batch", 202)
def update_filters(request: ApiRequest) -> Result:
    """Change the options of several filters of a Report."""
    changes = request.values("report", filters=list).get("filters") or []
    for change in changes:
        if not isinstance(change, dict) or not isinstance(change.get("options"), dict):
            raise bad_request("report.filters is invalid")
        _find(request, FILTERS, str(change.get("token")))["options"] = change["options"]
    return listing(request.path, "report_filters", [FILTERS.body(request, record) for record in _all(request, FILTERS)])


def _list(request: ApiRequest, kind: Kind) -> Result:
    rows = _filter_records(request, _all(request, kind))
    if kind.per_page is None:
        return request.whole(kind.key, rows, lambda record: kind.body(request, record))
    return request.paged(kind.key, rows, lambda record: kind.body(request, record), per_page=kind.per_page)


def _create(request: ApiRequest, kind: Kind) -> Result:
    _check_admin(request, kind)
    parent, values = kind.parent(request), _checked(request, kind)
    for name in kind.required:
        if not values.get(name):
            raise param_missing(f"{kind.wrapper}.{name}")
    token = request.workspace.new_token(kind.key)
    record = {"token": token, "parent": parent, **dict.fromkeys(kind.types), **values}
    if kind.stamped:
        record |= {
            "created_at": stamp(request.now),
            "updated_at": stamp(request.now),
            "number": request.workspace.created_count,
        }
    request.workspace.records.setdefault(kind.key, {})[token] = record
    return kind.body(request, record)


def _get(request: ApiRequest, kind: Kind) -> Result:
    return kind.body(request, _find(request, kind, request.name("record")))


def _update(request: ApiRequest, kind: Kind) -> Result:
    _check_admin(request, kind)
    record = _find(request, kind, request.name("record"))
    record |= {name: value for name, value in _checked(request, kind).items() if value is not None}
    if kind.stamped:
        record["updated_at"] = stamp(request.now)
    return kind.body(request, record)


def _delete(request: ApiRequest, kind: Kind) -> Result:
    _check_admin(request, kind)
    record = _find(request, kind, request.name("record"))
    request.workspace.records[kind.key].pop(record["token"])
    return kind.body(request, record)


def _check_admin(request: ApiRequest, kind: Kind) -> None:
    if kind.admin:
        request.need_admin()


def _checked(request: ApiRequest, kind: Kind) -> Record:
    values = request.values(kind.wrapper, **kind.types)
    members = {token_for("member", username) for username in request.workspace.people}
    if values.get("member_token") is not None and values["member_token"] not in members:
        raise bad_request(f"{kind.wrapper}.member_token is not a member's")
    return values


def _all(request: ApiRequest, kind: Kind) -> list[Record]:
    parent = kind.parent(request)
    return [record for record in _records(request, kind.key) if record["parent"] == parent]


def _find(request: ApiRequest, kind: Kind, token: str) -> Record:
    parent, record = kind.parent(request), request.workspace.records.get(kind.key, {}).get(token)
    if record is None or record["parent"] != parent:
        raise not_found(kind.what)
    return record


def _filter_records(request: ApiRequest, rows: list[Record]) -> list[Record]:
    """Return the rows that `filter=by_tokens` and `tokens` select; without either, all of them."""
    tokens = request.query.get("tokens")
    if tokens is None or request.query.get("filter") != "by_tokens":
        return rows
    return [record for record in rows if record["token"] in tokens.split(",")]


for _kind in (DEFINITIONS, GROUPS, GROUP_MEMBERSHIPS, COLLECTION_MEMBERSHIPS, FILTERS):
    routes.on("GET", _kind.path)(partial(_list, kind=_kind))
    routes.on("POST", _kind.path, 201)(partial(_create, kind=_kind))
    routes.on("GET", f"{_kind.path}/{{record}}")(partial(_get, kind=_kind))
    routes.on("DELETE", f"{_kind.path}/{{record}}")(partial(_delete, kind=_kind))
    if _kind.editable:
        routes.on("PATCH", f"{_kind.path}/{{record}}", 202)(partial(_update, kind=_kind))
