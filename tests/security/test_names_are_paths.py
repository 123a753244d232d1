# SPDX-License-Identifier: Apache-2.0
"""The attacker passes a name that leads elsewhere, or writes into a journal, and lets an undo do the work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.errors import (
    GuardRailError,
    JournalError,
    PlanError,
    PlanTamperedError,
    WrongWorkspaceError,
)
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.layout import claim_file, host_file, run_record_folder
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.audit import Audit, newest_plan_path
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.notifications import StudioPlanNotifier
from tests.governance import conftest
from tests.governance.conftest import ACTOR, Governed
from tests.governance.small_plans import plan_of

governed = conftest.governed
ELSEWHERE = "0123456789ab/../../workspace=other/plan=0123456789ab"
"""A plan id that leads to the journal of another workspace."""


@pytest.fixture
def archived(governed: Governed) -> Plan:
    """A plan that archived a Report and deleted its schedule."""
    governed.report("Dead", schedules=1)
    governed.nights(100, 0)
    plan = governed.plan()
    governed.apply(plan)
    governed.control.clear_requests()
    return plan


def journal_of(governed: Governed, plan: Plan) -> Path:
    return Path(str(governed.storage)) / f"journals/workspace=acme/plan={plan.plan_id}"


def plant(governed: Governed, plan: Plan, **action: Any) -> None:
    """Copy an intent of a plan's journal, about another action."""
    folder = journal_of(governed, plan)
    event = json.loads(next(folder.glob("archive_report-*.intent.json")).read_text())
    event["action"] |= action
    event["action_id"] = f"{event['action']['kind']}-{event['action']['report']}"
    (folder / f"{event['action_id']}.intent.json").write_text(json.dumps(event))


@pytest.mark.parametrize("plan_id", [ELSEWHERE, "..", "../plan=0123456789ab", "0123456789ab\0", ""])
def test_an_undo_opens_no_journal_but_that_of_its_workspace(governed: Governed, plan_id: str) -> None:
    other = Path(str(governed.storage)) / "journals/workspace=other/plan=0123456789ab"
    other.mkdir(parents=True)
    (other / "unarchive_report-0a1b2c3d4e5f.intent.json").write_text("{}")
    plan = plan_of()
    plan.header = plan.header.model_copy(update={"plan_id": plan_id})
    governed.control.clear_requests()
    with pytest.raises(PlanError, match="plan_id is"):
        governed.undo(plan)
    assert governed.control.requests_sent() == 0


@pytest.mark.parametrize("workspace", ["../other", "a/../b", "..", ""])
def test_the_digest_reads_plans_of_no_folder_but_a_workspaces(storage: UPath, workspace: str) -> None:
    (Path(str(storage)) / "plans/workspace=acme").mkdir(parents=True)
    if not workspace:
        return
    with pytest.raises(StudioConfigurationError, match="workspace is"):
        newest_plan_path(storage, workspace)


def test_a_header_with_another_id_is_no_plan(governed: Governed, archived: Plan) -> None:
    path = Path(str(governed.storage)) / f"plans/workspace=acme/{archived.plan_id}.jsonl"
    path.write_text(path.read_text().replace(f'"{archived.plan_id}"', f'"{ELSEWHERE}"', 1))
    with pytest.raises(PlanTamperedError):
        Plan.read_header(UPath(path))
    assert Audit(governed.storage, "acme").headers() == []


@pytest.mark.parametrize("run_id", ["..", "."])
def test_a_run_id_does_not_lead_to_the_record_of_another_dag(storage: UPath, run_id: str) -> None:
    """Airflow permits `..` as the id of a run, and anyone who may trigger a DAG chooses it."""
    folder = run_record_folder(storage, ["mine", run_id, "theirs", "-1"])
    assert ".." not in folder.path.split("/")
    assert folder.path.startswith(f"{storage.path}/run_records/mine/%2E")


def test_the_token_of_a_run_does_not_lead_out_of_the_claims(storage: UPath) -> None:
    with pytest.raises(StudioConfigurationError, match="run is"):
        claim_file(storage / "claims", "../../plans/x")


@pytest.mark.parametrize("path", ["exports/../plans/workspace=acme/x", "/tmp/exports/../x", "s3://bucket/../other/x"])
def test_an_export_does_not_leave_the_folder_that_its_author_wrote(path: str) -> None:
    with pytest.raises(StudioConfigurationError, match=r"must not contain '\.\.'"):
        settings.in_storage(path)


def test_a_notifier_sends_no_plan_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, governed: Governed, archived: Plan
) -> None:
    """A plan is text that its readers trust, so it is read only from the storage of the deployment."""
    elsewhere = UPath(tmp_path / "elsewhere")
    path = archived.write(elsewhere)
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{governed.storage}")
    with pytest.raises(PlanError, match="Cannot read the plan"):
        StudioPlanNotifier([], plan=str(path)).notify({})


@pytest.mark.parametrize(
    "act",
    [
        lambda governed, _: take_inventory(governed.client, governed.storage),
        lambda governed, _: make_plan(governed.storage, "acme", StalenessPolicy(), client=governed.client),
        lambda governed, plan: governed.apply(plan),
        lambda governed, plan: governed.undo(plan),
        lambda governed, plan: plan_named(
            governed.client, governed.storage, [plan.reports[0]], kind=ActionKind.UNARCHIVE_REPORT, actor=ACTOR
        ),
    ],
    ids=["inventory", "plan", "apply", "undo", "one-off"],
)
def test_a_sandbox_with_the_same_workspace_does_not_act_on_this_history(
    governed: Governed, archived: Plan, act: Callable[[Governed, Plan], Any]
) -> None:
    """A copy of a workspace has the same tokens, so that a plan of one would fit the other."""
    marker = host_file(governed.storage, "acme")
    assert json.loads(marker.read_text()) == {"host": "localhost"}
    marker.write_text('{"host": "app.mode.com"}')
    with pytest.raises(
        WrongWorkspaceError, match=r"are of the host app\.mode\.com, but the connection opens localhost"
    ):
        act(governed, archived)
    assert governed.control.requests_sent() == 0


@pytest.mark.parametrize("kind", ["archive_report", "unarchive_report"])
def test_an_action_added_to_a_journal_is_not_undone(governed: Governed, archived: Plan, kind: str) -> None:
    """To undo the unarchiving of a Report would archive it."""
    plant(governed, archived, kind=kind, report="0a1b2c3d4e5f")
    with pytest.raises(JournalError, match=f"has the action {kind}-0a1b2c3d4e5f, which plan .* does not have"):
        governed.undo(archived)
    assert governed.changes() == []


def test_the_plan_says_what_an_action_is_not_the_journal(governed: Governed, archived: Plan) -> None:
    victim = governed.report("Victim", archived_at="2026-01-01T00:00:00+00:00")
    folder = journal_of(governed, archived)
    intent = next(folder.glob("archive_report-*.intent.json"))
    event = json.loads(intent.read_text())
    event["action"]["report"] = victim
    intent.write_text(json.dumps(event))
    governed.undo(archived)
    reports = governed.control.state()["reports"]
    assert reports[victim]["archived"]
    assert not reports[archived.reports[0]]["archived"]


def test_a_journal_whose_plan_is_gone_is_not_undone(governed: Governed, archived: Plan) -> None:
    (Path(str(governed.storage)) / f"plans/workspace=acme/{archived.plan_id}.jsonl").unlink()
    with pytest.raises(PlanError, match="only the plan says what may be undone"):
        governed.undo(archived)
    assert governed.changes() == []


def test_an_undo_stays_within_the_limits_of_the_deployment(governed: Governed, archived: Plan) -> None:
    for name, value in (("max_actions", "1"), ("max_share", "0.01")):
        with pytest.raises(GuardRailError, match=f"this deployment's {name} allows"):
            governed.undo(archived, limits=DeploymentLimits.of({name: value}, "test"))
    assert governed.changes() == []


def test_an_undo_archives_no_protected_report(governed: Governed) -> None:
    report = governed.report("Board pack", archived_at="2026-01-01T00:00:00+00:00")
    plan = plan_named(
        governed.client,
        governed.storage,
        [report],
        kind=ActionKind.UNARCHIVE_REPORT,
        actor=ACTOR,
        now=governed.clock,
    )
    governed.apply(plan)
    summary = governed.undo(plan, limits=DeploymentLimits(protected_names=("board*",)))
    assert "protected by this deployment" in summary.failures[0]
    assert not governed.control.state()["reports"][report]["archived"]
