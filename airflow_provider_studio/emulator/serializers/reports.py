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


def report(view: View, one: Report, *, alone: bool = False) -> Body:
    """A Report as listed, or as read alone."""
    world, now = view.world, view.now
    last = world.last_run(one, now)
    good = world.last_good_run(one, now, last)
    ended = None if good is None else good.completed_at(now)
    body: Body = {
        "token": one.token,
        "id": world.id(one.id),
        "name": one.name,
        "description": one.description,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(_updated_at(one, ended)),
        "published_at": None,
        "edited_at": stamp(one.edited_at),
        "theme_id": 3,
        "color_mappings": {},
        "type": one.type,
        "last_successful_sync_at": None,
        "last_saved_at": stamp(one.edited_at),
        "archived": one.archived_at is not None and one.archived_at <= now,
        "space_token": one.collection,
        "account_id": world.id(ACCOUNT_ID),
        "account_username": world.workspace,
        "public": False,
        "full_width": one.settings.get("full_width", False),
        "manual_run_disabled": one.settings.get("manual_run_disabled", False),
        "drill_anywhere_enabled": one.settings.get("drill_anywhere_enabled", False),
        "run_privately": True,
        "drilldowns_enabled": True,
        "layout": None,
        "is_embedded": False,
        "is_signed": False,
        "shared": False,
        "expected_runtime": one.expected_runtime,
        "last_successfully_run_at": stamp(ended),
        "last_run_at": stamp(last.created_at) if last else None,
        "last_successful_run_token": good.token if good else None,
        "github_link": None,
        "query_count": one.query_count,
        "max_query_count": 160,
        "chart_count": one.query_count // 2,
        "runs_count": world.run_count(one, now),
        "schedules_count": world.schedules_count(one),
        "has_schedules_with_invalid_intervals": world.has_refused_schedules(one),
        "query_preview": "SELECT\n\tcount(*)\nFROM\n\torders\n",
        "view_count": one.view_count(now),
        "thoughtspot_published_at": None,
        **_hypermedia(
            workspace=world.workspace,
            token=one.token,
            name=one.name,
            description=one.description,
            collection=one.collection,
            creator=one.creator,
            account=world.id(ACCOUNT_ID),
            last=_linked_run(view, one, last),
            good=good.token if good else None,
            full_width=one.settings.get("full_width", False),
        ),
    }
    if alone:
        body["imported_datasets"] = [{"token": token} for token in one.imported_datasets]
    else:
        body["has_imported_datasets"] = bool(one.imported_datasets)
    return world.quirks.changed(body)


def _linked_run(view: View, one: Report, last: Run | None) -> str | None:
    """What stands in the link to a Report's last run in place of its token, as the quirk `last_run_link` has it."""
    way = view.world.quirks.last_run_link
    if last is None or way == "absent":
        return None
    if way == "stale":
        earlier = next(islice(view.world.runs_of(one, view.now), 1, None), None)
        return earlier.token if earlier else None
    return {"templated": TEMPLATE, "purged": token_for("purged", one.token)}.get(way, last.token)


def dataset(view: View, one: Report) -> Body:
    """A dataset, which says less of itself than a Report does."""
    world, now = view.world, view.now
    last = world.last_run(one, now)
    good = world.last_good_run(one, now, last)
    ended = None if good is None else good.completed_at(now)
    place = world.collection_of(one)
    path = f"{view.root}/reports/{one.token}"
    body: Body = {
        "account_id": world.id(ACCOUNT_ID),
        "account_username": world.workspace,
        "collection_name": place.name if place else None,
        "collection_token": one.collection,
        "created_at": stamp(one.created_at),
        "description": one.description or "",
        "drilldowns_enabled": False,
        "edited_at": stamp(one.edited_at),
        "id": world.id(one.id),
        "is_sample": False,
        "last_run_at": stamp(last.created_at) if last else None,
        "last_saved_at": stamp(one.edited_at),
        "last_successful_run_token": good.token if good else None,
        "last_successful_sync_at": None,
        "last_successfully_run_at": stamp(ended),
        "manual_run_disabled": one.settings.get("manual_run_disabled", False),
        "max_query_count": 1,
        "name": one.name,
        "public": False,
        "query_count": one.query_count,
        "query_preview": "-- Returns first 100 rows\nSELECT * FROM orders LIMIT 100\n",
        "run_privately": True,
        "runs_count": world.run_count(one, now),
        "schedules_count": world.schedules_count(one),
        "space_token": one.collection,
        "switch_view_token": token_for("view", one.token),
        "token": one.token,
        "type": one.type,
        "updated_at": stamp(_updated_at(one, ended)),
        "view_count": one.view_count(now),
        "thoughtspot_published_at": None,
        "_links": {
            "self": link(path),
            "report_schedules": link(f"{path}/schedules"),
            "dataset_dependencies": link(f"{view.root}/datasets/{one.token}/reports"),
            "creator": link(f"/api/{one.creator}"),
        },
    }
    return world.quirks.changed(body)


def either(view: View, one: Report) -> Body:
    """A Report or a dataset as read alone."""
    return report(view, one, alone=True) if one.type == "Report" else dataset(view, one)


def updated_at(view: View, one: Report) -> datetime:
    """When a Report was last touched by a person or a run."""
    good = view.world.last_good_run(one, view.now, view.world.last_run(one, view.now))
    return _updated_at(one, None if good is None else good.completed_at(view.now))


def _updated_at(one: Report, ended: datetime | None) -> datetime:
    """Moves without any human, a little after each run."""
    return one.edited_at if ended is None else max(one.edited_at, ended + _AFTER_A_RUN)


@lru_cache(maxsize=16_384)
def _hypermedia(
    *,
    workspace: str,
    token: str,
    name: str | None,
    description: str | None,
    collection: str | None,
    creator: str,
    account: int | str,
    last: str | None,
    good: str | None,
    full_width: bool,
) -> Body:
    """A Report's links, forms and signatures: most of its bytes, and seldom other ones, so they are kept."""
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
        "creator": link(f"/api/{creator}"),
        "report_theme": link("/api/modeanalytics/report_themes/3818837139b7"),
    }
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
