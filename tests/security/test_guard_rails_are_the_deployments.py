# SPDX-License-Identifier: Apache-2.0
"""The attacker may trigger a DAG, and passes the most generous parameters. The limits of the deployment hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.errors import GuardRailError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.one_off import StudioArchiveReportsOperator
from airflow_provider_studio.operators.plans import StudioApplyPlanOperator, StudioPlanOperator
from airflow_provider_studio.operators.reports import StudioExportReportRunOperator, StudioRunReportOperator
from tests.connections import connection_of
from tests.governance import conftest
from tests.governance.conftest import Governed
from tests.operators import test_governance_operators, test_operators
from tests.operators.test_governance_operators import changes
from tests.operators.test_operators import QUICK, RunDag

run, dead, governed = test_operators.run, test_governance_operators.dead, conftest.governed
GENEROUS: dict[str, Any] = {"max_actions": 1_000_000, "max_share": 1, "max_collection_share": 1}
"""What someone who triggers a run passes to get everything archived."""


def night_without_limits() -> None:
    """A night as its author's params allow it: no approval, no protection, every Report may go."""
    plan = StudioPlanOperator(task_id="plan", policy={"unviewed_days": 90, "protected_names": [], "keep_mark": None})
    apply = StudioApplyPlanOperator(task_id="apply", plan=plan.output, approval="not_required", **GENEROUS)
    StudioInventoryOperator(task_id="inventory") >> plan >> apply


@pytest.fixture(params=["option", *[pytest.param("extra", marks=pytest.mark.slow)]])
def deployed(
    request: pytest.FixtureRequest, run: RunDag, emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Return a function that sets limits: as options of `[studio]`, or as extras of the connection."""

    def deploy(**limits: Any) -> None:
        if request.param == "extra":
            monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(emulator, **limits))
        else:
            for name, value in limits.items():
                monkeypatch.setenv(f"AIRFLOW__STUDIO__{name.upper()}", str(value))

    return deploy


def test_a_run_cannot_waive_the_approval(
    run: RunDag,
    deployed: Callable[..., None],
    emulator: StudioEmulator,
    dead: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deployed(approval_required=True)
    assert run(night_without_limits).tasks["apply"] == "failed"
    assert "approval is 'not_required', but this deployment requires an approval" in capsys.readouterr().out
    assert changes(emulator) == []


def test_nor_does_an_operator_that_never_asks(
    run: RunDag, deployed: Callable[..., None], emulator: StudioEmulator, dead: str
) -> None:
    deployed(approval_required=True)
    assert run(lambda: StudioArchiveReportsOperator(task_id="t", reports=[dead]) and None).state == "failed"
    assert changes(emulator) == []


def test_a_run_cannot_raise_the_number_of_actions(
    run: RunDag,
    deployed: Callable[..., None],
    emulator: StudioEmulator,
    dead: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deployed(max_actions=1)
    assert run(night_without_limits).tasks["apply"] == "failed"
    assert "max_actions allows 1" in capsys.readouterr().out
    assert changes(emulator) == []


def test_a_run_cannot_remove_a_protection(
    run: RunDag, deployed: Callable[..., None], emulator: StudioEmulator, dead: str
) -> None:
    deployed(protected_names="Board*, dead")

    def tasks() -> None:
        night_without_limits()
        StudioArchiveReportsOperator(task_id="named", reports=[dead])

    ran = run(tasks)
    assert ran.xcom("plan")["spared"]["protected_name"] == 1
    assert ran.xcom("named")["left_alone"] == {dead: "protected by this deployment: protected_names has 'dead'"}
    assert not emulator.control.state()["reports"][dead]["archived"]


@pytest.mark.parametrize("limit", ["max_share", "max_collection_share"])
def test_a_share_above_the_deployments_is_lowered(governed: Governed, limit: str) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    with pytest.raises(GuardRailError, match=f"{limit} allows 0.1%"):
        governed.apply(
            governed.plan(), guard_rails=GuardRails(**GENEROUS), limits=DeploymentLimits.of({limit: "0.001"}, "test")
        )
    assert governed.changes() == []


@pytest.mark.parametrize("by", ["token", "name"])
def test_a_plan_from_before_the_protection_is_held_to_it(governed: Governed, by: str) -> None:
    """A Report's response has no name of its Collection; it is read, because the deployment protects by name too."""
    governed.report("Dead", schedules=1)
    governed.nights(100, 0)
    plan = governed.plan()
    collection = governed.client.get_collection(governed.collection)
    protected = collection.token if by == "token" else str(collection.name).upper()
    governed.control.clear_requests()
    summary = governed.apply(plan, limits=DeploymentLimits(protected_collections=(protected,)))
    assert summary.skipped == {"protected": 2}
    assert governed.changes() == []


def test_a_collection_that_cannot_be_read_may_be_a_protected_one(governed: Governed) -> None:
    report = governed.report("Dead")
    limits = DeploymentLimits(protected_collections=("Board",))
    plan = plan_named(
        governed.client,
        governed.storage,
        [report],
        kind=ActionKind.ARCHIVE_REPORT,
        actor={},
        limits=limits,
        now=governed.clock,
    )
    governed.control.add_fault("status", path=f"/spaces/{governed.collection}", status=403)
    assert governed.apply(plan, limits=limits).skipped == {"unknown": 1}
    assert governed.changes() == []


def test_a_connection_cannot_loosen_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "APPROVAL_REQUIRED": "True",
        "MAX_ACTIONS": "10",
        "MAX_SHARE": "0.1",
        "PROTECTED_REPORTS": '["0a1b2c3d4e5f"]',
        "EXPORT_PRIVATE_COLLECTIONS": "False",
        "READ_ONLY_REQUESTS": "True",
    }.items():
        monkeypatch.setenv(f"AIRFLOW__STUDIO__{name}", value)
    loose = {
        "approval_required": False,
        "max_actions": 10_000,
        "max_share": "1",
        "protected_reports": [],
        "export_private_collections": True,
        "read_only_requests": False,
    }
    assert settings.limits({**loose, "protected_reports": "cafe00000000"}) == DeploymentLimits(
        approval_required=True,
        max_actions=10,
        max_share=0.1,
        protected_reports=("0a1b2c3d4e5f", "cafe00000000"),
        read_only_requests=True,
    )


@pytest.mark.parametrize("name", ["read_only_requests", "approval_required"])
def test_where_changes_need_an_approval_no_request_that_a_dag_writes_makes_one(name: str) -> None:
    assert DeploymentLimits().permissions.changes_by_request
    assert not DeploymentLimits(**{name: True}).permissions.changes_by_request


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("approval_required", "maybe"),
        ("max_actions", "0"),
        ("max_actions", "1.5"),
        ("max_actions", "nan"),
        ("max_share", "5 %"),
        ("max_share", "0"),
        ("max_collection_share", "inf"),
        ("protected_names", "a,,b"),
        ("protected_owners", '["a", 1]'),
    ],
)
def test_a_limit_that_nobody_can_read_is_not_the_same_as_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIRFLOW__STUDIO__{name.upper()}", value)
    with pytest.raises(StudioConfigurationError, match=rf"^\[studio\] {name} is "):
        settings.limits({})


@pytest.mark.parametrize("private", [{"restricted": True}, *[pytest.param({}, id="personal", marks=pytest.mark.slow)]])
def test_refreshing_a_report_does_not_read_a_private_collection(
    run: RunDag,
    emulator: StudioEmulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    private: dict[str, Any],
) -> None:
    """A Workspace token sees every Collection; the person who names a Report in a run does not."""
    fields = private or {"space_type": "private", "restricted": False}
    collection = emulator.control.add_collection("Salaries", **fields)
    report = emulator.control.add_report(name="Salaries", collection=collection, next_runtime_seconds=0.1)

    def tasks() -> None:
        fresh = StudioRunReportOperator(task_id="run", report=report, poll_policy=QUICK)
        fresh >> StudioExportReportRunOperator(task_id="export", run=fresh.output, path="exports/salaries")
        StudioRunReportOperator(task_id="both", report=report, poll_policy=QUICK, export="exports/too")

    ran = run(tasks)
    assert (ran.tasks["export"], ran.tasks["both"]) == ("failed", "failed")
    assert f"Report {report} is in the private Collection {collection}" in capsys.readouterr().out
    assert not (tmp_path / "studio" / "exports").exists()
    monkeypatch.setenv("AIRFLOW__STUDIO__EXPORT_PRIVATE_COLLECTIONS", "True")
    assert run(tasks).state == "success"


def test_the_params_of_the_example_dags_have_maxima() -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.exceptions import ParamValidationError

    bag = DagBag(dag_folder=str(Path(__file__).parents[2] / "dags"))
    for dag, name, value in (
        ("studio_nightly_governance", "max_actions", 1_000_000),
        ("studio_nightly_governance", "max_share", 1),
        ("studio_schedule_cleanup", "max_actions", 1_000_000),
    ):
        with pytest.raises(ParamValidationError, match="maximum"):
            bag.dags[dag].params[name] = value
