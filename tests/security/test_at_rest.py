# SPDX-License-Identifier: Apache-2.0
"""The attacker has an account on a worker, and reads the files of governance: names, owners, addresses, results."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.retention import PlanRetention, retain_plans
from airflow_provider_studio.governance.storage import make_private_folder, write_atomically, write_once, write_stream
from airflow_provider_studio.plugin.materialize import prepare_plan, prepare_snapshot
from tests.governance import conftest
from tests.governance.conftest import ACTOR, Governed
from tests.governance.small_plans import action, plan_of

governed = conftest.governed


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """Let new files be readable by everybody, as on most machines."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def permissions(root: Path) -> set[tuple[str, str]]:
    """Return the kinds and permissions of everything below a folder, and of the folder."""
    found = [root, *root.rglob("*")]
    return {("folder" if path.is_dir() else "file", stat.filemode(path.stat().st_mode)[1:]) for path in found}


def test_what_a_night_writes_is_readable_by_its_user_alone(governed: Governed, tmp_path: Path) -> None:
    governed.report("Dead", schedules=1)
    governed.nights(100, 0)
    plan = governed.plan()
    governed.apply(plan)
    governed.undo(plan)
    assert permissions(Path(str(governed.storage))) == {("folder", "rwx------"), ("file", "rw-------")}


def test_the_tables_of_the_pages_are_behind_private_folders(governed: Governed, tmp_path: Path) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    plan = governed.plan()
    plan.write(governed.storage)
    cache = tmp_path / "home" / "page-cache"
    prepare_snapshot(governed.storage, "acme", cache)
    prepare_plan(governed.storage, "acme", plan.plan_id, cache)
    assert {kind for kind in permissions(tmp_path / "home") if kind[0] == "folder"} == {("folder", "rwx------")}


def test_results_are_private_too(tmp_path: Path) -> None:
    root = UPath(tmp_path / "studio")
    write_stream(root / "exports" / "a" / "results.csv", [b"secret"])
    write_atomically(root / "exports" / "b.json", b"{}")
    write_once(root / "exports" / "c.json", b"{}")
    assert permissions(tmp_path / "studio") == {("folder", "rwx------"), ("file", "rw-------")}


def test_a_root_that_an_admin_shares_with_a_group_stays_shared_with_it_alone(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(0o2775)
    write_atomically(UPath(root) / "plans" / "workspace=acme" / "a.jsonl", b"{}")
    below = permissions(root) - {("folder", "rwxrwsr-x")}
    assert below == {("folder", "rwxrws---"), ("file", "rw-rw----")}


def test_a_folder_that_exists_keeps_its_permissions(tmp_path: Path) -> None:
    make_private_folder(tmp_path)
    tmp_path.chmod(0o755)
    make_private_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_duckdb_spills_into_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with sql.opened("20MB") as connection:
        folder = sql.scratch_of(connection)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.is_relative_to(tmp_path)
        ((spill,),) = connection.execute("SELECT current_setting('temp_directory')").fetchall()
        assert Path(spill).is_relative_to(folder)
    assert list(tmp_path.iterdir()) == []


def test_addresses_are_not_kept_forever_but_what_an_undo_needs_is(governed: Governed) -> None:
    governed.report("Dead", schedules=1)
    governed.nights(100, 0)
    applied = governed.plan()
    governed.apply(applied)
    only_proposed = named_plan("proposed", governed.now - timedelta(days=500))
    newest = named_plan("proposed", governed.now - timedelta(days=450))
    for plan in (only_proposed, newest):
        plan.write(governed.storage)
    later = named_plan(applied.header.name or "", governed.now + timedelta(days=1))
    later.write(governed.storage)
    at = governed.now + timedelta(days=401)

    kept = retain_plans(governed.storage, "acme", PlanRetention(), dry_run=True, now=lambda: at)
    assert (kept.dropped, kept.kept_for_undo) == ([only_proposed.plan_id], [applied.plan_id])
    root = Path(str(governed.storage))
    assert list(root.rglob(f"{only_proposed.plan_id}*"))

    retain_plans(governed.storage, "acme", PlanRetention(), now=lambda: at)
    assert not list(root.rglob(f"{only_proposed.plan_id}*"))
    assert governed.undo(applied).unarchived == 1

    undone = retain_plans(governed.storage, "acme", PlanRetention(), now=lambda: at)
    assert undone.dropped == [applied.plan_id]
    assert not list(root.rglob(f"*{applied.plan_id}*"))


def test_an_admin_may_give_up_undo_after_some_time(governed: Governed) -> None:
    report = governed.report("Dead")
    plan = plan_named(
        governed.client, governed.storage, [report], kind=ActionKind.ARCHIVE_REPORT, actor=ACTOR, now=governed.clock
    )
    governed.apply(plan)
    named_plan(plan.header.name or "", governed.now + timedelta(days=1)).write(governed.storage)
    retention = PlanRetention(plans_days=30, undo_days=365)
    for days, dropped in ((364, []), (366, [plan.plan_id])):
        at = governed.now + timedelta(days=days)
        assert retain_plans(governed.storage, "acme", retention, now=lambda at=at: at).dropped == dropped
    assert not list(Path(str(governed.storage)).rglob(f"*{plan.plan_id}*"))


def named_plan(name: str, at: datetime) -> Plan:
    return plan_of(action("0a1b2c3d4e5f"), name=name, created_at=at, taken_at=at)
