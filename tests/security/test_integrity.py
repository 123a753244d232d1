# SPDX-License-Identifier: Apache-2.0
"""The attacker may write to storage, and plants or changes plans and journals. Only the deployment has the key."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio import settings
from airflow_provider_studio.governance.errors import ApprovalError, JournalError, PlanTamperedError
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.approval import permission_for
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.signing import SignatureStatus, Signer
from airflow_provider_studio.plugin.materialize import prepare_plan
from tests.governance import conftest
from tests.governance.conftest import Governed
from tests.governance.small_plans import action, plan_of

governed = conftest.governed
OURS, ROTATED, THEIRS = Signer.of(["secret"]), Signer.of(["new", "secret"]), Signer.of(["guessed"])


@pytest.fixture
def planned(governed: Governed) -> Plan:
    """A signed plan in storage, for a Report with a schedule."""
    governed.report("Dead", schedules=1)
    governed.nights(100, 0)
    plan = governed.plan()
    plan.write(governed.storage, signer=OURS)
    governed.control.clear_requests()
    return plan


def folder(governed: Governed, plan: Plan) -> Path:
    return Path(str(governed.storage)) / f"journals/workspace=acme/plan={plan.plan_id}"


def answered(plan: Plan, storage: UPath, signer: Signer) -> dict[str, Any]:
    """Write an approval into the journal, and return the XCom that goes with it."""
    journal = Journal(storage, "acme", plan.plan_id, actor={"approver": "ada"}, sha256=plan.sha256, signer=signer)
    journal.write(PLAN, Event.APPROVED, decision="all")
    return {"decision": "all", "plan_id": plan.plan_id, "sha256": plan.sha256}


@pytest.mark.parametrize(("forger", "reason"), [(Signer(), "is unsigned"), (THEIRS, "has an invalid signature")])
def test_a_planted_plan_is_not_applied(governed: Governed, planned: Plan, forger: Signer, reason: str) -> None:
    """Its hash is right: anyone can compute one."""
    forged = plan_of(action(planned.reports[0]), created_at=governed.now, reports_in_snapshot=1)
    path = forged.write(governed.storage, signer=forger)
    with pytest.raises(PlanTamperedError, match=reason):
        governed.apply(Plan.read(path, workspace="acme"), signer=OURS)
    assert governed.changes() == []


@pytest.mark.parametrize(("forger", "reason"), [(Signer(), "is unsigned"), (THEIRS, "has an invalid signature")])
def test_a_planted_approval_approves_nothing(governed: Governed, planned: Plan, forger: Signer, reason: str) -> None:
    value = answered(planned, governed.storage, forger)
    with pytest.raises(ApprovalError, match=reason):
        permission_for(planned, value, governed.storage, signer=OURS)
    shutil.rmtree(folder(governed, planned))
    assert permission_for(planned, answered(planned, governed.storage, OURS), governed.storage, signer=OURS).approver


def test_a_planted_rejection_still_rejects(governed: Governed, planned: Plan) -> None:
    value = answered(planned, governed.storage, OURS)
    Journal(governed.storage, "acme", planned.plan_id, actor={}, sha256=planned.sha256).write(
        PLAN, Event.REJECTED, decision="reject"
    )
    with pytest.raises(ApprovalError, match="was rejected"):
        permission_for(planned, value, governed.storage, signer=OURS)


@pytest.mark.parametrize(("forger", "is_due"), [(OURS, True), (THEIRS, False), (Signer(), False)])
def test_a_planted_plan_does_not_end_a_grace_period(governed: Governed, forger: Signer, is_due: bool) -> None:
    """The next plan of its name continues it, with the day on which it flagged a Report."""
    report = governed.report("Dead")
    governed.nights(100, 0)
    long_ago = governed.now - timedelta(days=30)
    flagged = action(report, flagged_on=long_ago.date(), due_on=governed.now.date())
    planted = plan_of(flagged, name="manual", created_at=long_ago, taken_at=long_ago, policy={"unviewed_days": 90})
    planted.write(governed.storage, signer=forger)
    plan = make_plan(governed.storage, "acme", StalenessPolicy(grace_days=7), signer=OURS, now=lambda: governed.now)
    assert bool(plan.actions) is is_due


def test_a_changed_backup_is_not_restored(governed: Governed, planned: Plan) -> None:
    """Anyone who changes a backup decides what an undo creates: a schedule that runs every minute, say."""
    governed.apply(planned, signer=OURS)
    governed.control.clear_requests()
    intent = next(folder(governed, planned).glob("delete_schedule-*.intent.json"))
    event = json.loads(intent.read_text())
    event["backup"]["machine_values"]["cron"]["freq"] = "hourly"
    intent.write_text(json.dumps(event))
    with pytest.raises(JournalError, match="has an invalid signature"):
        governed.undo(planned, signer=OURS)
    assert governed.changes() == []


def test_a_signed_event_under_another_name_is_refused(governed: Governed, planned: Plan) -> None:
    governed.apply(planned, signer=OURS)
    governed.control.clear_requests()
    done = next(folder(governed, planned).glob("archive_report-*.done.json"))
    shutil.copy(done, done.with_name(done.name.replace(".done.", ".intent.")))
    with pytest.raises(JournalError, match="is another event that was copied to this name"):
        governed.undo(planned, signer=OURS)
    assert governed.changes() == []


def test_a_rotated_key_verifies_what_the_old_one_signed(governed: Governed, planned: Plan) -> None:
    assert governed.apply(planned, signer=ROTATED).archived == 1
    assert governed.undo(planned, signer=ROTATED).unarchived == 1
    assert OURS.status(planned.header.identity) is SignatureStatus.VALID


def test_without_a_key_everything_is_unsigned_and_works(governed: Governed) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    plan = governed.plan()
    assert governed.apply(plan).archived == 1
    assert settings.signer().status(plan.header.identity) is SignatureStatus.UNSIGNED
    assert governed.undo(plan).unarchived == 1


def test_plans_from_before_the_key_are_accepted_where_the_deployment_says_so(governed: Governed) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    plan = governed.plan()
    plan.write(governed.storage)
    assert governed.apply(plan, signer=Signer.of(["secret"], accepts_unsigned=True)).archived == 1


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"STUDIO__SIGNING_KEY": "secret"}, SignatureStatus.VALID),
        ({"CORE__FERNET_KEY": "secret"}, SignatureStatus.VALID),
        ({"CORE__FERNET_KEY": "new,secret"}, SignatureStatus.VALID),
        ({"STUDIO__SIGNING_KEY": "guessed", "CORE__FERNET_KEY": "secret"}, SignatureStatus.INVALID),
        ({"STUDIO__SIGNING_KEY": "off", "CORE__FERNET_KEY": "secret"}, SignatureStatus.UNVERIFIED),
        ({"CORE__FERNET_KEY": ""}, SignatureStatus.UNVERIFIED),
    ],
)
def test_the_key_is_derived_from_airflows_own(
    options: dict[str, str], status: SignatureStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__{name}", value)
    assert settings.signer().status(OURS.signed({"record": "plan"})) is status
    assert "secret" not in repr(settings.signer())


def test_the_page_refuses_a_plan_with_an_invalid_signature_and_shows_one_without(
    governed: Governed, planned: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    forged = plan_of(action("0a1b2c3d4e5f"))
    forged.write(governed.storage, signer=THEIRS)
    with pytest.raises(PlanTamperedError, match="has an invalid signature"):
        prepare_plan(governed.storage, "acme", forged.plan_id, tmp_path)
    unsigned = plan_of(action("cafe00000000"))
    unsigned.write(governed.storage)
    assert prepare_plan(governed.storage, "acme", unsigned.plan_id, tmp_path).exists()
