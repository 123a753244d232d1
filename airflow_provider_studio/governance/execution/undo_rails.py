# SPDX-License-Identifier: Apache-2.0
"""What limits an undo: it does only what reverses the plan, within the limits of the deployment.

Anyone who can write to storage can add an event to a journal; the hash of the plan fixes which actions it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from upath import UPath

from airflow_provider_studio.client.models import Report
from airflow_provider_studio.governance.errors import GuardRailError, JournalError, PlanError
from airflow_provider_studio.governance.layout import plan_path
from airflow_provider_studio.governance.plans.collection_names import CollectionNames
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
from airflow_provider_studio.governance.plans.journal import Journal
from airflow_provider_studio.governance.plans.models import Action
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.protections import ReportTexts
from airflow_provider_studio.governance.signing import Signer
from airflow_provider_studio.governance.storage import explained

_HOW_TO_FIX = "Undo fewer at a time with `only`, or let an admin raise the limit in [studio] or the connection."


def plan_of_journal(storage: UPath, workspace: str, plan_id: str, signer: Signer) -> Plan:
    """Return the plan of a journal.

    :raises PlanError: it is missing, was changed, or somebody else wrote it.
    """
    path = plan_path(storage, workspace, plan_id)
    with explained("read the plan", path):
        is_there = path.exists()
    if not is_there:
        raise PlanError(
            f"{path} is missing, and only the plan says what may be undone. Restore the file. Nothing was undone."
        )
    plan = Plan.read(path, workspace=workspace)
    plan.check_signature(signer)
    return plan


def planned_actions(journal: Journal, plan: Plan, action_ids: Iterable[str]) -> dict[str, Action]:
    """Return the plan's actions by id.

    :raises JournalError: the journal has an action that the plan does not have, or an event of another plan.
    """
    selected = list(action_ids)
    actions = {action.action_id: action for action in plan.actions}
    unplanned = [action_id for action_id in selected if action_id not in actions]
    if unplanned:
        raise JournalError(
            f"The journal {journal.folder} has the action {unplanned[0]}, which plan {plan.plan_id} does not have: "
            "somebody added it. Nothing was undone. Find out who may write to the storage, and remove the event."
        )
    journal.check_intents(selected)
    return {action_id: actions[action_id] for action_id in selected}


def check_undo(plan: Plan, actions: Mapping[str, Action], limits: DeploymentLimits) -> None:
    """Refuse an undo that exceeds a limit of the deployment.

    :raises GuardRailError: names the size, the limit and the fix.
    """
    if limits.max_actions is not None and len(actions) > limits.max_actions:
        raise GuardRailError(
            f"The undo of plan {plan.plan_id} has {len(actions)} actions; this deployment's max_actions allows "
            f"{limits.max_actions}. {_HOW_TO_FIX}"
        )
    if limits.max_share is None or plan.header.snapshot is None:
        return
    share = len({action.report for action in actions.values()}) / max(1, plan.header.reports_in_snapshot)
    if share > limits.max_share:
        raise GuardRailError(
            f"The undo of plan {plan.plan_id} touches {share:.1%} of the workspace's Reports; this deployment's "
            f"max_share allows {limits.max_share:.1%}. {_HOW_TO_FIX}"
        )


def check_not_protected(report: Report, limits: DeploymentLimits, collections: CollectionNames) -> None:
    """Refuse to archive a Report that the deployment protects. To restore one is allowed.

    :raises GuardRailError: it is protected, or it is unknown whether it is.
    """
    name = collections.of(report.space_token)
    protection = limits.protection(ReportTexts.of(report, name))
    if protection is not None:
        raise GuardRailError(
            f"Report {report.token} is protected by this deployment ({protection.field} has {protection.value!r}); it "
            "is not archived again."
        )
    if limits.protected_collections and name is None:
        raise GuardRailError(
            f"The Collection of Report {report.token} cannot be read, and this deployment protects Collections; it is "
            "not archived again."
        )
