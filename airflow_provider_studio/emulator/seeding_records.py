# SPDX-License-Identifier: Apache-2.0
"""What surrounds the Reports of a seeded workspace: groups, memberships, definitions, filters, and datasets in use.

It is drawn from generators of its own, so that it changes no Report, Collection or schedule of a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Report, token_for
from airflow_provider_studio.emulator.workspace import Workspace

_GROUPS = ("Analysts", "Finance", "Эксперты")
_DEFINITIONS = {
    "active_users": "SELECT user_id FROM events WHERE at > current_date - 28",
    "paid_orders": "SELECT * FROM orders WHERE state = 'paid'",
    "regions": "SELECT DISTINCT region FROM orders",
}
_FILTERED_SHARE = 0.05
_MOST_IMPORTS = 3
_FIELDS = {"region": "<p>Where the order was placed</p>", "orders": "<p>How many orders there were</p>"}


def add_records(workspace: Workspace, now: datetime) -> None:
    """Add groups, definitions, memberships of restricted Collections, and filters to a seeded workspace."""
    _add_groups(workspace)
    _add_definitions(workspace, now)
    _add_collection_members(workspace)
    _add_filters(workspace)


def add_uses_of_datasets(workspace: Workspace) -> None:
    """Let Reports import each dataset, and describe its fields."""
    rng = Random(f"{workspace.seed}/imports")
    reports = [report for report in workspace.reports.values() if report.type == "Report"]
    for dataset in datasets_of(workspace):
        for report in rng.sample(reports, k=min(len(reports), rng.randint(0, _MOST_IMPORTS))):
            report.imported_datasets.append(dataset.token)
        for name, text in _FIELDS.items():
            times = dict.fromkeys(("created_at", "updated_at"), stamp(dataset.edited_at))
            _add(workspace, "field_descriptions", dataset.token, {"name": name, "desc": text, **times})


def datasets_of(workspace: Workspace) -> list[Report]:
    """Return the workspace's datasets."""
    return [report for report in workspace.reports.values() if report.type == "DatasetReport"]


def _add(workspace: Workspace, key: str, parent: str, values: Mapping[str, object]) -> str:
    records = workspace.records.setdefault(key, {})
    token = token_for(workspace.seed, key, len(records))
    records[token] = {"token": token, "parent": parent, **values}
    return token


def _add_groups(workspace: Workspace) -> None:
    rng = Random(f"{workspace.seed}/groups")
    for number, name in enumerate(_GROUPS):
        connections = {
            source.token: (source.created_at + timedelta(days=number, hours=rng.randrange(24))).isoformat()
            for source in rng.sample(list(workspace.data_sources.values()), k=2)
        }
        group = _add(workspace, "groups", "", {"name": name, "connections": connections})
        for username in rng.sample(list(workspace.people), k=2):
            _add(workspace, "group_memberships", group, {"member_token": token_for("member", username)})


def _add_definitions(workspace: Workspace, now: datetime) -> None:
    rng = Random(f"{workspace.seed}/definitions")
    sources = [source.id for source in workspace.data_sources.values()]
    for number, (name, sql) in enumerate(_DEFINITIONS.items()):
        edited = stamp(now - timedelta(days=rng.uniform(30, 300)))
        values = {
            "name": name,
            "description": f"The team's definition of {name}",
            "source": sql,
            "data_source_id": rng.choice(sources),
            "created_at": stamp(now - timedelta(days=400)),
            "updated_at": edited,
            "number": 500 + number,
            "creator": rng.choice(list(workspace.people)),
        }
        _add(workspace, "definitions", "", values)


def _add_collection_members(workspace: Workspace) -> None:
    """Add members to each restricted Collection; not the first person, so that a Member token sees what it did."""
    rng = Random(f"{workspace.seed}/collection members")
    usernames = list(workspace.people)[1:]
    for collection in workspace.collections.values():
        if collection.owner is not None or not collection.restricted:
            continue
        for username in rng.sample(usernames, k=2):
            values = {"member_type": "User", "member_token": token_for("member", username)}
            _add(workspace, "space_memberships", collection.token, values)


def _add_filters(workspace: Workspace) -> None:
    rng = Random(f"{workspace.seed}/filters")
    reports = list(workspace.reports.values())
    for number, report in enumerate(rng.sample(reports, k=int(len(reports) * _FILTERED_SHARE))):
        values = {
            "name": "Region",
            "formula": "[region]",
            "data_type": "string",
            "filter_type": "dimension",
            "control_type": "select",
            "created_at": stamp(report.created_at),
            "updated_at": stamp(report.edited_at),
            "number": 700_000 + number,
        }
        _add(workspace, "report_filters", report.token, values)
