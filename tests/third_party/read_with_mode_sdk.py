# SPDX-License-Identifier: Apache-2.0
"""Read a workspace with mode-sdk and print it as JSON. Runs in an environment that has mode-sdk, without ours.

Arguments: `workspace` or `run`, the URL, the workspace, the token, the secret.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from mode_sdk import Discovery, Mode, create_signature_token

REPORT_ATTRIBUTES = {
    "token": "token",
    "id": "id",
    "name": "name",
    "type": "type",
    "collection": "space_token",
    "archived": "archived",
    "created_at": "created_at",
    "edited_at": "edited_at",
    "last_run_at": "last_run_at",
    "last_successfully_run_at": "last_successfully_run_at",
    "view_count": "view_count",
    "runs_count": "runs_count",
    "schedules_count": "schedules_count",
    "expected_runtime_seconds": "expected_runtime",
    "query_count": "query_count",
    "description": "description",
    "is_embedded": "is_embedded",
    "is_signed": "is_signed",
    "public": "public",
    "shared": "shared",
}
"""Columns of a snapshot, and the attributes of mode-sdk's Reports with the same facts."""
SCHEDULE_ATTRIBUTES = {
    "token": "token",
    "name": "name",
    "frequency": "frequency",
    "freq": "frequency",
    "time_zone": "time_zone",
    "created_at": "created_at",
    "last_run_at": "last_run_at",
    "last_succeeded_at": "last_succeeded_at",
    "next_scheduled_run": "next_scheduled_run",
    "hour": "cron_hour",
    "minute": "cron_minute",
    "day_of_month": "day_of_month",
    "retry_state": "retry_state",
    "subscriber_count": "subscriber_count",
}


def _values(model: Any, attributes: dict[str, str]) -> dict[str, Any]:
    """Return a model's attributes, or the keys of its response that it has no attribute for."""
    values = {column: getattr(model, attribute, model.raw.get(attribute)) for column, attribute in attributes.items()}
    creator = model.link("creator")
    return {**values, "creator": creator and creator.rsplit("/", 1)[-1]}


def report(model: Any, collection_name: str | None) -> dict[str, Any]:
    """Return a Report or dataset by the names of a snapshot's columns."""
    return {
        **_values(model, REPORT_ATTRIBUTES),
        "collection_name": collection_name,
        "web_url": model.link("web"),
        "manual_run_disabled": model.raw.get("manual_run_disabled"),
    }


def inventory(mode: Any) -> dict[str, Any]:
    """Return every Report, dataset and schedule of the shared Collections."""
    reports, schedules = {}, {}
    for space in mode.spaces.list(filter="custom"):
        for found in [*mode.reports.list(space=space), *mode.datasets.list(space=space)]:
            reports[found.token] = report(found, space.name)
            is_dataset = found.type == "DatasetReport"
            listed = mode.dataset_schedules.list(found) if is_dataset else mode.report_schedules.list(found)
            for schedule in listed:
                schedules[schedule.token] = {**_values(schedule, SCHEDULE_ATTRIBUTES), "report": found.token}
    return {"reports": reports, "schedules": schedules}


def around(mode: Any, tokens: list[str]) -> dict[str, Any]:
    """Return what the other endpoints list: of the workspace, and of the first Reports."""
    listed: dict[str, Any] = {
        "members": sorted(member.username for member in mode.memberships.list()),
        "groups": {group.name: len(mode.groups.memberships(group).list()) for group in mode.groups.list().list()},
        "definitions": sorted(definition.name for definition in mode.definitions.list()),
        "data_sources": [source.token for source in mode.data_sources.list()],
        "audit_log": len(
            mode.audit_logs.list(datetime(2015, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)).list()
        ),
    }
    listed["reports_by_data_source"] = sorted(
        {found.token for source in listed["data_sources"] for found in mode.reports.list(data_source=source)}
    )
    listed["queries"] = {token: [query.token for query in mode.queries.list(token)] for token in tokens}
    listed["charts"] = {
        query: [chart.chart_type for chart in mode.charts.list(token, query)]
        for token in tokens
        for query in listed["queries"][token]
    }
    listed["filters"] = {token: [found.formula for found in mode.report_filters.list(token)] for token in tokens}
    return listed


def run(mode: Any, token: str) -> dict[str, Any]:
    """Run a Report and return its results in all formats."""
    finished = mode.report_runs.create_and_wait(token, interval=0.05)
    tables = mode.report_runs.results_tables(token, finished)
    pdf = mode.exports.pdf(token, finished, interval=0.05)
    return {
        "state": finished.state,
        "tables": {name: len(text.splitlines()) for name, text in tables.items()},
        "linked": len(mode.exports.from_href(finished.link("content")).text.splitlines()),
        "pdf": [pdf.filename, pdf.content[:5].decode()],
    }


def discovered(url: str, workspace: str, token: str, secret: str) -> dict[str, list[str]]:
    """Return the tokens of each batch of the Discovery API, members' personal Collections included."""
    expires_at = datetime.now(UTC) + timedelta(days=9000)
    signature = create_signature_token(
        workspace, token=token, secret=secret, name="third party", expires_at=expires_at, base_url=url
    )
    with Discovery(workspace, signature=signature, base_url=url) as discovery:
        batches = {
            "reports": discovery.reports(include_spaces="all", per_page=7),
            "report_stats": discovery.report_stats(include_spaces="all", per_page=7),
            "queries": discovery.queries(include_spaces="all", per_page=50),
            "charts": discovery.charts(include_spaces="all", per_page=50),
            "collections": discovery.collections(),
            "members": discovery.members(),
        }
        return {
            name: [row.raw.get("token") or row.raw["report_token"] for row in rows] for name, rows in batches.items()
        }


def main() -> None:
    """Read everything, or run one Report, and print it."""
    part, url, workspace, token, secret = sys.argv[1:]
    with Mode(workspace, token=token, secret=secret, base_url=f"{url}/api") as mode:
        found = {"verify": mode.verify().raw, "inventory": inventory(mode)}
        tokens = [row["token"] for row in found["inventory"]["reports"].values() if row["type"] == "Report"][:8]
        if part == "run":
            found = run(mode, tokens[0])
        else:
            found |= {"around": around(mode, tokens), "discovery": discovered(url, workspace, token, secret)}
    json.dump(found, sys.stdout, default=str)


if __name__ == "__main__":
    main()
