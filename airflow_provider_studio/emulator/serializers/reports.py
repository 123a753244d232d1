# SPDX-License-Identifier: Apache-2.0
"""Reports and datasets."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice

from msgspec import Raw
from msgspec.json import encode

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Report, Run, token_for
from airflow_provider_studio.emulator.serializers.hal import WEB, Body, View, form, link

ACCOUNT_ID = 745_241
TEMPLATE = "{run}"
_AFTER_A_RUN = timedelta(milliseconds=209)


def serialize_report(view: View, report: Report, *, alone: bool = False) -> Body:
    """Return a Report as in a list, or as a single resource (`alone`)."""
    workspace, now = view.workspace, view.now
    last = workspace.last_run(report, now)
    good = workspace.last_good_run(report, now, last)
    ended = None if good is None else good.completed_at(now)
    body: Body = {
        "token": report.token,
        "id": workspace.id(report.id),
        "name": report.name,
        "description": report.description,
        "created_at": stamp(report.created_at),
        "updated_at": stamp(_updated_at(report, ended)),
        "published_at": None,
        "edited_at": stamp(report.edited_at),
        "theme_id": 3,
        "color_mappings": {},
        "type": report.type,
        "last_successful_sync_at": stamp(report.synced_at),
        "last_saved_at": stamp(report.edited_at),
        "archived": report.archived_at is not None and report.archived_at <= now,
        "space_token": report.collection,
        "account_id": workspace.id(ACCOUNT_ID),
        "account_username": workspace.name,
        "public": report.public,
        "full_width": report.settings.get("full_width", False),
        "manual_run_disabled": report.settings.get("manual_run_disabled", False),
        "drill_anywhere_enabled": report.settings.get("drill_anywhere_enabled", False),
        "run_privately": True,
        "drilldowns_enabled": True,
        "layout": None,
        "is_embedded": report.is_embedded,
        "is_signed": report.is_signed,
        "shared": report.shared,
        "expected_runtime": report.expected_runtime,
        "last_successfully_run_at": stamp(ended),
        "last_run_at": stamp(last.created_at) if last else None,
        "last_successful_run_token": good.token if good else None,
        "github_link": None,
        "query_count": report.query_count,
        "max_query_count": 160,
        "chart_count": report.query_count // 2,
        "runs_count": workspace.run_count(report, now),
        "schedules_count": workspace.schedules_count(report),
        "has_schedules_with_invalid_intervals": workspace.has_refused_schedules(report),
        "query_preview": "SELECT\n\tcount(*)\nFROM\n\torders\n",
        "view_count": report.view_count(now),
        "thoughtspot_published_at": None,
        **_hypermedia(
            workspace=workspace.name,
            token=report.token,
            name=report.name,
            description=report.description,
            collection=report.collection,
            creator=_linked_creator(view, report),
            account=workspace.id(ACCOUNT_ID),
            last=_linked_run(view, report, last),
            good=good.token if good else None,
            full_width=report.settings.get("full_width", False),
        ),
    }
    if alone:
        body["imported_datasets"] = [{"token": token} for token in report.imported_datasets]
    else:
        body["has_imported_datasets"] = bool(report.imported_datasets)
    return workspace.quirks.apply(body)


def _linked_creator(view: View, report: Report) -> str | None:
    """Return the user name in the link to a Report's creator, according to the quirk `creator_links`."""
    return report.creator if view.workspace.quirks.creator_links == "present" else None


def _linked_run(view: View, report: Report, last: Run | None) -> str | None:
    """Return the run token in the link to a Report's last run, according to the quirk `last_run_link`."""
    quirk = view.workspace.quirks.last_run_link
    if last is None or quirk == "absent":
        return None
    if quirk == "stale":
        earlier = next(islice(view.workspace.runs_of(report, view.now), 1, None), None)
        return earlier.token if earlier else None
    return {"templated": TEMPLATE, "purged": token_for("purged", report.token)}.get(quirk, last.token)


def serialize_dataset(view: View, report: Report) -> Body:
    """Return a dataset, which has fewer keys than a Report."""
    workspace, now = view.workspace, view.now
    last = workspace.last_run(report, now)
    good = workspace.last_good_run(report, now, last)
    ended = None if good is None else good.completed_at(now)
    place = workspace.collection_of(report)
    path = f"{view.root}/reports/{report.token}"
    body: Body = {
        "account_id": workspace.id(ACCOUNT_ID),
        "account_username": workspace.name,
        "collection_name": place.name if place else None,
        "collection_token": report.collection,
        "created_at": stamp(report.created_at),
        "description": report.description or "",
        "drilldowns_enabled": False,
        "edited_at": stamp(report.edited_at),
        "id": workspace.id(report.id),
        "is_sample": False,
        "last_run_at": stamp(last.created_at) if last else None,
        "last_saved_at": stamp(report.edited_at),
        "last_successful_run_token": good.token if good else None,
        "last_successful_sync_at": None,
        "last_successfully_run_at": stamp(ended),
        "manual_run_disabled": report.settings.get("manual_run_disabled", False),
        "max_query_count": 1,
        "name": report.name,
        "public": False,
        "query_count": report.query_count,
        "query_preview": "-- Returns first 100 rows\nSELECT * FROM orders LIMIT 100\n",
        "run_privately": True,
        "runs_count": workspace.run_count(report, now),
        "schedules_count": workspace.schedules_count(report),
        "space_token": report.collection,
        "switch_view_token": token_for("view", report.token),
        "token": report.token,
        "type": report.type,
        "updated_at": stamp(_updated_at(report, ended)),
        "view_count": report.view_count(now),
        "thoughtspot_published_at": None,
        "_links": {
            "self": link(path),
            "report_schedules": link(f"{path}/schedules"),
            "dataset_dependencies": link(f"{view.root}/datasets/{report.token}/reports"),
        },
    }
    creator = _linked_creator(view, report)
    if creator is not None:
        body["_links"]["creator"] = link(f"/api/{creator}")
    return workspace.quirks.apply(body)


def serialize_report_of_dataset(view: View, report: Report) -> Body:
    """Return a Report as in the list of a dataset that it uses: without `archived`, as one client saw it."""
    creator = view.workspace.people.get(report.creator)
    path = f"/{view.workspace.name}/reports/{report.token}"
    return {
        "token": report.token,
        "name": report.name,
        "creator": creator.name if creator else report.creator,
        "_links": {"self": link(f"/api{path}"), "web": link(f"{WEB}{path}"), "creator": link(f"/api/{report.creator}")},
    }


def serialize_report_or_dataset(view: View, report: Report) -> Body:
    """Return a Report or a dataset as a single resource."""
    return serialize_report(view, report, alone=True) if report.type == "Report" else serialize_dataset(view, report)


def updated_at(view: View, report: Report) -> datetime:
    """Return when a person or a run last updated a Report."""
    good = view.workspace.last_good_run(report, view.now, view.workspace.last_run(report, view.now))
    return _updated_at(report, None if good is None else good.completed_at(view.now))


def _updated_at(report: Report, ended: datetime | None) -> datetime:
    """Return the later of the last edit and a moment after the last run."""
    return report.edited_at if ended is None else max(report.edited_at, ended + _AFTER_A_RUN)


@lru_cache(maxsize=16_384)
def _hypermedia(
    *,
    workspace: str,
    token: str,
    name: str | None,
    description: str | None,
    collection: str | None,
    creator: str | None,
    account: int | str,
    last: str | None,
    good: str | None,
    full_width: bool,
) -> Body:
    """Return a Report's links, forms and signatures: most of its bytes, cached because they seldom change."""
    signature = token_for("signature", token)
    path, web = f"/api/{workspace}/reports/{token}", f"/{workspace}/reports/{token}"
    links = {
        "self": link(path),
        "web": link(f"{WEB}{web}"),
        "web_edit": link(f"/editor{web}"),
        "web_external_url": link(f"{WEB}{web}"),
        "share": link(web),
        "web_report_runs": link(f"{web}/runs"),
        "account": link(f"/api/{workspace}"),
        "report_run": link(f"{path}/runs/{{id}}?embed[result]=1", templated=True),
        "queries": link(f"{path}/queries"),
        "report_runs": link(f"{path}/runs"),
        "report_pins": link(f"{path}/pins"),
        "report_filters": link(f"{path}/filters"),
        "report_schedules": link(f"{path}/schedules"),
        "report_subscriptions": link(f"{path}/subscriptions"),
        "python_visualizations": link(f"{path}/layout_cells"),
        "python_notebook": link(f"{path}/notebooks/{token_for('notebook', token)}"),
        "perspective_email_subscription_memberships": link(f"{path}/perspective_email_report_subscription_memberships"),
        "validate_email_subscriber": link(
            f"{path}/email_report_subscribers/validate{{?subscriber[email]}}", templated=True
        ),
        "report_theme": link("/api/modeanalytics/report_themes/3818837139b7"),
    }
    if creator is not None:
        links["creator"] = link(f"/api/{creator}")
    if collection is not None:
        links["space"] = link(f"/api/{workspace}/collections/{collection}")
        links["report_index_web"] = link(f"/{workspace}/spaces/{collection}/reports/{token}")
    edit: Body = {
        "name": name,
        "description": description,
        "account_id": account,
        "space_token": collection,
        "color_mappings": {},
        "layout": None,
        "published": False,
    }
    settings = {
        "theme": {"type": "select", "options": [["Mode Light", 3]], "value": 3},
        "full_width": {"type": "select", "options": [True, False], "value": full_width},
    }
    filters = {"filters[]": {"token": {"type": "text"}, "options": {"type": "text"}}}
    forms = {
        "edit": form("patch", path, {"report": edit}),
        "destroy": form("delete", path),
        "archive": form("patch", f"{path}/archive"),
        "unarchive": form("patch", f"{path}/unarchive"),
        "batch_edit_filters": {
            "method": "patch",
            "action": f"{path}/filters/update_batch",
            "input": {"report": filters},
        },
        "update_settings": {"method": "patch", "action": f"{path}/update_settings", "input": {"report": settings}},
    }
    if last is not None:
        links["last_run"] = link(f"{path}/runs/{last}", templated=last == TEMPLATE)
    if good is not None:
        links["last_successful_run"] = link(f"{path}/runs/{good}")
        links["csv_export"] = link(f"{path}/results/content.csv")
        owner = {"owner_id": {"type": "text", "value": account}}
        forms["clone"] = {"method": "post", "action": f"{web}/runs/{good}/clone", "input": owner}
    return {
        "web_preview_image": f"https://previews.example.com/{token}?signature={signature}",
        "flamingo_signature": signature,
        "_links": Raw(encode(links)),
        "_forms": Raw(encode(forms)),
    }
