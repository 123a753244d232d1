# SPDX-License-Identifier: Apache-2.0
"""Kinds of records that are stored without behaviour: definitions, groups, memberships, filters, field descriptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_studio.emulator.request import ApiRequest, Types, bad_request, not_found
from airflow_provider_studio.emulator.serializers.hal import Body, form, link

Record = dict[str, Any]
_HIDDEN = {"parent", "number", "creator", "connections"}
"""Values of a record that are not keys of its body; `connections` are those that a group may use, and since when."""


def _no_parent(request: ApiRequest) -> str:
    _ = request.account
    return ""


def _records(request: ApiRequest, key: str) -> list[Record]:
    return list(request.workspace.records.get(key, {}).values())


def records_of(request: ApiRequest, kind: Kind) -> list[Record]:
    """Return the records of a kind whose parent the path names."""
    parent = kind.parent(request)
    return [record for record in _records(request, kind.key) if record["parent"] == parent]


def find_record(request: ApiRequest, kind: Kind, token: str) -> Record:
    """Return a record of the parent that the path names.

    :raises ApiError: it is not found.
    """
    parent, record = kind.parent(request), request.workspace.records.get(kind.key, {}).get(token)
    if record is None or record["parent"] != parent:
        raise not_found(kind.what)
    return record


def _of(parent: Record, record: Record) -> bool:
    return bool(record["parent"] == parent["token"])


def _group(request: ApiRequest) -> str:
    return str(find_record(request, GROUPS, request.name("group"))["token"])


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
    :param wrapper: the object within a request's body that has their values; None for the body itself.
    :param types: the types of their values; those in `required` must be present.
    :param extra: constant values of a body.
    :param parent: returns the token of their parent, if the caller may see it.
    :param per_page: the size of a page; None returns all in one response.
    :param admin: whether only admins may change them.
    :param editable: whether they can be changed.
    :param single: whether one can be read alone.
    :param stamped: whether they have times.
    :param numbered: whether they have an id.
    :param unique: a value that two records of one parent cannot share.
    :param derived: values of a body that are computed from other entities.
    :param links: further links, each a relation and a suffix of the record's path, or `..` for its parent's path.
    """

    what: str
    key: str
    path: str
    wrapper: str | None
    types: dict[str, Types]
    required: tuple[str, ...]
    extra: Record = field(default_factory=dict)
    parent: Callable[[ApiRequest], str] = _no_parent
    per_page: int | None = None
    admin: bool = False
    editable: bool = True
    single: bool = True
    stamped: bool = False
    numbered: bool = False
    unique: str | None = None
    derived: Callable[[ApiRequest, Record], Record] = lambda _request, _record: {}
    links: tuple[tuple[str, str], ...] = ()

    def named(self, name: str) -> str:
        """Return how an error names a value of a request's body."""
        return f"{self.wrapper}.{name}" if self.wrapper else name

    def body(self, request: ApiRequest, record: Record) -> Body:
        """Return a record as the API writes it."""
        path = request.path.removesuffix(f"/{record['token']}")
        mine = f"{path}/{record['token']}"
        values = {name: value for name, value in record.items() if name not in _HIDDEN}
        number = {"id": request.workspace.id(record["number"])} if self.numbered else {}
        forms = {"destroy": form("delete", mine)}
        if self.editable:
            fields = {name: record.get(name) for name in self.types}
            forms["edit"] = form("patch", mine, {self.wrapper: fields} if self.wrapper else None)
        derived = self.derived(request, record)
        links = {"self": link(mine)}
        for relation, added in self.links:
            links[relation] = link(path.rsplit("/", 1)[0] if added == ".." else mine + added, templated="{" in added)
        if "creator" in record:
            links["creator"] = link(f"/api/{record['creator']}")
        absent = dict.fromkeys(self.types)
        return {**absent, **self.extra, **number, **values, **derived, "_links": links, "_forms": forms}


DEFINITIONS = Kind(
    "definition",
    "definitions",
    "/definitions",
    "definition",
    {"name": str, "description": str, "source": str, "data_source_id": (int, str)},
    ("name", "source"),
    {"last_successful_sync_at": None, "github_link": None},
    stamped=True,
    numbered=True,
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
        "managed": False,
    },
    per_page=20,
    admin=True,
    derived=lambda request, group: {
        "member_count": sum(_of(group, membership) for membership in _records(request, "group_memberships")),
        "data_sources_count": len(group.get("connections", {})),
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
    numbered=True,
    unique="formula",
    derived=lambda request, _record: {"report_id": request.workspace.id(request.report().id)},
    links=(("report", ".."),),
)
FIELD_DESCRIPTIONS = Kind(
    "field description",
    "field_descriptions",
    "/datasets/{dataset}/field_descriptions",
    None,
    {"name": str, "desc": str},
    ("name", "desc"),
    parent=lambda request: request.report().token,
    single=False,
    stamped=True,
)
KINDS = (DEFINITIONS, GROUPS, GROUP_MEMBERSHIPS, COLLECTION_MEMBERSHIPS, FILTERS, FIELD_DESCRIPTIONS)
