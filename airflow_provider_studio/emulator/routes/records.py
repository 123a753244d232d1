# SPDX-License-Identifier: Apache-2.0
"""What has no behaviour of its own and is only kept: definitions, groups, memberships, filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import token_for
from airflow_provider_studio.emulator.request import ApiRequest, Types, bad_request, not_found, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Answer, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, form, link, listing

Record = dict[str, Any]


def _no_parent(asked: ApiRequest) -> str:
    _ = asked.account
    return ""


def _records(asked: ApiRequest, key: str) -> list[Record]:
    return list(asked.world.records.get(key, {}).values())


def _of(parent: Record, record: Record) -> bool:
    return bool(record["parent"] == parent["token"])


def _group(asked: ApiRequest) -> str:
    return str(_find(asked, GROUPS, asked.name("group"))["token"])


def _shared_collection(asked: ApiRequest) -> str:
    found = asked.collection()
    if found.space_type == "private":
        raise bad_request("Invalid space")
    return found.token


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    :param key: the key under which a listing holds them.
    :param path: where the listing lives; a single one is below it, at `{record}`.
    :param wrapper: what a request's body wraps their values in.
    :param types: their values and types; those in `required` must be there.
    :param extra: what a body says beyond the values, always the same.
    :param parent: finds what they belong to, for who may see it.
    :param per_page: the size of a page; None gives all in one piece.
    :param admin: whether only admins change them.
    :param editable: whether they can be changed at all.
    :param stamped: whether they have an id and times.
    :param told: what a body says that follows from other things.
    :param links: further links, each a relation and what is added to the record's own path, or its parent's after `..`.
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
    told: Callable[[ApiRequest, Record], Record] = lambda _asked, _record: {}
    links: tuple[tuple[str, str], ...] = ()

    def body(self, asked: ApiRequest, record: Record) -> Body:
        """A record as the API tells it."""
        path = asked.path.removesuffix(f"/{record['token']}")
        mine = f"{path}/{record['token']}"
        kept = {name: value for name, value in record.items() if name not in {"parent", "number"}}
        number = {"id": asked.world.id(record["number"])} if self.stamped else {}
        forms = {"destroy": form("delete", mine)}
        if self.editable:
            forms["edit"] = form("patch", mine, {self.wrapper: {name: record.get(name) for name in self.types}})
        told = self.told(asked, record)
        links = {"self": link(mine)}
        for relation, added in self.links:
            links[relation] = link(path.rsplit("/", 1)[0] if added == ".." else mine + added, templated="{" in added)
        return {**self.extra, **number, **kept, **told, "_links": links, "_forms": forms}


DEFINITIONS = Kind(
    "definition",
    "definitions",
    "/definitions",
    "definition",
    {"name": str, "description": str, "source": str, "data_source_id": (int, str)},
    ("name", "source"),
    {"last_successful_sync_at": None, "github_link": None},
    stamped=True,
    told=lambda _asked, one: {"last_saved_at": one["updated_at"]},
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
    told=lambda asked, one: {"member_count": sum(_of(one, each) for each in _records(asked, "group_memberships"))},
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
    parent=lambda asked: asked.report().token,
    stamped=True,
    told=lambda asked, _one: {"report_id": asked.world.id(asked.report().id)},
    links=(("report", ".."),),
)
routes = Routes()


@routes.on("PATCH", "/reports/{report}/filters/update_batch", 202)
def update_filters(asked: ApiRequest) -> Answer:
    """Give several filters of a Report other options."""
    changes = asked.values("report", filters=list).get("filters") or []
    for change in changes:
        if not isinstance(change, dict) or not isinstance(change.get("options"), dict):
            raise bad_request("report.filters is invalid")
        _find(asked, FILTERS, str(change.get("token")))["options"] = change["options"]
    return listing(asked.path, "report_filters", [FILTERS.body(asked, one) for one in _all(asked, FILTERS)])


def _list(asked: ApiRequest, kind: Kind) -> Answer:
    rows = _chosen(asked, _all(asked, kind))
    if kind.per_page is None:
        return asked.whole(kind.key, rows, lambda one: kind.body(asked, one))
    return asked.paged(kind.key, rows, lambda one: kind.body(asked, one), per_page=kind.per_page)


def _create(asked: ApiRequest, kind: Kind) -> Answer:
    _check_admin(asked, kind)
    parent, values = kind.parent(asked), _checked(asked, kind)
    for name in kind.required:
        if not values.get(name):
            raise param_missing(f"{kind.wrapper}.{name}")
    token = asked.world.new_token(kind.key)
    record = {"token": token, "parent": parent, **dict.fromkeys(kind.types), **values}
    if kind.stamped:
        record |= {"created_at": stamp(asked.now), "updated_at": stamp(asked.now), "number": asked.world.made}
    asked.world.records.setdefault(kind.key, {})[token] = record
    return kind.body(asked, record)


def _get(asked: ApiRequest, kind: Kind) -> Answer:
    return kind.body(asked, _find(asked, kind, asked.name("record")))


def _update(asked: ApiRequest, kind: Kind) -> Answer:
    _check_admin(asked, kind)
    found = _find(asked, kind, asked.name("record"))
    found |= {name: value for name, value in _checked(asked, kind).items() if value is not None}
    if kind.stamped:
        found["updated_at"] = stamp(asked.now)
    return kind.body(asked, found)


def _delete(asked: ApiRequest, kind: Kind) -> Answer:
    _check_admin(asked, kind)
    found = _find(asked, kind, asked.name("record"))
    asked.world.records[kind.key].pop(found["token"])
    return kind.body(asked, found)


def _check_admin(asked: ApiRequest, kind: Kind) -> None:
    if kind.admin:
        asked.need_admin()


def _checked(asked: ApiRequest, kind: Kind) -> Record:
    values = asked.values(kind.wrapper, **kind.types)
    members = {token_for("member", username) for username in asked.world.people}
    if values.get("member_token") is not None and values["member_token"] not in members:
        raise bad_request(f"{kind.wrapper}.member_token is nobody's")
    return values


def _all(asked: ApiRequest, kind: Kind) -> list[Record]:
    parent = kind.parent(asked)
    return [one for one in _records(asked, kind.key) if one["parent"] == parent]


def _find(asked: ApiRequest, kind: Kind, token: str) -> Record:
    parent, found = kind.parent(asked), asked.world.records.get(kind.key, {}).get(token)
    if found is None or found["parent"] != parent:
        raise not_found(kind.what)
    return found


def _chosen(asked: ApiRequest, rows: list[Record]) -> list[Record]:
    """Those whose tokens were asked for; one of `filter` and `tokens` without the other gives all."""
    tokens = asked.query.get("tokens")
    if tokens is None or asked.query.get("filter") != "by_tokens":
        return rows
    return [one for one in rows if one["token"] in tokens.split(",")]


for _kind in (DEFINITIONS, GROUPS, GROUP_MEMBERSHIPS, COLLECTION_MEMBERSHIPS, FILTERS):
    routes.on("GET", _kind.path)(partial(_list, kind=_kind))
    routes.on("POST", _kind.path, 201)(partial(_create, kind=_kind))
    routes.on("GET", f"{_kind.path}/{{record}}")(partial(_get, kind=_kind))
    routes.on("DELETE", f"{_kind.path}/{{record}}")(partial(_delete, kind=_kind))
    if _kind.editable:
        routes.on("PATCH", f"{_kind.path}/{{record}}", 202)(partial(_update, kind=_kind))
