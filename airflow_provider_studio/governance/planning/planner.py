# SPDX-License-Identifier: Apache-2.0
"""Evaluate a policy against the newest snapshot and its history, and create a plan. Changes no workspace."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.planning.plan_builder import PlanBuilder
from airflow_provider_studio.governance.planning.previous_plans import PreviousPlans
from airflow_provider_studio.governance.planning.sql_condition import matching
from airflow_provider_studio.governance.planning.staleness import PolicyContext, StalenessEvaluator, texts_of
from airflow_provider_studio.governance.planning.workspace_lookups import (
    FedReportLookup,
    Members,
    OwnerLookup,
    ScheduleLookup,
    SubscriberLookup,
)
from airflow_provider_studio.governance.plans.models import (
    PlanHeader,
    ProtectionCount,
)
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.schema import DATASET, fetched
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore
from airflow_provider_studio.governance.storage import CLOCKS_DIFFER_BY, utcnow
from airflow_provider_studio.governance.workspace_host import check_host

log = logging.getLogger(__name__)

DEFAULT_NAME = "manual"
"""The name of a plan if the caller passes none."""
_LONGEST_NAME = 600


def make_plan(
    storage: UPath,
    workspace: str,
    policy: StalenessPolicy,
    *,
    name: str = DEFAULT_NAME,
    snapshot: str | None = None,
    client: StudioClient | None = None,
    signer: Signer = UNSIGNED,
    now: Callable[[], datetime] = utcnow,
) -> Plan:
    """Create a plan; `Plan.write` stores it.

    :param name: distinguishes plans with different policies: grace periods and the comparison with the previous plan
        continue from plans of the same name.
    :param snapshot: the snapshot's folder relative to the storage root, as in the inventory's summary; the newest by
        default.
    :param client: reads what is not in a snapshot: the members of the workspace, the Reports that a dataset feeds, the
        schedules of Reports that are to be archived and count none, and the subscribers of otherwise stale Reports.
        Without it no owner counts as having left.
    :param signer: verifies the previous plan, whose grace periods this plan continues.
    :raises PlanError: there is no such snapshot, the name is invalid, or the snapshot or the previous plan is from the
        future.
    :raises PolicyError: the policy's SQL condition is invalid.
    """
    _check_name(name)
    if client is not None:
        check_host(client, storage)
    store = SnapshotStore(storage, workspace)
    snapshots = _snapshots(store, snapshot)
    newest = snapshots[-1]
    created_at = now()
    if newest.taken_at > created_at + CLOCKS_DIFFER_BY:
        raise PlanError(
            f"The snapshot {store.relative(newest)} was taken at {newest.taken_at:%Y-%m-%d %H:%M UTC}, but it is "
            f"{created_at:%Y-%m-%d %H:%M UTC} now: a clock was wrong, then or now. Fix the clock, or remove the folder."
        )
    previous = PreviousPlans(
        storage,
        workspace,
        name=name,
        taken_at=newest.taken_at,
        created_at=created_at,
        judges=policy.judges,
        signer=signer,
    )
    reports, schedules, tokens = _facts(snapshots, policy)
    members = Members(client)
    usernames = members.usernames if policy.owner_left_days is not None else None
    fed = FedReportLookup(client, {report["token"]: report["archived"] for report in reports})
    owners = OwnerLookup(client, members)
    context = PolicyContext(usernames, tokens, fed, owners, SubscriberLookup(client))
    evaluator = StalenessEvaluator(policy, newest.taken_at, context)
    failures = previous.failures(policy.retry_refused_days)
    find_schedules = ScheduleLookup(client, created_at)
    builder = PlanBuilder(
        policy, evaluator, members, find_schedules, waits=previous.waits(), failures=failures, now=created_at
    )
    for report in reports:
        builder.add(report, schedules.get(report["token"], []))
    # Reports that failed before come last, so that they do not block others.
    builder.actions.sort(key=lambda action: action.report in failures)
    touched = {action.baseline.collection or "" for action in builder.actions}
    collections = (report["collection"] or "" for report in reports if not report["archived"])
    live = Counter(collection for collection in collections if collection in touched)
    header = PlanHeader(
        workspace=workspace,
        snapshot=store.relative(newest),
        taken_at=newest.taken_at,
        created_at=created_at,
        policy=policy.model_dump(mode="json"),
        policy_in_words=policy.describe(),
        previous_plan=previous.plan_id,
        reports_in_snapshot=sum(report["type"] != DATASET for report in reports),
        reports_by_collection=dict(sorted(live.items())),
        protections=_protections(policy, reports, builder.protected),
        name=name,
    )
    return Plan(header, builder.actions, builder.spared)


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise PlanError(
            f"plan_name is {name!r}; it must be a text in one line of at most {_LONGEST_NAME} characters, such as "
            "my_dag.plan."
        )


def _protections(
    policy: StalenessPolicy, reports: list[dict[str, Any]], protected: Collection[str]
) -> tuple[ProtectionCount, ...]:
    """Count the matches of each protection of the policy.

    :param protected: tokens of the Reports that are spared only by a protection.
    """
    counts = policy.protections.count((texts_of(report), report["token"] in protected) for report in reports)
    for count in counts:
        if count.may_be_a_typo:
            log.warning(
                "policy: %s has %r, which matches no Report of the snapshot. It may be misspelt.",
                count.field,
                count.value,
            )
    return counts


def _snapshots(store: SnapshotStore, name: str | None) -> list[Snapshot]:
    """Return the snapshots up to and including the named one; all if no name is passed."""
    snapshots = store.all()
    if not snapshots:
        raise PlanError(f"There is no snapshot under {store.root}. Run the inventory first.")
    if name is None:
        return snapshots
    for position, snapshot in enumerate(snapshots, start=1):
        if store.relative(snapshot) == name:
            return snapshots[:position]
    raise PlanError(f"There is no finished snapshot {name!r} under {store.storage}. Run the inventory again.")


def _facts(
    snapshots: list[Snapshot], policy: StalenessPolicy
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]], set[str] | None]:
    """Return the Reports, their schedules by Report, and the tokens of Reports that meet the policy's condition."""
    with facts(snapshots) as connection:
        reports = fetched(connection.execute("SELECT * FROM facts ORDER BY token"))
        rows = fetched(connection.execute("SELECT * FROM schedules ORDER BY report, token"))
        tokens = None if policy.where is None else matching(connection, policy.where)
    schedules: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        schedules.setdefault(row["report"], []).append(row)
    return reports, schedules, tokens
