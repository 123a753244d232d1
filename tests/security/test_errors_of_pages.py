# SPDX-License-Identifier: Apache-2.0
"""Errors of pages: whatever stands in a URL or in storage, a page answers, with the headers that protect its reader."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.conftest import slow
from tests.governance.nights import NOW, write_night
from tests.governance.small_plans import action, plan_of
from tests.plugin.conftest import users
from tests.security.pages import pages_of

__all__ = ["users"]

PAGES = ("/", "/reports", "/reports/000000000001", "/reports.csv", "/plans", "/budget")
OLDER = plan_of(action("000000000001"), created_at=NOW - timedelta(days=1))
NEWER = plan_of(action("000000000001"), action("000000000002"))


@pytest.fixture
def storage(users: None, tmp_path: Path) -> UPath:
    """Two snapshots, and two plans with an approval and an event each."""
    storage = UPath(tmp_path / "studio")
    for days_ago in (1, 0):
        write_night(storage, days_ago, {f"{number:012x}": {"name": f"R{number}", "view_count": 1} for number in (1, 2)})
    for plan in (OLDER, NEWER):
        plan.write(storage)
        journal = Journal(storage, "acme", plan.plan_id, actor={"approver": "ada"}, sha256=plan.sha256)
        journal.write("plan", Event.APPROVED, decision="all")
        journal.write(plan.actions[0], Event.FAILED, error="refused", http_status=500)
    return storage


def answers(storage: UPath, *pages: str) -> dict[str, int]:
    """Return the status of each page; each has the protecting headers, and no traceback."""
    statuses = {}
    with pages_of(storage, Path(storage).parent / "cache") as viewer:
        for page in pages:
            answer = viewer.get(page)
            assert "default-src 'none'" in answer.headers["content-security-policy"], page
            assert answer.headers["x-content-type-options"] == "nosniff", page
            assert "Traceback" not in answer.text, page
            statuses[page] = answer.status_code
    return statuses


def test_a_parameter_out_of_range_is_a_page_that_says_so(storage: UPath) -> None:
    numbered = ("/reports", f"/plans/{NEWER.plan_id}")
    pages = [f"{path}?page={number}" for path in numbered for number in ("9" * 20, "9" * 5000, "-1")]
    pages += [f"/budget?hours={'9' * 20}", "/reports?q=" + "x" * 5000, "/reports?workspace=" + "x" * 5000]
    assert answers(storage, *pages) == dict.fromkeys(pages, 422)


def test_odd_bytes_in_a_url_are_answered(storage: UPath) -> None:
    pages = ("/reports?q=%00", "/reports/%00", "/reports?owner=%ff%fe", "/plans/%2e%2e%2fx", "/static/%2e%2e/app.py")
    assert {*answers(storage, *pages).values()} <= {200, 404}


@pytest.mark.parametrize(
    ("place", "damage"),
    [
        (0, "truncated"),
        (1, "truncated"),
        (1, "missing"),
        *slow((0, "empty"), (0, "folder"), (0, "missing"), (1, "empty"), (1, "folder")),
    ],
)
def test_a_damaged_snapshot_costs_itself(storage: UPath, place: int, damage: str) -> None:
    file = Path(SnapshotStore(storage, "acme").all()[place].folder / "reports.parquet")
    content = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    elif damage != "missing":
        file.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    assert answers(storage, *PAGES) == dict.fromkeys(PAGES, 200)


def test_a_damaged_event_costs_itself(storage: UPath) -> None:
    for path in Journal(storage, "acme", NEWER.plan_id, actor={}, sha256="").folder.iterdir():
        path.write_bytes(path.read_bytes()[:20])
    pages = (*PAGES, f"/plans/{NEWER.plan_id}", f"/plans/{OLDER.plan_id}")
    assert answers(storage, *pages) == dict.fromkeys(pages, 200)
    with pages_of(storage, Path(storage).parent / "other-cache") as viewer:
        assert "ada" in viewer.get("/plans").text, "the other plan's row is whole"


def test_a_changed_plan_takes_no_other_page_down(storage: UPath) -> None:
    path = Path(storage) / "plans" / "workspace=acme" / f"{NEWER.plan_id}.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Report 000000000002", "Innocent"), encoding="utf-8")
    own = f"/plans/{NEWER.plan_id}"
    assert answers(storage, *PAGES, own) == {**dict.fromkeys(PAGES, 200), own: 409}
    with pages_of(storage, Path(storage).parent / "other-cache") as viewer:
        assert "changed after" in viewer.get(own).text
        assert OLDER.plan_id in viewer.get("/reports/000000000001").text, "the newest whole plan judges"


STRAY = {
    "plans/workspace=acme/fffffffffff1.jsonl/": None,
    "plans/workspace=acme/fffffffffff2.jsonl": "[" * 100_000,
    "plans/workspace=acme/fffffffffff3.jsonl": "7\n[]\n",
    "plans/workspace=stray": "a file",
    "snapshots/workspace=stray/": None,
    "snapshots/workspace=acme/taken_at=20260601T030000Z/summary.json/": None,
    "usage/workspace=stray": "a file",
    f"journals/workspace=acme/plan={NEWER.plan_id}/plan.approved.json/": None,
    f"journals/workspace=acme/plan={OLDER.plan_id}x": "a file",
}
"""Files, and folders without a content, by their place in storage."""


def test_stray_files_and_folders_cost_themselves(storage: UPath) -> None:
    for path, content in STRAY.items():
        stray = Path(storage) / path
        if stray.is_file():
            stray.unlink()
        if content is None:
            stray.mkdir(parents=True, exist_ok=True)
        else:
            stray.parent.mkdir(parents=True, exist_ok=True)
            stray.write_text(content, encoding="utf-8")
    pages = [f"{page}?workspace=acme" for page in (*PAGES, f"/plans/{NEWER.plan_id}")]
    assert answers(storage, *pages) == dict.fromkeys(pages, 200)


def test_a_page_cache_that_cannot_be_written_is_named(storage: UPath) -> None:
    (Path(storage).parent / "cache").write_text("a file", encoding="utf-8")
    assert answers(storage, *PAGES) == {
        **dict.fromkeys(PAGES, 503),
        "/plans": 200,
        "/budget": 200,
    }
    with pages_of(storage, Path(storage).parent / "cache") as viewer:
        assert "page cache" in viewer.get("/reports").text


def test_an_unexpected_error_is_answered_here_and_not_by_airflow(
    storage: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError("a secret of the implementation")

    monkeypatch.setattr("airflow_provider_studio.plugin.routes.plans.page", fail)
    assert answers(storage, "/plans") == {"/plans": 500}


def test_a_setting_that_cannot_be_used_shows_no_workspace(storage: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__WORKSPACE_TEAMS", '{"acme": "analytics"}')
    assert answers(storage, *PAGES) == dict.fromkeys(PAGES, 503)
